"""CVaR of tickets and their controls against the remaining weights."""

import math
import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.configurations import LOTTERY
from analysis.contrast import BETTER, WORSE, bars, no_interval
from analysis.figures.palette import MUTED
from analysis.figures.problem import problem_of
from analysis.figures.style import NothingToDraw, framed, legend_beside
from analysis.figures.tickets.panels import kind_look, kind_name
from analysis.metric_names import cvar_name
from analysis.tickets.controls import RETRAINED, rank
from analysis.wording import percent, seed_range

_WIDE = 16  # characters of a name below its point
_MOST_PANELS = 3
_GAP = 0.022  # of the width, between kinds of one sparsity
_ROOM = 0.6  # of the height of the means, for bars beyond them
_COLLAPSE = 0.3  # below the best mean, as a share of it
_LEAST_ROOM = 0.05  # of the best mean


def size_of_controls(table: pd.DataFrame) -> tuple[float, float]:
    """Width and height of the figure in inches."""
    panels = min(_MOST_PANELS, table["epsilon"].nunique(dropna=False))
    return 4.4 + 5.0 * panels, 5.4


def controls_beside_ticket(table: pd.DataFrame, figure: Figure) -> None:
    """Clean CVaR against the weights that remain: a line per kind, the dense network dashed.

    A panel per training epsilon, at most 3. For a single sparsity the kinds are side by side. Bars
    are Student intervals of the means; a control is hollow unless the verdict is that the ticket
    is better or worse.

    Args:
        table: the frame from :func:`analysis.controls`, of one problem.
    Raises:
        NothingToDraw: no control has completed, or rows of several problems.
    """
    if table.empty:
        raise NothingToDraw("no control of the lottery has completed")
    problem = problem_of(table)
    metric = str(table["metric"].iloc[0])
    rows = table[table["metric"].eq(metric) & table["mean"].notna()]
    panels = list(rows.groupby("epsilon", dropna=False, sort=True))
    visible_panels = panels[:_MOST_PANELS]
    kinds = sorted(rows["kind"].unique(), key=rank)
    legend = kinds if rows["sparsity"].nunique() > 1 else [k for k in kinds if k == RETRAINED]
    columns = figure.subplots(1, len(visible_panels), squeeze=False, sharey=True)[0]
    columns[0].set_ylim(*_heights(rows))
    for ax, (epsilon, panel_rows) in zip(columns, visible_panels, strict=True):
        _panel(ax, panel_rows, kinds)
        if len(panels) > 1:
            ax.set_title(f"trained at ε = {epsilon:g}", fontsize=10.0)
    columns[0].set_ylabel(f"test {cvar_name(metric)} (currency per option, S0 = 100)")
    legend_beside(columns[-1], [_key(kind) for kind in legend])
    notes = _notes(rows, len(panels))
    low, high = columns[0].get_ylim()
    if rows[["mean", "low"]].lt(low).any(axis=None) or rows["high"].gt(high).any():
        notes.append("Arrows: bars or means beyond the axis.")
    framed(figure, f"The ticket beside its controls{problem}", notes)


