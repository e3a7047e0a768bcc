"""CVaR against the budget of epochs, a panel per pair of learning rates."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from analysis.attacks import CLEAN
from analysis.contrast import bars
from analysis.figures.palette import INK
from analysis.figures.problem import problem_of
from analysis.figures.rendering import Plan
from analysis.figures.style import NothingToDraw, framed, legend_beside
from analysis.figures.tickets.panels import kind_look, kind_name
from analysis.tickets.boosting import BUDGET, races, rates
from analysis.wording import parameter, percent, plural

_MOST_PANELS = 6
_WIDE = 38  # characters of a heading above a panel
_DODGE = 0.012  # of the axis, so that intervals do not overlap

Field = Mapping[str, pd.DataFrame]


def budget_plans(curves: pd.DataFrame) -> list[Plan]:
    """Plan of the figure: name, size in inches and drawing; empty if budgets were not swept.

    Args:
        curves: the frame from :func:`analysis.budget_curves`, of one problem.
    """
    if curves.empty:
        return []
    rows, columns = _grid(len(list(races(curves))))
    size = (3.4 + 3.8 * columns, 2.4 + 2.8 * rows)
    return [("budget_curves", size, lambda figure: budget_curves(curves, figure))]


def budget_curves(curves: pd.DataFrame, figure: Figure) -> None:
    """A panel per race, at most 6: a line per kind, and the whole dense training dashed.

    The budget is a share of the epochs of the dense network, or in epochs if these are unknown.
    Bars are Student intervals over seeds.

    Args:
        curves: the frame from :func:`analysis.budget_curves`, of one problem.
    Raises:
        NothingToDraw: no trial has completed, or rows of several problems.
    """
    problem = problem_of(curves)
    contests = list(races(curves))
    if not contests:
        raise NothingToDraw("no trial of any budget has completed")
    visible_contests, unit = (
        contests[:_MOST_PANELS],
        "share" if curves["share"].notna().all() else BUDGET,
    )
    grid = figure.subplots(*_grid(len(visible_contests)), squeeze=False, sharex=True, sharey=True)
    panels = list(grid.flat)
    for ax in panels[len(visible_contests) :]:
        ax.remove()
    for ax, (values, field) in zip(panels, visible_contests, strict=False):
        _panel(ax, field, unit)
        ax.set_title(_heading(values), fontsize=10.0)
    _ticks(panels[0], curves, unit)
    for i, ax in enumerate(panels[: len(visible_contests)]):
        # Also if the panel below has been removed.
        ax.tick_params(labelbottom=i + grid.shape[1] >= len(visible_contests))
    under = "share of the dense network's epochs" if unit == "share" else "epochs"
    for ax in panels[max(0, len(visible_contests) - grid.shape[1]) : len(visible_contests)]:
        ax.set_xlabel(under)
    figure.supylabel("test CVaR 5 % (currency per option, S0 = 100)", fontsize=10.5)
    _key(panels[min(grid.shape[1], len(visible_contests)) - 1], panels[: len(visible_contests)])
    framed(
        figure,
        f"How few epochs are enough: CVaR 5 % on growing budgets{problem}",
        _notes(curves, contests),
    )


def _panel(ax: Axes, field: Field, unit: str) -> None:
    wide = max(float(curve[unit].max()) for curve in field.values())
    for i, (kind, curve) in enumerate(field.items()):
        x = curve[unit].astype("float64") + (i - (len(field) - 1) / 2) * _DODGE * wide
        color, marker = kind_look(kind)
        look: Any = {"color": color, "marker": marker}
        ax.plot(x, curve[CLEAN], label=kind_name(kind), linewidth=1.8, markersize=5.5, **look)
        ends = curve[[f"{CLEAN}_low", f"{CLEAN}_high"]].sub(curve[CLEAN], axis=0).abs()
        if ends.notna().any(axis=None):
            ax.errorbar(
                x, curve[CLEAN], yerr=ends.T, fmt="none", ecolor=color, elinewidth=1.2, zorder=1
            )
    dense = next(iter(field.values()))[f"dense_{CLEAN}"].iloc[-1]
    ax.axhline(dense, color=INK, linestyle="--", linewidth=1.2, label="dense network", zorder=1)
    ax.grid(True, axis="y")


def _heading(values: Mapping[str, Any]) -> str:
    """Values of a race by the names of their parameters, on lines as wide as a panel."""
    return textwrap.fill(rates(values, spoken=parameter), _WIDE)


def _ticks(ax: Axes, curves: pd.DataFrame, unit: str) -> None:
    ax.xaxis.set_major_locator(FixedLocator(sorted(curves[unit].astype("float64").unique())))
    if unit == "share":
        ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(round(share, 3))))
    else:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda epochs, _: f"{epochs:g}"))


def _key(anchor: Axes, axes: Sequence[Axes]) -> None:
    """One legend for all panels."""
    entries: dict[str, Artist] = {}
    for ax in axes:
        entries |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    legend_beside(anchor, list(entries.values()))


def _notes(curves: pd.DataFrame, contests: Sequence[object]) -> list[str]:
    seeds, epochs = int(curves["seeds"].max()), curves["dense_epochs"].max()
    length = "" if pd.isna(epochs) else f", {plural(int(epochs), 'epoch')}"
    notes = [
        f"Larger is better. Means over {plural(seeds, 'seed')}; "
        f"{bars(seeds, curves['cvar_05_low'])}.",
        f"Dashed: the dense network the mask was found on, after its whole training{length}.",
    ]
    if (hidden := len(contests) - _MOST_PANELS) > 0:
        notes.append(f"Not drawn: {plural(hidden, 'more combination')}; see budget_curves.csv.")
    return notes


def _grid(panels: int) -> tuple[int, int]:
    """Rows and columns: side by side up to 3, else in two rows."""
    columns = min(panels, 3) if panels < 4 else -(-min(panels, _MOST_PANELS) // 2)
    return (1 if panels < 4 else 2), max(columns, 1)
