"""Probes of a node: its dependence on a distance, and the input that excites it most."""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.palette import FAINT, INK, LINES, MUTED, PALE
from analysis.figures.style import NothingToDraw, caption, framed, grid, label_beside
from analysis.figures.xnn.model_files import Array, Tensors
from analysis.wording import plural
from analysis.xnn.wording import spoken

DEPENDENCE = {
    "explanation.rho": "nodes centroids",
    "dependence.distance": "centroids points",
    "dependence.mean": "centroids points nodes",
}
EXCITATION = {"explanation.rho": "nodes centroids", "excitation.point": "nodes features"}
"""Shapes of the tensors of these figures."""

_MOST_CENTROIDS = 12
_ACROSS = 4
_MOST_COLORED = 5
# Lines that lie upon each other, and prints in grey, are told apart by their dashes.
_STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (2, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (1, 1)))
_MOST_INPUTS = 20
_FAR = 3.0
_MOST_NODES = 48


def size_of_dependence(explained: Tensors) -> tuple[float, float]:
    """Width and height of :func:`dependence`, in inches."""
    panels = min(len(_owners(explained)), _MOST_CENTROIDS)
    across = min(panels, _ACROSS)
    return 1.6 + 3.4 * max(across, 2), 2.0 + 3.3 * -(-panels // across)


def dependence(explained: Tensors, figure: Figure, *, subject: str) -> None:
    """A panel per centroid: partial dependence of nodes on the distance, its own in colour.

    All rows are moved along their rays to one distance and the node is averaged. Every curve is
    centred, because nodes differ in level. Of the nodes that a centroid owns, those that move
    most have a colour and a name each. Of more than 12 centroids that own a node, those that
    own most are drawn; the nodes of others are grey.

    Args:
        figure: an empty figure of :func:`size_of_dependence`.
    """
    owner = np.abs(explained["explanation.rho"]).argmax(axis=1)
    owners = _owners(explained)
    panels = sorted(owners[:_MOST_CENTROIDS])
    axes = grid(figure, len(panels), min(len(panels), _ACROSS), sharey=True)
    for ax, k in zip(chain(*axes), panels, strict=True):
        mean = explained["dependence.mean"][k]
        members = np.flatnonzero(owner == k)
        _curves(ax, explained["dependence.distance"][k], mean - mean.mean(axis=0), members)
        ax.set_title(f"centroid {k + 1} owns {plural(len(members), 'node')}", fontsize=10.0)
        ax.set_xlabel(f"Mahalanobis distance to centroid {k + 1}", fontsize=9.0)
    for row in axes:
        row[0].set_ylabel("node before ReLU, less its mean")
    notes = [
        f"Of {len(owner)} nodes. A centroid owns those with whose distance its |ρ| is largest; "
        f"the {_MOST_COLORED} that move most have a colour.",
        "Mean of the node before ReLU over test rows, all moved to the distance.",
        f"Network: {subject}.",
    ]
    centroids = explained["explanation.rho"].shape[1]
    if len(panels) < centroids:
        remainder = centroids - len(owners)
        part = (
            f"the {len(panels)} that own most of {len(owners)}"
            if len(panels) < len(owners)
            else ""
        )
        none = f"{remainder} of {centroids} own no node" if remainder else ""
        notes.insert(2, f"Centroids drawn: {'; '.join(filter(None, [part, none]))}.")
    framed(figure, "Nodes as functions of the distance to their centroid", notes)


def size_of_excitation(explained: Tensors) -> tuple[float, float]:
    """Width and height of :func:`excitation`, in inches."""
    nodes, features = explained["excitation.point"].shape
    rows = min(nodes, _MOST_NODES)
    return 4.6 + 0.32 * max(10, min(features, _MOST_INPUTS)), 3.0 + 0.19 * max(10, rows)


def excitation(
    explained: Tensors, ax: Axes, *, inputs: Sequence[str], subject: str, scores: bool = False
) -> None:
    """Heat map of the input that excites each node most, nodes down and inputs across.

    Nodes are ordered by the centroids that own them. Of more than 20 inputs, those that differ
    most between nodes are drawn.

    Args:
        inputs: names of the inputs; ignored if their number differs.
        scores: the network reads scores on principal axes, which are not standardised.
    Raises:
        NothingToDraw: there is a single node, so inputs cannot differ between nodes.
    """
    points, rho = explained["excitation.point"], explained["explanation.rho"]
    if len(points) < 2:
        raise NothingToDraw("a single node has nothing to be told apart from")
    owner = np.abs(rho).argmax(axis=1)
    top = np.abs(rho).max(axis=1)
    subset = np.sort(np.argsort(-top, kind="stable")[:_MOST_NODES])
    rows = subset[np.lexsort((-top[subset], owner[subset]))]
    # A rare 0 / 1 input, ten standard deviations from its mean, would dominate the scale.
    spread = (points if scores else points.clip(-_FAR, _FAR)).std(axis=0)
    columns = np.sort(np.argsort(-spread, kind="stable")[:_MOST_INPUTS])
    names = [spoken(name) for name in inputs]
    if len(names) != points.shape[1]:
        names = [f"input {i + 1}" for i in range(points.shape[1])]
    grid = points[np.ix_(rows, columns)]
    # Scores have the variance of their axis, so no limit in standard deviations applies.
    far = float("inf") if scores else _FAR
    reach = min(float(np.abs(grid).max()), far) or 1.0
    image = ax.imshow(grid, cmap="cividis", norm=Normalize(-reach, reach), aspect="auto")
    ax.set_xticks(range(len(columns)), [names[i] for i in columns], rotation=55, ha="right")
    for label in ax.get_xticklabels():
        label.set_rotation_mode("anchor")
    ax.set_yticks(range(len(rows)), [str(node + 1) for node in rows])
    ax.tick_params(length=0, labelsize=7.5)
    ax.set_ylabel("node, by the centroid that owns it")
    ax.spines[:].set_visible(False)
    _brackets(ax, owner[rows])
    bar = ax.figure.colorbar(
        image, ax=ax, shrink=0.7, pad=0.09, extend="neither" if scores else "both"
    )
    bar.outline.set_visible(False)
    unit = "score on the principal axis" if scores else "standard deviations from the mean"
    bar.set_label(f"{unit}\n(dark: below, light: above)")
    ax.set_title("The input that excites each node most")
    notes = ["Found by ascent within the bulk of the training rows, input by input."]
    if len(columns) < len(names):
        notes[0] += f" {len(columns)} of {len(names)} inputs, those that differ most."
    if scores:
        notes.append("Inputs are scores on principal axes of the standardised columns.")
    if np.abs(grid).max() > far:
        notes.append(
            f"The scale ends at {_FAR:g}: a rare 0 / 1 input that is 1 lies further from its mean."
        )
    if len(rows) < len(points):
        notes.append(f"{len(rows)} of {len(points)} nodes, those with the largest |ρ|.")
    longest = max(len(names[i]) for i in columns)
    caption(ax, [*notes, f"Network: {subject}."], below=30.0 + 4.1 * longest)


def _owners(explained: Tensors) -> list[int]:
    """Centroids that own a node, by descending number of nodes."""
    owner = np.abs(explained["explanation.rho"]).argmax(axis=1)
    counted = np.bincount(owner)
    return [int(k) for k in np.argsort(-counted, kind="stable") if counted[k]]


def _curves(ax: Axes, distance: Array, curves: Array, members: Array) -> None:
    """Curves of the nodes: named ones in colours, other members pale blue, the rest grey."""
    moves = np.ptp(curves, axis=0)
    largest = members[np.argsort(-moves[members], kind="stable")][:_MOST_COLORED]
    others = np.setdiff1d(members, largest)
    rivals = np.setdiff1d(np.arange(curves.shape[1]), members)
    faint: Any = {"linewidth": 0.8, "zorder": 1}
    for nodes, color, name in (
        (rivals, FAINT, "of other centroids"),
        (others, PALE, "its others"),
    ):
        for i, node in enumerate(nodes):
            words = f"{plural(len(nodes), 'node')} {name}" if i == 0 else None
            words = words if name != "its others" or words is None else f"its {len(nodes)} others"
            ax.plot(distance, curves[:, node], color=color, label=words, **faint)
    for node, color, style in zip(largest, LINES, _STYLES, strict=False):
        look: Any = {"linewidth": 1.8, "zorder": 3, "linestyle": style}
        ax.plot(distance, curves[:, node], color=color, label=f"node {node + 1}", **look)
    handles, names = ax.get_legend_handles_labels()
    split = len(handles) - len(largest)
    ax.legend(
        [*handles[split:], *reversed(handles[:split])],
        [*names[split:], *reversed(names[:split])],
        fontsize=7.5,
        loc="upper left",
        bbox_to_anchor=(0.0, -0.2),
        ncols=2,
        borderaxespad=0.0,
    )
    ax.axhline(0.0, color=MUTED, linewidth=0.6, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.grid(True, axis="y")


def _brackets(ax: Axes, owner: Array) -> None:
    """Lines between the nodes of two centroids, and the centroids' numbers at the right."""
    edges = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(owner)]
    for a, b in pairwise(edges):
        if a:
            ax.axhline(a - 0.5, color="white", linewidth=2.0)
        look: Any = {"by": (4, 0), "fontsize": 7.5}
        label_beside(ax, (a + b - 1) / 2, f"centroid {owner[a] + 1}", INK, **look)
