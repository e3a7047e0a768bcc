"""Centroids among the insured: number of nearest rows, and positions."""

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
from analysis.wording import percent, plural

_SAMPLE = {
    "sample_projection": "rows 3",
    "sample_class": "rows",
    "points_projection": "centroids 3",
}

_MOST_COUNTED = 12
_MOST_NAMED = 30


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
    """3-D scatter plot of a sample of training rows and all centroids on three principal axes.

    View 1 has axes 1 to 3, view 2 axes 4 to 6, view 3 axes 7 to 9, each with rows of its own.

    Colours are the response, from dark (1) to light (8), sequential because it is ordinal.

    Args:
        clusters: tensors of a preparation.
        subject: the clustering in words.
        view: number of the view.
    Raises:
        NothingToDraw: a row has an invalid class.
    """
    rows, label, points = (clusters[name] for name in sample(view))
    rank, first = classes(label), 3 * view - 2
    ax: Any = figure.add_subplot(projection="3d", computed_zorder=False)
    shades = colormaps["viridis"](np.linspace(0.0, 0.9, CLASSES))
    ax.scatter(*rows.T, c=shades[rank], s=9.0, alpha=0.55, linewidths=0.0, depthshade=False)
    ax.scatter(*points.T, c="white", s=150.0, edgecolors=INK, linewidths=1.4, depthshade=False)
    if len(points) <= _MOST_NAMED:
        halo = [withStroke(linewidth=1.5, foreground="white")]
        look: Any = {"fontsize": 8.0, "weight": "bold", "path_effects": halo}
        for k, point in enumerate(points, start=1):
            ax.text(*point, str(k), ha="center", va="center", **look)
    _shape(ax, np.concatenate([rows, points]), first)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=shade, markersize=6) for shade in shades
    ]
    mark = Line2D([], [], marker="o", linestyle="", color="white", mec=INK, markersize=10)
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
            f"{plural(len(rows), 'training row')}, drawn at random. Centroids: {subject}.",
            "Distances are taken in all axes; three show only a part of them.",
        ],
    )


def _prefix(view: int) -> str:
    return "" if view == 1 else f"view_{view}."


def _shape(ax: Any, everything: Array, first: int) -> None:
    """Plain panes, few ticks, and axes limited to the bulk of ``everything``."""
    for i, axis in enumerate((ax.xaxis, ax.yaxis, ax.zaxis)):
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
        axis.set_major_locator(MaxNLocator(4))
        axis.set_label_text(f"axis {first + i} (sd)", color=MUTED)
        axis.set_tick_params(labelsize=8.0, pad=-1.0)
        low, high = everything[:, i].min(), everything[:, i].max()
        room = 0.03 * (high - low) or 1.0
        axis.set_view_interval(low - room, high + room, ignore=True)
    ax.view_init(elev=22.0, azim=-58.0)
    ax.set_box_aspect((1.25, 1.25, 1.0), zoom=1.12)


def _counted(ax: Axes, x: float, y: float, n: int, *, upright: bool) -> None:
    look: Any = {"fontsize": 7.0, "rotation": 90.0 if upright else 0.0, "color": MUTED}
    label(ax, f"{n:,}", (x, y), (0, 2), ha="center", va="bottom", **look)
