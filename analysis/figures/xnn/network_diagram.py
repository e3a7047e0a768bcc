"""Diagram of the network: nodes, weights, and the centroids that own the explained nodes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from analysis.figures.palette import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILION
from analysis.figures.style import NothingToDraw, caption, centred, label, number
from analysis.figures.xnn.model_files import Array, Tensors

OWNERS = {"explanation.rho": "nodes centroids", "explanation.r2": "nodes"}
"""Shapes of the tensors that colour the explained layer."""

SIZE = (10.5, 7.6)

_MOST = 16  # nodes shown of a layer that is not explained
_MOST_EXPLAINED = 32
_MOST_EDGES = 80  # between two layers; more are illegible
_COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, "#8C6D31")


def network(
    weights: Sequence[Array],
    explained: Tensors,
    ax: Axes,
    *,
    layer: int | None,
    inputs: Sequence[str],
    subject: str,
) -> None:
    """Layers from left to right; nodes of the explained layer in the colours of their centroids.

    A node is owned by the centroid whose distance it correlates with most, in absolute value; its
    area is its held-out R^2. A large layer shows the nodes with the largest outgoing weights, and
    between two layers the 80 largest weights are shown.

    Args:
        weights: matrices, [outputs, inputs].
        layer: the explained layer, counted from 0; None is the last hidden one.
        inputs: names of the inputs; others are numbered.
    Raises:
        NothingToDraw: the explained layer does not exist or has another width.
    """
    column = (len(weights) - 2 if layer is None else layer) + 1
    widths = [weights[0].shape[1], *(len(w) for w in weights)]
    rho, r2 = explained["explanation.rho"], explained["explanation.r2"]
    if not 0 < column < len(widths) or widths[column] != len(r2):
        raise NothingToDraw(f"{len(r2)} nodes are explained, but layers have {widths} nodes")
    owner = np.abs(rho).argmax(axis=1)
    columns = [_column(weights, i, width) for i, width in enumerate(widths)]
    subset = np.sort(np.argsort(-r2, kind="stable")[:_MOST_EXPLAINED])
    columns[column] = subset[np.lexsort((-r2[subset], owner[subset]))]
    heights = [np.linspace(1.0, 0.0, len(n)) if len(n) > 1 else np.array([0.5]) for n in columns]
    for i, w in enumerate(weights):
        _edges(ax, w[np.ix_(columns[i + 1], columns[i])], i, heights[i], heights[i + 1])
    for i, nodes in enumerate(columns):
        if i != column:
            ax.plot([i] * len(nodes), heights[i], "o", color=MUTED, ms=6.0, mec="white", zorder=4)
    colors = _colors(owner)
    _owned(ax, column, heights[column], owner[columns[column]], r2[columns[column]], colors)
    _headings(ax, widths, columns, column)
    dots = [len(nodes) < width for nodes, width in zip(columns, widths, strict=True)]
    _ends(ax, inputs, columns, heights, dots=dots)
    ax.set_xlim(-0.35, len(weights) + 0.12)
    ax.set_ylim(-0.07, 1.13)
    ax.set_axis_off()
    _legend(ax, owner, colors)
    ax.set_title("The network and the centroids that own its nodes", pad=14.0)
    notes = [
        "Lines: the largest weights between the nodes shown, thicker where larger within a layer.",
        "Number beside a node: the centroid that owns it, with whose distance |ρ| is largest; "
        f"area: R² ({number(float(r2.min()))} to {number(float(r2.max()))}).",
        f"Network: {subject}.",
    ]
    caption(ax, notes, below=30.0)


def _column(weights: Sequence[Array], i: int, width: int) -> Array:
    """Nodes of column ``i`` with the largest outgoing weights, in their order."""
    if width <= _MOST or i == len(weights):
        return np.arange(width)
    return np.sort(np.argsort(-np.abs(weights[i]).sum(axis=0), kind="stable")[:_MOST])


def _edges(ax: Axes, w: Array, i: int, sources: Array, targets: Array) -> None:
    """The largest of ``w``, [right, left], from column ``i`` to the next."""
    top = float(np.abs(w).max()) or 1.0
    order = np.argsort(np.abs(w), axis=None, kind="stable")[-_MOST_EDGES:]
    to, of = np.unravel_index(order, w.shape)
    sizes = np.abs(w[to, of]) / top
    ax.add_collection(
        LineCollection(
            [((i, sources[a]), (i + 1, targets[b])) for a, b in zip(of, to, strict=True)],
            colors=[BLUE if value > 0 else VERMILION for value in w[to, of]],
            linewidths=0.3 + 1.7 * sizes**2,
            alpha=0.1 + 0.7 * sizes**2,
            zorder=1,
        )
    )


def _owned(
    ax: Axes, column: int, heights: Array, owner: Array, r2: Array, colors: dict[int, str]
) -> None:
    areas, shades = 25.0 + 165.0 * np.clip(r2, 0.0, 1.0), [colors[k] for k in owner.tolist()]
    edge: Any = {"edgecolors": "white", "linewidths": 0.8}
    ax.scatter([column] * len(owner), heights, s=areas, c=shades, zorder=5, **edge)
    for y, k in zip(heights, owner.tolist(), strict=True):
        box: Any = {"boxstyle": "square,pad=0.08", "facecolor": "white", "linewidth": 0.0}
        look: Any = {"fontsize": 7.5, "weight": "bold", "color": INK, "bbox": box, "zorder": 6}
        label(ax, str(k + 1), (column, y), (10, 0), va="center", **look)


def _colors(owner: Array) -> dict[int, str]:
    """Colours of the centroids that own most nodes; the others are grey."""
    counted = np.bincount(owner)
    owners = [int(k) for k in np.argsort(-counted, kind="stable") if counted[k]]
    shades = dict(zip(owners, _COLORS, strict=False))
    return {int(k): shades.get(int(k), MUTED) for k in np.unique(owner)}


def _headings(ax: Axes, widths: Sequence[int], columns: Sequence[Array], column: int) -> None:
    for i, (width, nodes) in enumerate(zip(widths, columns, strict=True)):
        name = "inputs" if i == 0 else "Response" if i == len(widths) - 1 else f"layer {i}"
        name += ", explained" if i == column else ""
        size = str(width) if len(nodes) == width else f"{len(nodes)} of {width}"
        look: Any = {"fontsize": 9.5, "weight": "bold" if i == column else "normal"}
        ax.text(i, 1.05, f"{name}\n{size}", ha="center", va="bottom", linespacing=1.25, **look)


def _ends(
    ax: Axes,
    inputs: Sequence[str],
    columns: Sequence[Array],
    heights: Sequence[Array],
    *,
    dots: Sequence[bool],
) -> None:
    """Names of inputs and classes, and an ellipsis below every layer that has more nodes."""
    for node, y in zip(columns[0].tolist(), heights[0], strict=True):
        name = inputs[node] if node < len(inputs) else f"component {node + 1}"
        ax.text(-0.04, y, name, ha="right", va="center", fontsize=7.5, zorder=6)
    for node, y in zip(columns[-1].tolist(), heights[-1], strict=True):
        ax.text(len(columns) - 0.95, y, str(node + 1), ha="left", va="center", fontsize=8.5)
    for i, more in enumerate(dots):
        if more:
            centred(ax, "⋮", i, -0.055, fontsize=12.0, color=MUTED)


def _legend(ax: Axes, owner: Array, colors: dict[int, str]) -> None:
    handles = [
        Line2D([], [], marker="o", linestyle="", color=shade, label=_possession(k, owner))
        for k, shade in colors.items()
        if shade != MUTED
    ]
    if len(handles) < len(colors):
        handles.append(Line2D([], [], marker="o", linestyle="", color=MUTED, label="others"))
    handles += [
        Line2D([], [], color=BLUE, label="positive weight"),
        Line2D([], [], color=VERMILION, label="negative weight"),
    ]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)


def _possession(k: int, owner: Array) -> str:
    return f"centroid {k + 1}: {int((owner == k).sum())} of {len(owner)} nodes"
