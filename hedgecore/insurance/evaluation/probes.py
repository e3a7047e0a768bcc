"""Probes of a node: the inputs that excite it most, and its dependence on a distance.

Everything here acts on a callable from inputs of the network to activations of one of its layers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Activations = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excitation:
    """Where each node is largest.

    Args:
        point: the best input found for every node.
        value: the node there.
        start: name of the start that led there; where several did, the first of them.
    """

    point: Float[Tensor, "nodes features"]
    value: Float[Tensor, " nodes"]
    start: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """Nodes as functions of the distance to one centroid, all else as in the data.

    Args:
        distance: grid of each centroid.
        mean: of every node over the rows, moved to that distance.
    """

    distance: Float[Tensor, "centroids points"]
    mean: Float[Tensor, "centroids points nodes"]


@torch.enable_grad()
def maximise(
    activations: Activations,
    starts: Mapping[str, Float[Tensor, " features"]],
    *,
    low: Float[Tensor, " features"],
    high: Float[Tensor, " features"],
    steps: int = 200,
) -> Excitation:
    """Gradient ascent on every node from every start, within a box; the best point ever visited.

    A step moves each input by a tenth of its side of the box in the direction of its slope, and
    shrinks linearly to nothing, so that any corner can be reached and a peak inside is met.

    Args:
        activations: rows x features to rows x nodes, each row by itself.
        starts: inputs by name, for instance the mean and the centroids; brought into the box.
        low: least inputs, for instance 1 % quantiles of training rows: outside the data a node
            may be anything.
        high: largest inputs.
        steps: of the ascent.
    Raises:
        ValueError: no starts, no steps, or a box with ``low`` above ``high``.
    """
    if not starts:
        raise ValueError("starts is empty; name at least one input to begin from")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if (low > high).any():
        side = int((low > high).int().argmax())
        raise ValueError(f"low must not exceed high, got {low[side]} > {high[side]} in {side}")
    begin = torch.stack(tuple(starts.values())).clamp(low, high)
    nodes = activations(begin).shape[1]
    x = begin.detach().expand(nodes, *begin.shape)
    best, at = x.new_full(x.shape[:2], -torch.inf), x
    for step in range(steps + 1):
        x = x.detach().requires_grad_()
        value = _diagonal(activations(x.flatten(0, 1)), nodes)
        slope = torch.autograd.grad(value.sum(), x)[0]
        better = value > best
        best = torch.where(better, value.detach(), best)
        at = torch.where(better[..., None], x.detach(), at)
        stride = 0.1 * (1 - step / steps) * (high - low)
        x = (x + stride * slope.sign()).clamp(low, high)
    value, winner = best.max(dim=1)
    names = tuple(starts)
    return Excitation(
        point=at[torch.arange(nodes), winner],
        value=value,
        start=tuple(names[w] for w in winner.tolist()),
    )


@torch.no_grad()
def partial_dependence(
    activations: Activations,
    x: Float[Tensor, "rows features"],
    centroids: Float[Tensor, "centroids features"],
    distances: Float[Tensor, "rows centroids"],
    *,
    points: int = 20,
) -> Dependence:
    """Mean activation as all rows are moved along their rays to the same distance from a centroid.

        x(t) = c + (x - c) t / d(x, c),    t from the 5 % to the 95 % quantile of d(., c)

    Distance to a centroid is no input, so it cannot be set alone: this sets it and leaves the
    direction from the centroid as it is. Distances to other centroids follow. Exact for every
    distance that is a norm of x - c, such as Mahalanobis'. Rows on the centroid have no direction
    and no part.

    Args:
        activations: rows x features to rows x nodes.
        x: inputs of the network.
        centroids: in the coordinates of ``x``.
        distances: of every row to every centroid.
        points: of the grid, at equal distances.
    Raises:
        ValueError: a centroid on which all rows lie.
    """
    ends = distances.quantile(distances.new_tensor([0.05, 0.95]), dim=0)
    share = torch.linspace(0, 1, points, dtype=x.dtype, device=x.device)
    grid = torch.lerp(ends[0][:, None], ends[1][:, None], share)
    means = []
    for k, centroid in enumerate(centroids):
        off_centre = distances[:, k] > 0
        if not off_centre.any():
            raise ValueError(f"distances to centroid {k} are all 0, so no row has a direction")
        direction = (x[off_centre] - centroid) / distances[off_centre, k, None]
        responses = [activations(centroid + t * direction).mean(dim=0) for t in grid[k]]
        means.append(torch.stack(responses))
    return Dependence(distance=grid, mean=torch.stack(means))


@torch.enable_grad()
def logit_slopes(
    logits: Activations, nodes: Float[Tensor, "rows nodes"], *, to: int
) -> Float[Tensor, "rows nodes"]:
    """Derivative of the logit of class ``to`` by each node, row by row.

    Args:
        logits: activations of a layer to logits, rows x 8, each row by itself.
        nodes: activations.
        to: class in 0..7.
    """
    leaf = nodes.detach().requires_grad_()
    return torch.autograd.grad(logits(leaf)[:, to].sum(), leaf)[0]


def _diagonal(
    activations: Float[Tensor, "all nodes"], nodes: int
) -> Float[Tensor, "nodes starts"]:
    """Of the rows of each node, its own activation."""
    return activations.unflatten(0, (nodes, -1)).diagonal(dim1=0, dim2=2).T
