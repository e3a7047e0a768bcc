"""Fairness figure: acceptance rates by group, of the X-NN and the plain network."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.contrast import bounded
from analysis.figures.palette import BLUE, INK, MUTED, VERMILION
from analysis.figures.style import NothingToDraw, framed, label, legend_above, number
from analysis.figures.xnn.featured import METHOD, NONE, Subject
from analysis.intervals import MIN_SEEDS
from analysis.wording import percent, plural
from analysis.xnn.cells import plain_of
from analysis.xnn.fairness import CHOSEN, FOUR_FIFTHS, PLAIN, RATIO, RULE, RULES, by_group
from analysis.xnn.wording import spoken

RATES = {
    "selection_rate": "selected\n(share of all)",
    "true_positive_rate": "selected among those\nwho should be (TPR)",
    "false_positive_rate": "selected among those\nwho should not be (FPR)",
}
"""Rates drawn, with the heading of each panel."""

_MOST_GROUPS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Group of the columns "<rate>@<column>:<level>" of trials."""

    column: str
    level: str

    def of(self, rate: str) -> str:
        """Column of the trials with ``rate`` of this group."""
        return f"{rate}@{self.column}:{self.level}"


def groups(trials: pd.DataFrame) -> list[Group]:
    """Groups with a selection rate in the trials, in the order of their columns."""
    group_list = []
    for name in map(str, trials.columns):
        rate, at, group_name = name.partition("@")
        column, colon, level = group_name.partition(":")
        if rate == "selection_rate" and at and colon and trials[name].notna().any():
            group_list.append(Group(column=column, level=level))
    return group_list


def size_of_fairness(trials: pd.DataFrame) -> tuple[float, float]:
    """Width and height of :func:`fairness`, in inches."""
    return 11.0, 2.7 + 0.42 * max(3, min(len(groups(trials)), _MOST_GROUPS))


def fairness(figure: Figure, *, subject: Subject) -> None:
    """A panel per rate, a row per group: the rate and its interval, of :func:`by_group`.

    The plain network is drawn too, if any was trained. The dashed line is four fifths of the
    X-NN's largest selection rate.

    Args:
        figure: an empty figure of :func:`size_of_fairness`.
        subject: the configuration to draw.
    Raises:
        NothingToDraw: no rates by group.
    """
    trials, plain = subject.trials, subject.plain
    group_list = groups(trials)[:_MOST_GROUPS]
    if not group_list:
        raise NothingToDraw("no rates by group in the trials")
    both = len(plain) > 0 and subject.cell[METHOD] != NONE
    plain_cell = plain_of(subject.table, subject.cell) if both else None
    rates = by_group(pd.concat([trials, plain]), subject.cell, plain_cell)
    panels = figure.subplots(1, len(RATES), sharey=True, squeeze=False)[0]
    for ax, (rate, head) in zip(panels, RATES.items(), strict=True):
        if both:
            mine = rates[rates["network"].eq(PLAIN)]
            _rates(
                ax, mine, group_list, rate, shift=0.17, color=VERMILION, fill="white", label=PLAIN
            )
        shift = -0.17 if both else 0.0
        mine = rates[rates["network"].eq(CHOSEN)]
        _rates(ax, mine, group_list, rate, shift=shift, color=BLUE, fill=BLUE, label=CHOSEN)
        ax.set_title(head, fontsize=9.5, pad=8.0)
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
        ax.tick_params(axis="y", length=0)
        ax.grid(True, axis="x")
    _four_fifths(panels[0], trials, group_list)
    names = [_named(g) for g in group_list]
    panels[0].set_yticks(range(len(group_list)), names)
    panels[0].set_ylim(len(group_list) - 0.4, -0.6)
    if both:
        legend_above(figure, panels[0])
    framed(figure, "Who is accepted as applied for, by group", _notes(subject, rates, group_list))


def _rates(
    ax: Axes,
    network: pd.DataFrame,
    group_list: Sequence[Group],
    rate: str,
    *,
    shift: float,
    color: str,
    fill: str,
    label: str,
) -> None:
    places, values = [], []
    for place, group in enumerate(group_list):
        rows = network[network["column"].eq(group.column) & network["group"].eq(group.level)]
        if rows.empty or pd.isna(rows.iloc[0][rate]):
            continue
        value, low, high = (rows.iloc[0][column] for column in bounded(rate))
        places.append(place + shift)
        values.append(value)
        if pd.notna(low) and pd.notna(high):
            ax.hlines(place + shift, low, high, color=color, linewidth=1.8, zorder=2)
    ax.plot(values, places, "o", color=color, mfc=fill, ms=6.5, mew=1.5, zorder=3, label=label)


def _named(group: Group) -> str:
    """The group in words; a level that is a number follows its column after an equals sign."""
    column, level = spoken(group.column), group.level
    return f"{column} = {level}" if level.replace(".", "").isdecimal() else f"{column}: {level}"


def _four_fifths(ax: Axes, trials: pd.DataFrame, group_list: Sequence[Group]) -> None:
    rates = {g: _mean(trials, g.of("selection_rate")) for g in group_list}
    for column in dict.fromkeys(g.column for g in group_list):
        rows = [i for i, g in enumerate(group_list) if g.column == column]
        line = FOUR_FIFTHS * max(rates[group_list[i]] for i in rows)
        ax.vlines(line, rows[0] - 0.45, rows[-1] + 0.45, color=INK, linestyle="--", linewidth=1.1)
        label(ax, "4/5", (line, rows[0] - 0.45), (3, -1), va="top", fontsize=8.0, color=MUTED)


def _notes(subject: Subject, rates: pd.DataFrame, group_list: Sequence[Group]) -> list[str]:
    what = f"mean over {plural(subject.seeds, 'seed')} and its"
    notes = [
        f"Dot and bar: {what} 95 % interval over "
        f"{'seeds and test rows' if subject.seeds >= MIN_SEEDS else 'test rows alone'}. Selected: "
        "predicted Response 8.",
    ]
    ratio = "Dashed: four fifths of the largest selection rate"
    spread = rates[rates["group"].eq("all")]
    if len(spread) and pd.notna(spread.iloc[0][RATIO]):
        row = spread.iloc[0]
        ratio += f". Smallest over largest: {number(row[RATIO])}, {RULES[row[RULE]]}"
    notes += [f"{ratio}. Age and sex can be lawful rating factors.", f"X-NN: {subject.words}."]
    hidden = len(groups(subject.trials)) - len(group_list)
    if hidden:
        notes.append(f"{plural(hidden, 'more group')} not shown.")
    return notes


def _mean(trials: pd.DataFrame, name: str) -> float:
    return float(trials[name].astype("float64").mean()) if name in trials else float("nan")
