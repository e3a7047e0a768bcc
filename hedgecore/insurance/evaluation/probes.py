"""Probes of a node: the inputs that maximise it, and its dependence on a distance.

Probes take a callable from inputs of the network to activations of one of its layers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Activations = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excitation:
    """Maximum of each node.

    Args:
        point: best input for every node.
        value: value of the node there.
        start: name of the start that led there; the first of several.
    """

    point: Float[Tensor, "nodes features"]
    value: Float[Tensor, " nodes"]
    start: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """Nodes as functions of the distance to one centroid, otherwise as in the data.

    Args:
        distance: grid of each centroid.
        mean: mean of every node over the rows moved to that distance.
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
    """Best point visited by gradient ascent on every node from every start, within a box.

    A step moves each input by a tenth of its side of the box in the direction of its slope,
    shrinking linearly to 0, so that the ascent can reach any corner and converge to a peak inside.

    Args:
        activations: rows x features to rows x nodes, row by row.
        starts: inputs by name, for instance the mean and the centroids; clipped to the box.
        low: smallest inputs, for instance 1 % quantiles of training rows, as nodes are arbitrary
            outside the data.
        high: largest inputs.
        steps: number of steps.
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
    """Mean activation with all rows moved along their rays to the same distance from a centroid.

        x(t) = c + (x - c) t / d(x, c),    t from the 5 % to the 95 % quantile of d(., c)

    Distance to a centroid is not an input, so it cannot be set alone: this sets it and keeps the
    direction from the centroid. Distances to other centroids change with it. Exact for every
    distance that is a norm of x - c, such as Mahalanobis'. Rows on the centroid have no direction
    and are excluded.

    Args:
        activations: rows x features to rows x nodes.
        x: inputs of the network.
        centroids: in the coordinates of ``x``.
        distances: distances of every row to every centroid.
        points: number of equidistant grid points.
    Raises:
        ValueError: a centroid that all rows coincide with.
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
    """Derivative of the logit of class ``to`` with respect to each node, row by row.

    Args:
        logits: activations of a layer to logits, rows x 8, row by row.
        nodes: activations.
        to: class in 0..7.
    """
    leaf = nodes.detach().requires_grad_()
    return torch.autograd.grad(logits(leaf)[:, to].sum(), leaf)[0]


def _diagonal(
    activations: Float[Tensor, "all nodes"], nodes: int
) -> Float[Tensor, "nodes starts"]:
    """Each node's own activation on its rows."""
    return activations.unflatten(0, (nodes, -1)).diagonal(dim1=0, dim2=2).T
