"""Centroids among the insured: number of nearest rows, and positions."""

from itertools import combinations
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.figures.palette import BLUE, INK, MUTED, SKY
from analysis.figures.style import NothingToDraw, caption, framed, label
from analysis.figures.xnn.model_files import Array, Tensors
from analysis.figures.xnn.responses import CLASSES, classes
from analysis.wording import percent

_SAMPLE = {
    "sample_projection": "rows 3",
    "sample_class": "rows",
    "points_projection": "centroids 3",
}

_MOST_COUNTED = 12
_MOST_NAMED = 30
_NEAR = 0.04  # of the axes: labels of nearer centroids would overlap


def nearest(train: Array, test: Array, ax: Axes, *, subject: str) -> None:
    """Bars of the share of rows nearest to each centroid: training rows next to test rows.

    Args:
        train: number of training rows nearest to each centroid.
        test: number of test rows.
        subject: the clustering in words.
    Raises:
        NothingToDraw: the two have different centroids, or one has no rows.
    """
    if len(train) != len(test):
        raise NothingToDraw(
            f"training rows have {len(train)} centroids and test rows have {len(test)}"
        )
    if not train.sum() or not test.sum():
        raise NothingToDraw("no rows")
    places = np.arange(1, len(train) + 1)
    for shift, name, rows, color in ((-0.2, "training", train, SKY), (0.2, "test", test, BLUE)):
        look: Any = {"color": color, "label": f"{int(rows.sum()):,} {name} rows"}
        ax.bar(places + shift, rows / rows.sum(), width=0.38, zorder=2, **look)
        if len(places) <= _MOST_COUNTED:
            upright = len(places) > 6 and max(train.max(), test.max()) >= 1000
            for place, n in zip(places, rows, strict=True):
                _counted(ax, float(place) + shift, float(n / rows.sum()), int(n), upright=upright)
    ax.set_xlim(0.3 if len(places) > 1 else -0.5, len(places) + (0.7 if len(places) > 1 else 1.5))
    step = -(-len(places) // 15)
    ax.set_xticks(places[::step])
    ax.tick_params(axis="x", length=0)
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
    ax.margins(y=0.14)
    ax.grid(True, axis="y")
    ax.set_xlabel("centroid")
    ax.set_ylabel("share of rows")
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=9.0)
    ax.set_title("Rows nearest to each centroid", pad=26.0)
    notes = [f"Nearest by Mahalanobis distance. Centroids: {subject}."]
    if len(places) <= _MOST_COUNTED:
        notes.insert(0, "Numbers above the bars: rows.")
    caption(ax, notes)


def sample(view: int) -> dict[str, str]:
    """Shapes of the tensors that :func:`components` needs for ``view``, from 1."""
    return {_prefix(view) + name: shape for name, shape in _SAMPLE.items()}


def components(clusters: Tensors, figure: Figure, *, subject: str, view: int = 1) -> None:
    """A sample of training rows and all centroids, a panel per pair of three principal axes.

    View 1 has axes 1 to 3, view 2 axes 4 to 6, view 3 axes 7 to 9, each with rows of its own.

    Colours are the response, from dark (1) to light (8), sequential because it is ordinal.

    Args:
        clusters: tensors of a preparation.
        subject: the clustering in words.
        view: number of the view.
    Raises:
        NothingToDraw: a row has an invalid class.
    """
    rows, classified, points = (clusters[name] for name in sample(view))
    rank, first = classes(classified), 3 * view - 2
    shades = colormaps["viridis"](np.linspace(0.0, 0.9, CLASSES))
    for ax, (x, y) in zip(figure.subplots(1, 3), combinations(range(3), 2), strict=True):
        look: Any = {"s": 7.0, "alpha": 0.55, "linewidths": 0.0}
        # As pixels in vector files, which otherwise have 6,000 elements: a megabyte of the page.
        ax.scatter(rows[:, x], rows[:, y], c=shades[rank], rasterized=True, **look)
        ax.set_xlabel(f"principal axis {first + x} (sd)")
        ax.set_ylabel(f"principal axis {first + y} (sd)")
        _limits(ax, np.concatenate([rows, points])[:, [x, y]])
        _centroids(ax, points[:, [x, y]])
    handles = [
        Line2D([], [], marker="o", linestyle="", color=shade, markersize=6) for shade in shades
    ]
    mark = Line2D([], [], marker="o", linestyle="", color="white", mec=INK, markersize=9)
    figure.legend(
        [*handles, mark],
        [*map(str, range(1, CLASSES + 1)), "centroid"],
        loc="outside right center",
        title="Response",
        borderaxespad=1.2,
        alignment="left",
    )
    framed(
        figure,
        f"The insured and the centroids on principal axes {first} to {first + 2}",
        [
            f"{len(rows):,} training rows, drawn at random. Centroids: {subject}.",
            "Distances are taken in all axes; two show only a part of them.",
        ],
    )


def _limits(ax: Axes, everything: Array) -> None:
    """Axes around ``everything``, with few ticks."""
    axes: Any = ((ax.xaxis, ax.set_xlim), (ax.yaxis, ax.set_ylim))
    for i, (axis, bound) in enumerate(axes):
        low, high = float(everything[:, i].min()), float(everything[:, i].max())
        room = 0.05 * (high - low) or 1.0
        bound(low - room, high + room)
        axis.set_major_locator(MaxNLocator(5))
    ax.grid(True)


def _centroids(ax: Axes, points: Array) -> None:
    """A circle per centroid, and its number beside it; one label for those that coincide."""
    ax.plot(*points.T, "o", mfc="white", mec=INK, mew=1.5, markersize=8.0, zorder=4)
    if len(points) > _MOST_NAMED:
        return
    widths = np.array([np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())])
    groups: list[list[int]] = []
    for k, point in enumerate(points):
        near = (np.abs(points[[g[0] for g in groups]] - point) / widths < _NEAR).all(axis=1)
        if near.any():
            groups[int(np.flatnonzero(near)[0])].append(k)
        else:
            groups.append([k])
    halo = [withStroke(linewidth=2.5, foreground="white")]
    look: Any = {"fontsize": 9.0, "weight": "bold", "path_effects": halo, "zorder": 5}
    for group in groups:
        text = ", ".join(str(k + 1) for k in group)
        x, y = points[group[0]]
        label(ax, text, (float(x), float(y)), (6, 5), **look)


def _prefix(view: int) -> str:
    return "" if view == 1 else f"view_{view}."


def _counted(ax: Axes, x: float, y: float, n: int, *, upright: bool) -> None:
    look: Any = {"fontsize": 7.0, "rotation": 90.0 if upright else 0.0, "color": MUTED}
    label(ax, f"{n:,}", (x, y), (0, 2), ha="center", va="bottom", **look)
