"""Results of the best configurations by seed, with the verdicts of their comparison."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis import schema
from analysis.contrast import BETTER, WORSE, bars
from analysis.figures.palette import BLUE, FAINT, GREEN, INK, MUTED, VERMILION
from analysis.figures.problem import one_problem
from analysis.figures.style import NothingToDraw, caption, label_beside, number, rows_downwards
from analysis.intervals import MIN_SEEDS
from analysis.sweep import Sweep, Trials
from analysis.tickets.comparison import compare
from analysis.tickets.seed_findings import compared_parameters, configuration
from analysis.wording import parameter, plural

_MOST = 12
_COLLAPSE = 0.1  # below the best mean, as a share of it
_LONGEST = 34  # characters of a configuration on one line
_WIDTH, _ROW = 8.8, 0.42  # inches; a row has two lines
_FEWEST = 6  # rows of the lowest figure
_COLORS = {BETTER: GREEN, WORSE: VERMILION}


def seeds_figure(trials: Trials, figure: Figure) -> None:
    """:func:`seeds_compared` in a ``figure`` that gets the height of its rows.

    Raises:
        NothingToDraw: see :func:`seeds_compared`.
    """
    ax = figure.add_subplot()
    seeds_compared(trials, ax)
    figure.set_size_inches(_WIDTH, 2.4 + _ROW * max(len(ax.get_yticks()), _FEWEST))


def seeds_compared(trials: Trials, ax: Axes, *, metric: str = "cvar_05") -> None:
    """A row per configuration, best first: a dot per seed, their mean and its Student interval.

    The rows are the best 12 of :func:`analysis.compare` and its reference, in blue; each is
    labelled with its difference, and its verdict if there are enough seeds for one. Thin lines
    join the dots of one seed, because comparisons are paired.

    Args:
        metric: a column with a better end.
    Raises:
        NothingToDraw: fewer than two configurations completed at every seed, or the trials are of
            more than one problem.
    """
    problem = one_problem(trials)
    rows = compare(trials, metric)
    complete = rows[rows["left_out"].isna()]
    if len(complete) < 2:
        raise NothingToDraw("no two configurations completed at every seed")
    visible_rows = complete[
        complete["reference"] | (pd.Series(range(len(complete)), complete.index) < _MOST)
    ]
    names = compared_parameters(visible_rows)
    places = range(len(visible_rows))
    decisive = visible_rows["seeds"].max() >= MIN_SEEDS
    for _, seed in _dots(trials, visible_rows, metric).groupby("seed"):
        x, y = seed["value"], seed["place"]
        ax.plot(x, y, color=FAINT, linewidth=0.9, zorder=1)
        ax.plot(x, y, "o", color=MUTED, alpha=0.45, markersize=4.5, mew=0.0, zorder=2)
    for place, (_, row) in zip(places, visible_rows.iterrows(), strict=True):
        color = BLUE if row["reference"] else _COLORS.get(row["verdict"], INK)
        ax.plot([row["low"], row["high"]], [place, place], color=color, linewidth=2.0, zorder=3)
        ax.plot(row["mean"], place, "D", color=color, markersize=6.5, mec="white", zorder=4)
        text = "best by validation" if row["reference"] else _verdict(row, decisive)
        label_beside(ax, place, text, color, linespacing=1.15)
    cut = _limits(ax, visible_rows, _dots(trials, visible_rows, metric)["value"])
    labels = [
        _folded(configuration(row, names, spoken=parameter)) for _, row in visible_rows.iterrows()
    ]
    rows_downwards(ax, labels, fontsize=8.5 if any("\n" in text for text in labels) else None)
    ax.tick_params(axis="y", pad=9.0)  # an arrow at the end of the axis keeps clear of the labels
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    column = schema.column(metric, frame=Sweep.of(trials).trials)
    unit = f"{column.unit}; " if column.unit else ""
    ax.set_xlabel(f"{column.meaning}\n{unit}{column.direction} is better")
    many = plural(int(visible_rows["seeds"].max()), "seed")
    ax.set_title(f"The best configurations on the same {many}{problem}")
    caption(ax, _notes(rows, visible_rows, cut=cut), below=60.0)


def _limits(ax: Axes, rows: pd.DataFrame, values: pd.Series) -> bool:
    """End the axis near the means of most rows if a few collapsed ones would compress them.

    True if so; an arrow stands at the end of the axis for each row with a mean beyond it.
    """
    best, span = float(rows["mean"].max()), float(np.ptp(rows["mean"]))
    near = rows["mean"].ge(best - _COLLAPSE * abs(best))
    if near.all() or near.sum() < 2 or rows["mean"].gt(best).any():
        return False
    ends = rows.loc[near, ["mean", "low", "high"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    if high - low > 0.5 * span:
        return False
    room = 0.08 * (high - low)
    ax.set_xlim(low - room, max(high, float(values.max())) + room)
    for place, beyond in enumerate(rows["mean"].lt(low - room)):
        if beyond:
            edge = ax.get_yaxis_transform()
            ax.plot(0.0, place, "<", color=INK, markersize=7.0, transform=edge, clip_on=False)
    return True


def _dots(trials: Trials, visible_rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row per seed and ``visible_rows`` row: ``seed``, ``place`` from the top, ``value``."""
    sweep = Sweep.of(trials, needed=[metric], purpose="seeds_compared")
    frame, names = sweep.tickets, sweep.names
    keys = [f"config/{name}" for name in names]
    completed = frame[frame["status"] == "completed"]
    dots = completed[keys].assign(seed=completed["config/seed"], value=completed[metric])
    # An axis that has no value anywhere in ``shown`` has lost its kind there.
    places = visible_rows[names].set_axis(keys, axis=1).astype(dots[keys].dtypes.to_dict())
    places = places.assign(place=range(len(visible_rows)))
    return dots.merge(places, on=keys).sort_values(["seed", "place"])


