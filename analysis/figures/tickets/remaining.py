"""A metric against the share of weights that remain: axis, lines by budget, and an inset."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from analysis.figures.palette import GREEN, INK, LINES, MARKERS, MUTED
from analysis.figures.style import label_beside, number, spread
from analysis.statistics import Estimate

# Two lines of text, as a share of the axes' height.
_LABEL_GAP = 0.115
_TICKS = (100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1)
_DODGE = 0.03  # of the remaining weights, between budgets
_COLLAPSE = 4.0  # tolerances below the dense network
_PLACE = (0.10, 0.10, 0.62, 0.56)  # of the inset: the lines fall to the right
_NARROW = 0.3  # of the height of the axes: a part as high needs no inset


def by_budget(points: pd.DataFrame) -> list[tuple[float | None, pd.DataFrame]]:
    """Rows of every epsilon by descending remaining weights; None for a missing axis."""
    # None, not NaN, because a key must equal itself.
    ordered = points.sort_values("remaining", ascending=False)
    return [
        (None if pd.isna(e) else float(str(e)), line)
        for e, line in ordered.groupby("epsilon", dropna=False, sort=True)
    ]


def panel(
    ax: Axes,
    points: pd.DataFrame,
    metric: str,
    *,
    reach: pd.Series,
    labels: Mapping[float | None, str],
    dense: Estimate,
    band: tuple[float, float],
    margin: float = 0.0,
    rings: Mapping[float | None, float] | None = None,
    hedge: tuple[str, float] | None = None,
    small: bool = False,
) -> None:
    """Draw ``metric`` against the remaining weights, a line per epsilon, and the dense network.

    Args:
        reach: half of the interval of every point; 0 without one.
        labels: text beside the end of every line, by epsilon.
        band: ends of the interval of the dense network.
        margin: loss against the dense network that is tolerated; shaded.
        rings: sparsity of the ringed point, by epsilon.
        hedge: name and value of the best hedge without training.
        small: an inset, which keeps its limits and has no labels.
    """
    ends = []
    budgets = by_budget(points)
    for i, (epsilon, line) in enumerate(budgets):
        color = LINES[i]
        x = line["remaining"] * (1.0 + _DODGE * ((len(budgets) - 1) / 2 - i))
        y, half = line[metric], reach[line.index]
        look: Any = {"color": color, "marker": MARKERS[i], "linewidth": 0.9}
        ax.plot(x, y, markersize=5 if small else 6, zorder=4, **look)
        ax.errorbar(x, y, yerr=half, fmt="none", ecolor=color, elinewidth=1.3, zorder=5)
        if line["seeds"].max() > 1:
            low, high = line[f"{metric}_low"], line[f"{metric}_high"]
            ax.vlines(x, low, high, color=color, alpha=0.22, linewidth=7.0, zorder=2)
        if rings is not None:
            ringed = line["sparsity"].eq(rings[epsilon])
            ring: Any = {"linestyle": "none", "marker": "o", "markersize": 15, "mec": INK}
            ax.plot(x[ringed], y[ringed], mfc="none", mew=1.3, zorder=6, **ring)
        ends.append((float(y.iloc[-1]), labels[epsilon], color))
    if math.isfinite(dense.mean):
        if margin:
            floor = dense.mean - margin
            ax.axhspan(floor, dense.mean, color=GREEN, alpha=0.10, linewidth=0.0, zorder=0)
        ax.axhline(dense.mean, color=INK, linestyle="--", linewidth=1.3, zorder=3)
        if math.isfinite(band[0]) and band[1] > band[0]:
            ax.axhspan(*band, color=MUTED, alpha=0.18, linewidth=0.0, zorder=1)
        ends.append((dense.mean, f"dense network\n{number(dense.mean)}", INK))
    if hedge is not None:
        name, value = hedge
        ax.axhline(value, color=MUTED, linestyle=":", linewidth=1.5, zorder=3)
        ends.append((value, f"{name}\n{number(value)}", MUTED))
    ax.grid(True, axis="y")
    if small:
        return
    _x_axis(ax, float(points["remaining"].min()), 100.0)
    ax.set_xlabel("remaining weights (% of prunable weights, log scale)")
    ax.margins(y=0.10)
    _label_ends(ax, ends)


def inset(
    ax: Axes, points: pd.DataFrame, metric: str, *, margin: float, dense: Estimate
) -> Axes | None:
    """Empty axes within ``ax`` for the points near the dense network; None if all are."""
    if not (math.isfinite(dense.mean) and margin):
        return None
    near = points[metric].ge(dense.mean - _COLLAPSE * margin)
    if near.all() or not near.any():
        return None
    low, high = dense.mean - 1.25 * margin, dense.mean
    ends = [f"{metric}_low", f"{metric}_high"] if points["seeds"].max() > 1 else [metric]
    values = points.loc[near & points[metric].ge(low), ends].to_numpy(dtype=float)
    high = max(high, float(np.nanmax(values, initial=high))) + 0.15 * margin
    bottom, top = ax.get_ylim()
    if high - low > _NARROW * (top - bottom):
        return None
    magnified = ax.inset_axes(_PLACE)
    _x_axis(magnified, float(points.loc[near, "remaining"].min()), 100.0)
    magnified.set_ylim(low, high)
    magnified.yaxis.set_major_locator(MaxNLocator(4))
    magnified.tick_params(labelsize=8.0)
    for spine in magnified.spines.values():
        spine.set(visible=True, color=MUTED)
    magnified.set_zorder(7)
    _pointer(ax, magnified)
    return magnified


def _pointer(ax: Axes, magnified: Axes) -> None:
    """Frame of the part of ``ax`` that is ``magnified``, joined to the upper edge of the inset.

    Matplotlib's own connectors cross on this axis, which runs from many weights to few.
    """
    (most, least), (bottom, top) = magnified.get_xlim(), magnified.get_ylim()
    look: Any = {"alpha": 0.8, "linewidth": 0.8}
    ax.indicate_inset((most, bottom, least - most, top - bottom), edgecolor=MUTED, **look)
    look |= {"arrowstyle": "-", "color": MUTED, "shrinkA": 0.0, "shrinkB": 0.0}
    for x, corner in ((most, 0.0), (least, 1.0)):
        place: Any = {"xycoords": magnified.transAxes, "textcoords": "data", "zorder": 6}
        ax.annotate("", (corner, 1.0), (x, bottom), arrowprops=look, **place)


def _x_axis(ax: Axes, least: float, most: float) -> None:
    ax.set_xscale("log")
    ax.set_xlim(1.12 * most, min(least / 1.12, 0.88 * most))
    ticks = [t for t in _TICKS if t >= least / 1.12]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top)
    heights = spread([(y - bottom) / (top - bottom) for y, _, _ in ends], gap=_LABEL_GAP)
    for height, (_, text, color) in zip(heights, ends, strict=True):
        label_beside(
            ax, height, text, color, xycoords="axes fraction", fontsize=9.0, linespacing=1.2
        )
