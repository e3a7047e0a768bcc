"""Node coefficients on distances to centroids: all, the largest, and by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.palette import BLUE, FAINT, INK, MUTED, VERMILION
from analysis.figures.style import caption, framed, number
from analysis.figures.xnn.model_files import Array, Tensors
from analysis.wording import plural

EXPLAINED = {
    "explanation.beta": "nodes centroids",
    "explanation.r2": "nodes",
    "explanation.dead": "nodes",
}
"""Shapes of the tensors of these figures, and of the optional ones of the control."""

OPTIONAL = {
    "explanation.plain_beta": "nodes centroids",
    "explanation.inflation": "centroids",
}

_UNIT = "standardised coefficient β (sd of node per sd of distance)"
_BINS = 24
_MOST_NODES = 48
_ACROSS = 8
_MOST_NAMED = 8


def size_of_nodes(explained: Tensors) -> tuple[float, float]:
    """Width and height of :func:`nodes`, in inches."""
    panels = min(len(explained["explanation.r2"]), _MOST_NODES)
    return 12.5, 1.6 + 1.45 * -(-panels // min(panels, _ACROSS))


def coefficients(explained: Tensors, ax: Axes, *, subject: str) -> None:
    """Histogram of the standardised coefficients of all nodes on all distances.

    The plain network of the same seed is an outline, if the file has its coefficients.
    """
    betas = {name: beta.ravel() for name, beta in _betas(explained)}
    _histogram(ax, betas, signed=True)
    ax.axvline(0.0, color=MUTED, linewidth=0.8)
    ax.set_xlabel(_UNIT)
    ax.set_ylabel("number of coefficients")
    ax.set_title("Coefficients of nodes on distances to centroids")
    nodes, centroids = explained["explanation.beta"].shape
    size = f"{plural(nodes, 'node')} × {plural(centroids, 'centroid')}"
    fit = [f"{size}, fitted on training rows."]
    caption(ax, [*fit, *inflation(explained), *_beyond(betas), *_whose(explained, subject)])


def largest_coefficient(explained: Tensors, ax: Axes, *, subject: str) -> None:
    """Histogram of the largest absolute standardised coefficient of each node."""
    tops = {name: np.abs(beta).max(axis=1) for name, beta in _betas(explained)}
    _histogram(ax, tops, signed=False)
    ax.set_xlabel("largest |β| of a node (sd of node per sd of distance)")
    ax.set_ylabel("number of nodes")
    ax.set_title("The largest coefficient of each node")
    notes = [
        "Where distances to different centroids move together, large coefficients of opposite "
        "sign cancel:",
        "a large |β| alone does not make a node easy to explain; its R² and |ρ| do.",
    ]
    caption(ax, [*notes, *inflation(explained), *_beyond(tops), *_whose(explained, subject)])


def nodes(explained: Tensors, figure: Figure, *, subject: str) -> None:
    """A panel per node: its standardised coefficient on the distance to every centroid, as bars.

    Blue is positive, the node rises with the distance; vermilion is negative. Dead nodes are grey.
    Of more than 48 nodes, those with the largest R^2 are drawn.

    Args:
        figure: an empty figure of :func:`size_of_nodes`.
    """
    beta, r2 = explained["explanation.beta"], explained["explanation.r2"]
    dead = explained["explanation.dead"].astype(bool)
    indices = np.sort(np.argsort(-r2, kind="stable")[:_MOST_NODES])
    across = min(len(indices), _ACROSS)
    down = -(-len(indices) // across)
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for ax, node in zip(axes.flat, indices, strict=False):
        _node(ax, beta[node], dead=bool(dead[node]))
        state = "dead" if dead[node] else f"R² {number(float(r2[node]))}"
        ax.set_title(
            f"node {node + 1}, {state}",
            fontsize=8.0,
            weight="normal",
            pad=3.0,
            color=MUTED if dead[node] else INK,
        )
    for place, ax in enumerate(axes.flat):
        if place >= len(indices):
            ax.set_axis_off()
        elif place + across >= len(indices):
            ax.tick_params(labelbottom=True)
            ax.set_xlabel("centroid", fontsize=8.0)
    for ax in axes[:, 0]:
        ax.set_ylabel("β", fontsize=9.0, rotation=0.0, labelpad=8.0)
    notes = [
        f"β: {_UNIT.removeprefix('standardised coefficient β (').rstrip(')')}, of a fit on "
        "training rows; R²: of that fit on held-out rows.",
        "Blue: the node rises with the distance to the centroid; vermilion: it falls. All panels "
        "have the same axes.",
        *inflation(explained),
        f"Network: {subject}.",
    ]
    if len(indices) < len(r2):
        notes.insert(2, f"{len(indices)} of {len(r2)} nodes, those with the largest R².")
    framed(figure, "Each node and its centroids", notes)


def inflation(explained: Tensors) -> list[str]:
    """Caption on the variance inflation of the coefficients; empty if the file lacks it."""
    factors = explained.get("explanation.inflation")
    if factors is None:
        return []
    ends, widest = (f"{factors.min():.3g}", f"{factors.max():.3g}"), np.sqrt(factors.max())
    between = " to ".join(dict.fromkeys(ends))
    return [
        f"Variance inflation of the distances: {between} (1 if "
        f"uncorrelated), so standard errors of β are up to {widest:.2g} times larger;",
        "above about 10 read R², not a single β or its sign.",
    ]


def _node(ax: Axes, beta: Array, *, dead: bool) -> None:
    places = np.arange(1, len(beta) + 1)
    shades = [FAINT if dead else BLUE if b >= 0 else VERMILION for b in beta]
    ax.bar(places, beta, width=0.8, color=shades, zorder=2)
    ax.axhline(0.0, color=MUTED, linewidth=0.6, zorder=3)
    step = -(-len(places) // _MOST_NAMED)
    ax.set_xticks(places[::step])
    ax.yaxis.set_major_locator(MaxNLocator(3, symmetric=True, steps=[1, 2, 5, 10]))
    ax.tick_params(labelsize=7.5, length=0)
    ax.grid(True, axis="y")


def _betas(explained: Tensors) -> Sequence[tuple[str, Array]]:
    """Coefficients of the X-NN and, if the file has them, of the plain network."""
    keys = {"X-NN": "explanation.beta", "plain network": "explanation.plain_beta"}
    return [(name, explained[key]) for name, key in keys.items() if key in explained]


def _histogram(ax: Axes, values: dict[str, Array], *, signed: bool) -> None:
    """Filled histogram of the first of ``values`` and outline of the second, in common bins."""
    top = _reach(values)
    edges = np.linspace(-top if signed else 0.0, top, _BINS + 1)
    looks: tuple[dict[str, Any], ...] = (
        {"fill": True, "color": BLUE, "alpha": 0.7},
        {"color": VERMILION, "linewidth": 1.8},
    )
    for (name, sample), look in zip(values.items(), looks, strict=False):
        measure = f"mean |β| {number(float(np.abs(sample).mean()))}"
        if not signed:
            measure = f"mean {number(float(sample.mean()))}"
        ax.stairs(
            np.histogram(sample.clip(-top, top), edges)[0],
            edges,
            label=f"{name}, {measure}",
            **look,
        )
    ax.set_ylim(bottom=0.0)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.grid(True, axis="y")
    ax.legend(loc="best")


def _reach(values: dict[str, Array]) -> float:
    """End of the axis: the largest value, unless a few outliers would compress the bulk."""
    sizes = np.abs(np.concatenate(list(values.values())))
    return min(float(sizes.max()), 1.5 * float(np.quantile(sizes, 0.98))) or 1.0


def _beyond(values: dict[str, Array]) -> list[str]:
    top = _reach(values)
    number_beyond = sum(int((np.abs(v) > top).sum()) for v in values.values())
    return [f"{number_beyond} beyond the axis are in its last bars."] if number_beyond else []


def _whose(explained: Tensors, subject: str) -> list[str]:
    lines = [f"X-NN: {subject}."]
    if "explanation.plain_beta" in explained:
        lines[0] += " Plain network: same seed, initial weights and centroids, weight 0."
    return lines
