"""Feature importance of networks, its correlations, and its shift under robust training."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.contrast import no_interval
from analysis.figures import style
from analysis.figures.palette import BLUE, FAINT, INK, MUTED, VERMILION
from analysis.figures.style import NothingToDraw, framed, number, rows_downwards
from analysis.figures.tickets.panels import colors, stacked
from analysis.tickets.importance import LEAST, MAIN, MEASURES, correlation, correlations, spoken
from analysis.tickets.networks import STANDARD
from analysis.wording import seed_range

_ABSENT = "no interpretation in the models of this sweep; run it again with this version"
_PALE = 0.35
_BOX: Any = {"boxstyle": "round,pad=0.2", "facecolor": "white", "linewidth": 0.0, "alpha": 0.85}
_LABEL_GAP = 0.06


def importance_bars(means: pd.DataFrame, figure: Figure) -> None:
    """A panel per measure: a bar per feature and kind, the mean over seeds with its 95 % interval.

    Args:
        means: the frame from :func:`analysis.tickets.importance.means`.
    Raises:
        NothingToDraw: the models have no interpretation, or there are too many kinds.
    """
    measures = _measures(means)
    kinds, features = (list(dict.fromkeys(means[n])) for n in ("model", "feature"))
    shades = colors(kinds)
    axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    high = 0.8 / len(kinds)
    for ax, measure in zip(axes, measures, strict=True):
        for i, kind in enumerate(kinds):
            rows = means[means["measure"].eq(measure) & means["model"].eq(kind)]
            rows = rows.set_index("feature").reindex(features)
            places = np.arange(len(features)) + (i - (len(kinds) - 1) / 2) * high
            ax.barh(places, rows["mean"], height=0.92 * high, color=shades[kind], label=kind)
            ax.hlines(places, rows["low"], rows["high"], color=INK, linewidth=1.0, zorder=3)
        ax.axvline(0.0, color=MUTED, linewidth=0.8)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.set_title(stacked(MEASURES[measure].name), fontsize=9.5)
        ax.set_xlabel(MEASURES[measure].unit)
        rows_downwards(ax, [spoken(f) for f in features])
    style.legend_above(figure, axes[0])
    framed(figure, "What the networks lean on", _bar_notes(means))


def importance_correlation(values: pd.DataFrame, means: pd.DataFrame, figure: Figure) -> None:
    """Left: r of the importances of every two networks. Right: standard against robust tickets.

    Networks are ordered by kind. Every block shows the mean r of networks of one seed and that of
    two seeds; blocks within a kind have only the latter. On the right are means over seeds with
    95 % intervals, for the largest epsilon.

    Args:
        values: the frame from :func:`analysis.tickets.importance.importances`.
        means: the frame from :func:`analysis.tickets.importance.means`.
    Raises:
        NothingToDraw: fewer than two models have an interpretation.
    """
    _measures(means)
    networks, matrix = correlations(values)
    if len(networks) < 2:
        raise NothingToDraw("one network alone has nothing to correlate with")
    main = means[means["measure"].eq(MAIN)]
    robust = [kind for kind in dict.fromkeys(main["model"]) if kind.startswith("robust")]
    both = bool(robust) and STANDARD in set(main["model"])
    matrix_ax, *other_axes = figure.subplots(1, 1 + both, squeeze=False)[0]
    signed = bool((matrix < 0.0).any())
    colours, least = ("RdBu_r", -1.0) if signed else ("Blues", 0.0)
    image = matrix_ax.imshow(matrix, cmap=colours, vmin=least, vmax=1.0)
    seeds = networks["seed"].to_numpy()
    one_seed = seeds[:, None] == seeds
    blocks = {
        kind: np.flatnonzero(networks["model"].eq(kind))
        for kind in dict.fromkeys(networks["model"])
    }
    for kind, rows in blocks.items():
        for other, columns in blocks.items():
            part, same = matrix[np.ix_(rows, columns)], one_seed[np.ix_(rows, columns)]
            pairs = [part[same], part[~same]] if kind != other else [part[~same]]
            averages = [number(float(np.nanmean(p))) for p in pairs if np.isfinite(p).any()]
            if averages:
                look: Any = {"fontsize": 8.0, "bbox": _BOX}
                style.centred(matrix_ax, " | ".join(averages), columns.mean(), rows.mean(), **look)
    edges = [rows[0] - 0.5 for rows in list(blocks.values())[1:]]
    for edge in edges:
        matrix_ax.axhline(edge, color="white", linewidth=2.0)
        matrix_ax.axvline(edge, color="white", linewidth=2.0)
    centres = [rows.mean() for rows in blocks.values()]
    matrix_ax.set_xticks(centres, [stacked(kind) for kind in blocks])
    matrix_ax.set_yticks(centres, [stacked(kind) for kind in blocks])
    matrix_ax.tick_params(length=0)
    matrix_ax.spines[:].set_visible(False)
    matrix_ax.set_title("every network with every other", fontsize=9.5)
    bar = figure.colorbar(image, ax=matrix_ax, shrink=0.8, label="correlation over features")
    bar.outline.set_visible(False)
    notes = [
        f"{'Left: a' if other_axes else 'A'} cell is a pair of networks, seeds in order within a "
        "kind; numbers are means over pairs of one seed | of two."
    ]
    reason = f" ({no_interval(int(main['seeds'].max()))})"
    between = " with 95 % intervals" if main["low"].notna().any() else reason
    for right in other_axes:
        _scatter(main, robust[-1], right)
        notes.append(
            f"Right: means over seeds{between}; on the dashed line nothing shifts. r is "
            f"of {main['feature'].nunique()} features only; its 95 % interval is Fisher's."
        )
    framed(figure, f"Are networks alike in what they lean on? ({MEASURES[MAIN].name})", notes)


def importance_shift(shifts: pd.DataFrame, figure: Figure) -> None:
    """A panel per measure: importance in robust less that in standard tickets, largest first.

    Means of paired differences over seeds with 95 % intervals; pale unless the shift is shown
    after Holm's correction for the page.

    Args:
        shifts: the frame from :func:`analysis.tickets.importance.shifts`; the largest epsilon
            is drawn.
    Raises:
        NothingToDraw: no standard and robust tickets have an interpretation and a common seed.
    """
    if shifts.empty:
        raise NothingToDraw(
            "it takes standard and robust tickets of one seed, with an interpretation in both"
        )
    kind = shifts["model"].iloc[-1]
    kind_shifts = shifts[shifts["model"].eq(kind)]
    measures = _measures(kind_shifts)
    for ax, measure in zip(chain(*style.grid(figure, len(measures), 2)), measures, strict=True):
        _shift_panel(kind_shifts[kind_shifts["measure"].eq(measure)], ax)
        ax.set_title(MEASURES[measure].name, fontsize=9.5)
        ax.set_xlabel(f"difference ({MEASURES[measure].unit})")
    seeds = int(kind_shifts["seeds"].max())
    gaps = int(kind_shifts["lacking"].max())
    notes = [f"Everything is pale: {no_interval(seeds, gaps=gaps)}."]
    if kind_shifts["low"].notna().any():
        none = "" if kind_shifts["shifted"].any() else "; none is"
        notes = [
            f"Dot: mean paired difference over {seeds} seeds; bar: its 95 % Student interval.",
            "Bright, with a bold name: shown by the paired t-test at 5 %, corrected by Holm for "
            f"all shifts of the page{none}.",
        ]
    framed(figure, f"What training under attack shifts: {kind} less standard", notes)


def _shift_panel(rows: pd.DataFrame, ax: Axes) -> None:
    rows = rows.sort_values("difference", ascending=False)
    for place, (_, row) in enumerate(rows.iterrows()):
        color = VERMILION if row["difference"] > 0.0 else BLUE
        alpha = 1.0 if row["shifted"] else _PALE
        ax.hlines(place, row["low"], row["high"], color=color, alpha=alpha, linewidth=2.0)
        ax.plot(row["difference"], place, "o", color=color, alpha=alpha, markersize=6.0)
    ax.axvline(0.0, color=INK, linestyle="--", linewidth=1.0, zorder=0)
    rows_downwards(ax, [spoken(f) for f in rows["feature"]])
    for label, shifted in zip(ax.get_yticklabels(), rows["shifted"], strict=True):
        label.set_fontweight("bold" if shifted else "normal")
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(5))


def _scatter(means: pd.DataFrame, kind: str, ax: Axes) -> None:
    x, y = (means[means["model"].eq(k)].set_index("feature") for k in (STANDARD, kind))
    y = y.reindex(x.index)
    bottom = float(np.nanmin([*x["low"], *y["low"], *x["mean"], *y["mean"]]))
    top = float(np.nanmax([*x["high"], *y["high"], *x["mean"], *y["mean"]]))
    room = 0.05 * (top - bottom) or 0.05  # means that are all the same have no range
    bottom, top = bottom - room, top + room
    ax.set(xlim=(bottom, top), ylim=(bottom, top), aspect="equal")
    ax.plot([bottom, top], [bottom, top], color=MUTED, linestyle="--", linewidth=1.0, zorder=1)
    ax.hlines(y["mean"], x["low"], x["high"], color=FAINT, linewidth=2.0, zorder=2)
    ax.vlines(x["mean"], y["low"], y["high"], color=FAINT, linewidth=2.0, zorder=2)
    ax.plot(x["mean"], y["mean"], "o", color=VERMILION, mec="white", markersize=7.0, zorder=3)
    heights = style.spread(((y["mean"] - bottom) / (top - bottom)).tolist(), gap=_LABEL_GAP)
    for feature, height in zip(x.index, heights, strict=True):
        look: Any = {"textcoords": "axes fraction", "va": "center", "fontsize": 8.0}
        look["arrowprops"] = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.4, "shrinkB": 4.0}
        at = x["mean"][feature], y["mean"][feature]
        ax.annotate(spoken(str(feature)), at, (1.03, height), annotation_clip=False, **look)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.set_xlabel(f"{STANDARD} ({MEASURES[MAIN].unit})")
    ax.set_ylabel(f"{kind} ({MEASURES[MAIN].unit})")
    r, ends = correlation(x["mean"], y["mean"])
    between = (
        f" ({number(ends.low)} to {number(ends.high)})" if len(x) >= LEAST and ends.low < 1 else ""
    )
    ax.set_title(f"r = {number(r)}{between}, n = {len(x)} features", fontsize=9.5)


def _measures(frame: pd.DataFrame) -> Sequence[str]:
    """Measures that ``frame`` contains, in their order."""
    names = [measure for measure in MEASURES if frame["measure"].eq(measure).any()]
    if not names:
        raise NothingToDraw(_ABSENT)
    return names


def _bar_notes(means: pd.DataFrame) -> list[str]:
    seeds = int(means["seeds"].max())
    lines = (
        "black lines: 95 % Student intervals" if means["low"].notna().any() else no_interval(seeds)
    )
    notes = [f"Bars: mean over {seed_range(means['seeds'])}; {lines}."]
    if means["measure"].eq("importance_permutation").any():
        notes.append(
            "Permutation: the network reads the feature of another path at all dates; of the time "
            "to maturity, which all paths share, a clock that is put forward."
        )
    return notes