def _heights(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of the vertical axis: means near the best one, with the bars near them.

    Collapsed networks would otherwise compress all others into a line.
    """
    best = float(rows["mean"].max())
    low = float(rows.loc[rows["mean"].ge(best - _COLLAPSE * abs(best)), "mean"].min())
    room = max(_ROOM * (best - low), _LEAST_ROOM * abs(best))
    bottom = max(low - room, float(rows[["mean", "low"]].min().min()))
    top = min(best + room, float(rows[["mean", "high"]].max().max()))
    margin = max(0.06 * (top - bottom), 0.001 * abs(best))
    return bottom - margin, top + margin


def _panel(ax: Axes, rows: pd.DataFrame, kinds: Sequence[str]) -> None:
    sparsities = sorted(rows["sparsity"].unique())
    tickets = [kind for kind in kinds if kind != RETRAINED]
    for _, row in rows[rows["kind"].eq(RETRAINED)].head(1).iterrows():
        ax.axhline(row["mean"], color=MUTED, linestyle="--", linewidth=1.3, zorder=2)
        if math.isfinite(row["low"]):
            ax.axhspan(row["low"], row["high"], color=MUTED, alpha=0.14, linewidth=0.0, zorder=1)
    single = len(sparsities) == 1
    places = {s: 0.0 if single else -math.log10(1.0 - s) for s in sparsities}
    gap = 1.0 if single else _GAP * (max(places.values()) - min(places.values()))
    for i, kind in enumerate(tickets):
        kind_rows = rows[rows["kind"].eq(kind)].sort_values("sparsity")
        shift = gap * (i - (len(tickets) - 1) / 2)
        _line(ax, kind_rows, [places[s] + shift for s in kind_rows["sparsity"]])
    if single:
        middle = (len(tickets) - 1) / 2
        names = [textwrap.fill(kind_name(kind), _WIDE) for kind in tickets]
        ax.set_xticks([i - middle for i in range(len(tickets))], names)
        ax.set_xlim(-middle - 0.6, middle + 0.6)
        ax.set_xlabel(f"sparsity {percent(sparsities[0])}")
    else:
        ax.set_xticks(list(places.values()), [f"{100.0 * (1.0 - s):.4g}" for s in sparsities])
        ax.set_xlabel("remaining weights (% of prunable weights, log scale)")
        ax.margins(x=0.07)
    ax.grid(True, axis="y")


def _line(ax: Axes, kind_rows: pd.DataFrame, at: Sequence[float]) -> None:
    kind = str(kind_rows["kind"].iloc[0])
    (color, marker), first = kind_look(kind), kind == LOTTERY
    order = 4 if first else 3
    ax.plot(at, kind_rows["mean"], color=color, linewidth=2.4 if first else 1.4, zorder=order)
    bottom, top = ax.get_ylim()
    differs = kind_rows["verdict"].isin((BETTER, WORSE)).fillna(False).tolist()
    for x, decided, (_, row) in zip(at, differs, kind_rows.iterrows(), strict=True):
        low, high = row[["mean", "low"]].min(), row[["mean", "high"]].max()
        ax.plot([x, x], [low, high], color=color, linewidth=1.2, zorder=order)
        for end, head, beyond in ((bottom, "v", low < bottom), (top, "^", high > top)):
            if beyond:
                ax.plot(x, end, head, color=color, markersize=6.0, clip_on=False)
        ax.plot(
            x,
            row["mean"],
            marker,
            color=color,
            markersize=8.0 if first else 6.5,
            markerfacecolor=color if first or decided else "white",
            zorder=order + 3,
        )


def _key(kind: str) -> Line2D:
    (color, marker), name = kind_look(kind), kind_name(kind)
    if kind == RETRAINED:
        return Line2D([], [], color=color, linestyle="--", linewidth=1.3, label=name)
    width = 2.4 if kind == LOTTERY else 1.4
    return Line2D([], [], color=color, marker=marker, linewidth=width, markersize=6.5, label=name)


def _notes(rows: pd.DataFrame, panels: int) -> list[str]:
    most, many = int(rows["seeds"].max()), seed_range(rows["seeds"])
    luck = ", which include the luck of the seeds" if rows["low"].notna().any() else ""
    notes = [f"Means over {many}; {bars(most, rows['low'])}{luck}. Larger is better."]
    intervals = rows["difference_low"].notna().any()
    notes.append(
        "Hollow: not shown to differ from the ticket on the same seeds (5 %, Holm)."
        if intervals
        else f"Hollow: no verdict; {no_interval(most)}."
    )
    if RETRAINED in set(rows["kind"]):
        notes.append("Dashed, with its interval: the dense network retrained on the same budget.")
    if panels > _MOST_PANELS:
        notes.append(f"{panels} values of ε, drawn for {_MOST_PANELS}.")
    return notes