def _folded(name: str) -> str:
    """``name`` on two lines if it is too long, broken after a comma."""
    if len(name) <= _LONGEST:
        return name
    commas = [i + 1 for i, letter in enumerate(name) if letter == ","]
    at = min(commas, key=lambda i: abs(i - len(name) / 2), default=len(name))
    return f"{name[:at]}\n{name[at:].lstrip()}".rstrip()


def _verdict(row: pd.Series, decisive: bool) -> str:
    mean, low, high = (number(row[f"difference{e}"], digits=3) for e in ("", "_low", "_high"))
    verdict = "not judged" if pd.isna(row["verdict"]) else row["verdict"]
    between = "" if pd.isna(row["difference_low"]) else f" ({low} to {high})"
    return f"{mean}{between}" + (f"\n{verdict}" if decisive else "")


def _notes(rows: pd.DataFrame, visible_rows: pd.DataFrame, *, cut: bool) -> list[str]:
    complete, seeds = rows[rows["left_out"].isna()], int(visible_rows["seeds"].max())
    comparisons = int(complete["comparisons"].max())
    test = f"Student's test at 5 %, Holm over {plural(comparisons, 'pair')}"
    notes = [
        "Dots: one seed each, joined by thin lines. Diamond: mean; "
        f"{bars(seeds, visible_rows['low'])}.{' Arrow: beyond the axis.' if cut else ''}",
        "Right: difference to the best by validation on the same seeds"
        + (", and its 95 % interval." if complete["difference_low"].notna().any() else "."),
        f"Verdict: {test}."
        if seeds >= MIN_SEEDS
        else f"No verdicts: {plural(seeds, 'seed')}; {MIN_SEEDS} are the fewest.",
    ]
    hidden, left_out = len(complete) - len(visible_rows), len(rows) - len(complete)
    if hidden or left_out:
        parts = [f"{hidden} with a worse mean"] if hidden else []
        parts += [f"{left_out} that did not complete at every seed"] if left_out else []
        notes.append(f"Not shown: {' and '.join(parts)}.")
    return notes
