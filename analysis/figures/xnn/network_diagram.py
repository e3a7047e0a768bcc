"""The network as matrices of weights, and the centroids that own the explained nodes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.palette import BLUE, GREEN, MUTED, ORANGE, PURPLE, VERMILION
from analysis.figures.style import NothingToDraw, framed, number
from analysis.figures.xnn.model_files import Array, Tensors
from analysis.xnn.wording import spoken

OWNERS = {"explanation.rho": "nodes centroids", "explanation.r2": "nodes"}
"""Shapes of the tensors that colour the explained layer."""

_MOST = 16  # nodes shown of a layer that is not explained
_MOST_EXPLAINED = 32
_COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, "#8C6D31")
_SHADES = "PuOr"
_INCHES = 0.155  # of a node
_LABELS = 1.6  # inches of room for the names of a matrix


def size_of_network(widths: Sequence[int]) -> tuple[float, float]:
    """Width and height of :func:`network`, in inches.

    Args:
        widths: number of nodes of every layer, inputs first.
    """
    sides = [_INCHES * min(width, _MOST_EXPLAINED) for width in widths]
    across, down = sides[1::2], sides[::2]
    return (
        2.6 + sum(_LABELS * 0.8 + max(side, 1.4) for side in across),
        1.9 + sum(0.9 + max(side, 1.2) for side in down),
    )


def network(
    weights: Sequence[Array],
    explained: Tensors,
    figure: Figure,
    *,
    layer: int | None,
    inputs: Sequence[str],
    subject: str,
) -> None:
    """A matrix of weights per pair of layers, in a staircase: neighbours share the layer between.

    Layers with an odd number lie across, the inputs and layers with an even number down. A node
    of the explained layer has the colour of the centroid that owns it: the one whose distance it
    correlates with most, in absolute value. A large layer shows the nodes with the largest
    outgoing weights.

    Args:
        weights: matrices, [outputs, inputs].
        figure: an empty figure of :func:`size_of_network`.
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
    layers = [_column(weights, i, width) for i, width in enumerate(widths)]
    subset = np.sort(np.argsort(-r2, kind="stable")[:_MOST_EXPLAINED])
    layers[column] = subset[np.lexsort((-r2[subset], owner[subset]))]
    colors = _colors(owner)
    names = [_names(nodes, i, len(widths), inputs) for i, nodes in enumerate(layers)]
    names[column] = [f"{node + 1}  R² {number(float(r2[node]))}" for node in layers[column]]
    shades = [colors[int(owner[node])] for node in layers[column]]
    headings = [
        _heading(i, width, len(layers[i]), len(widths), explained=i == column)
        for i, width in enumerate(widths)
    ]
    for i, ax in enumerate(_staircase(figure, layers)):
        matrix = weights[i][np.ix_(layers[i + 1], layers[i])]
        top = float(np.abs(matrix).max()) or 1.0
        across, down = (i, i + 1) if i % 2 else (i + 1, i)
        cells = (matrix if i % 2 else matrix.T) / top
        ax.imshow(cells, cmap=_SHADES, norm=Normalize(-1.0, 1.0), aspect="auto")
        _labelled(ax, names[across], names[down])
        ax.set_xlabel(headings[across], fontsize=9.0)
        ax.set_ylabel(headings[down], fontsize=9.0)
        for which, axis in ((across, ax.xaxis), (down, ax.yaxis)):
            if which == column:
                _owned(axis, shades)
    bar = figure.colorbar(
        figure.axes[0].images[0], ax=figure.axes, shrink=0.5, pad=0.02, aspect=25
    )
    bar.set_label("weight ÷ largest absolute weight of its matrix")
    bar.outline.set_visible(False)
    _legend(figure, owner, colors)
    framed(
        figure,
        "The network and the centroids that own its nodes",
        [
            "Neighbouring matrices share a layer. Colour of a node's name: the centroid that owns "
            "it, with whose distance |ρ| is largest; R² on held-out rows.",
            "Of a large layer, the nodes with the largest outgoing weights are shown.",
            f"Network: {subject}.",
        ],
    )


def _column(weights: Sequence[Array], i: int, width: int) -> Array:
    """Nodes of column ``i`` with the largest outgoing weights, in their order."""
    if width <= _MOST or i == len(weights):
        return np.arange(width)
    return np.sort(np.argsort(-np.abs(weights[i]).sum(axis=0), kind="stable")[:_MOST])


def _colors(owner: Array) -> dict[int, str]:
    """Colours of the centroids that own most nodes; the others are grey."""
    counted = np.bincount(owner)
    owners = [int(k) for k in np.argsort(-counted, kind="stable") if counted[k]]
    shades = dict(zip(owners, _COLORS, strict=False))
    return {int(k): shades.get(int(k), MUTED) for k in np.unique(owner)}


def _names(nodes: Array, i: int, number_of: int, inputs: Sequence[str]) -> list[str]:
    """Names of the ``nodes`` of layer ``i`` of ``number_of``."""
    if i:
        return [str(node + 1) for node in nodes]
    known = len(inputs)
    return [spoken(inputs[n]) if n < known else f"component {n + 1}" for n in nodes]


def _heading(i: int, width: int, part: int, number_of: int, *, explained: bool) -> str:
    name = "inputs" if i == 0 else "Response" if i == number_of - 1 else f"layer {i}"
    name += " (explained)" if explained else ""
    return f"{name}, {width}" if part == width else f"{name}, {part} of {width}"


def _staircase(figure: Figure, layers: Sequence[Array]) -> list[Axes]:
    """Axes of the matrices from the top left down: to the right after every second one."""
    across = [len(nodes) for nodes in layers[1::2]]
    down = [len(nodes) for nodes in layers[::2]]
    down = down if len(layers) % 2 else down[: len(across)]
    grid = figure.add_gridspec(
        len(down), len(across), width_ratios=_ratios(across), height_ratios=_ratios(down)
    )
    return [figure.add_subplot(grid[(i + 1) // 2, i // 2]) for i in range(len(layers) - 1)]


def _ratios(nodes: Sequence[int]) -> list[float]:
    return [float(max(n, 5)) for n in nodes]


def _labelled(ax: Axes, across: Sequence[str], down: Sequence[str]) -> None:
    upright = 90.0 if max(map(len, across)) > 2 else 0.0
    ax.set_xticks(range(len(across)), across, rotation=upright, fontsize=7.0)
    ax.set_yticks(range(len(down)), down, fontsize=7.0)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _owned(axis: Any, shades: Sequence[str]) -> None:
    for text, shade in zip(axis.get_ticklabels(), shades, strict=True):
        text.set(color=shade, weight="bold")


def _legend(figure: Figure, owner: Array, colors: Mapping[int, str]) -> None:
    look: Any = {"marker": "s", "linestyle": "", "markersize": 8.0}
    handles = [
        Line2D([], [], color=shade, label=_possession(k, owner), **look)
        for k, shade in colors.items()
        if shade != MUTED
    ]
    if len(handles) < len(colors):
        handles.append(Line2D([], [], color=MUTED, label="owned by others", **look))
    figure.legend(handles=handles, loc="outside upper right", ncols=min(len(handles), 3))


def _possession(k: int, owner: Array) -> str:
    return f"owned by centroid {k + 1}: {int((owner == k).sum())} of {len(owner)}"
