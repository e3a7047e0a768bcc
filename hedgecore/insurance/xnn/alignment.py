"""Alignment of nodes with centroids: multipliers of the gradient, and a loss.

Layers are counted from 0. The output z of a layer is before its ReLU, and z_c is that at a
centroid. A positive factor moves no stationary point of the loss, so multipliers alone cannot
align nodes; the alignment loss can.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.kernel.alignment import LayerAlignment, LayerMultiplier
from hedgecore.kernel.shared_library import Library, library

_EPS = 1e-12
_PEAK = 0.75

Outputs = Sequence[Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Landmarks:
    """Centroids and their distances, for training.

    Args:
        points: centroids in the coordinates of the features.
        distances: distances of every training row, in standard deviations.
        quantiles: share of the training rows nearer than a row, ties counting half.
    """

    points: Float[Tensor, "clusters features"]
    distances: Float[Tensor, "rows clusters"]
    quantiles: Float[Tensor, "rows clusters"]

    @classmethod
    def of(
        cls, points: Float[Tensor, "clusters features"], distances: Float[Tensor, "rows clusters"]
    ) -> "Landmarks":
        """Landmarks with the quantiles of ``distances``, all within (0, 1)."""
        columns = distances.T.contiguous()
        ascending = columns.sort(dim=1).values
        nearer = torch.searchsorted(ascending, columns)
        not_farther = torch.searchsorted(ascending, columns, right=True)
        quantiles = ((nearer + not_farther) / (2 * len(distances))).to(distances)
        return cls(points=points, distances=distances, quantiles=quantiles.T.contiguous())


def depth_factor(layer: int, layers: int, *, depth: str, alpha: float) -> float:
    """f(l) of layer l among L: exp(-(l/L - 0.75)^2) if ``depth`` is "peaked", else exp(alpha^l).

    The first is the notebook's code, the second its text: decreasing with depth for alpha below 1,
    constant at 1, doubly exponential above.
    """
    if depth == "peaked":
        return math.exp(-((layer / layers - _PEAK) ** 2))
    return math.exp(alpha**layer)


@torch.no_grad()
def multiplier_published(
    matrices: Sequence[Tensor],
    x: Float[Tensor, "batch features"],
    outputs: Outputs,
    landmark_outputs: Outputs,
    nearness: Float[Tensor, "batch clusters"],
    strengths: Mapping[int, float],
) -> dict[int, Tensor]:
    """Notebook's factors of the gradient, in (0, 2), by layer; NaN where a column sums to 0.

        S = sigmoid(|z - z_c|),  A_c = mean over the batch of (1 - n) + (2n - 1) S,
        M_c = W * sign(sum over the batch of (z - z_c) a'),
        G = 1 + tanh(strength / K  sum_c A_c M_c / column sums of M_c)

    where a is the layer's input before its ReLU, although the layer reads it after. This and
    signed sums near zero are defects of the notebook, kept here.

    Args:
        matrices: W of every layer, outputs x inputs.
        x: the batch.
        outputs: z of every layer for it.
        landmark_outputs: z_c of every layer, in the untrained network.
        nearness: n, distances over the largest of all training rows.
        strengths: adj_weight * intensity * f(l), by aligned layer.
    """
    inputs = (x, *outputs)
    factors = {}
    for layer, strength in strengths.items():
        z, z_c = outputs[layer], landmark_outputs[layer]
        similarity = torch.sigmoid((z - z_c[:, None]).abs())
        slope = (2 * nearness - 1).T[:, None] / len(x)
        agreement = (1 - nearness).mean(dim=0)[:, None] + (slope @ similarity).squeeze(1)
        products = matrices[layer] * _directions(inputs[layer], z, z_c)
        shares = products / products.sum(dim=1, keepdim=True)
        pull = (agreement[:, :, None] * shares).mean(dim=0)
        factors[layer] = 1 + torch.tanh(strength * pull)
    return factors


@torch.no_grad()
def multiplier(
    matrices: Sequence[Tensor],
    x: Float[Tensor, "batch features"],
    outputs: Outputs,
    landmark_outputs: Outputs,
    quantiles: Float[Tensor, "batch clusters"],
    strengths: Mapping[int, float],
) -> dict[int, Tensor]:
    """Factors of the gradient, in (0, 2), by layer; finite wherever the network is.

        S = tanh(|z - z_c| / 2s),  A_c = 1 - mean over the batch of (S - q)^2,
        M_c = W * sign(sum over the batch of (z - z_c) h'),
        G = 1 + tanh(strength / K  sum_c A_c M_c / column sums of |W|)

    where h is the layer's actual input, and s the mean of |z - z_c| over batch and centroids, per
    node. A_c is largest where the node encodes the distance of a row from c. Arguments are those
    of :func:`multiplier_published`, with z_c in the current network, and for n the quantiles q of
    the batch's distances among all training rows.
    """
    factors = {}
    for layer, strength in strengths.items():
        w, z, z_c = matrices[layer], outputs[layer], landmark_outputs[layer]
        read = outputs[layer - 1].relu() if layer else x
        gap = (z - z_c[:, None]).abs_()
        similarity = gap.div_(2 * gap.mean(dim=(0, 1)) + _EPS).tanh_()
        misfit = similarity.sub_(quantiles.T[:, :, None])
        agreement = 1 - misfit.square_().mean(dim=1)
        pull = (agreement[:, :, None] * _directions(read, z, z_c)).mean(dim=0)
        share = w / (w.abs().sum(dim=0) + _EPS)
        factors[layer] = 1 + torch.tanh(strength * share * pull)
    return factors


class Multiplier:
    """Factors as :func:`multiplier` defines them, by the compiled kernel where it covers them.

    Args:
        matrices: W of every layer; only the shapes, dtype and device matter.
        strengths: as there.
        clusters: number of centroids.
    """

    def __init__(
        self, matrices: Sequence[Tensor], strengths: Mapping[int, float], *, clusters: int
    ) -> None:
        kernel = _covering(matrices[0])
        self._strengths = strengths
        self._compiled = {
            layer: LayerMultiplier(
                kernel, (*matrices[layer].shape,), strength=strength, clusters=clusters
            )
            for layer, strength in strengths.items()
            if kernel
        }

    def __call__(
        self,
        matrices: Sequence[Tensor],
        x: Float[Tensor, "batch features"],
        outputs: Outputs,
        landmark_outputs: Outputs,
        quantiles: Float[Tensor, "batch clusters"],
    ) -> dict[int, Tensor]:
        """Factors by layer, valid until the next call."""
        if not self._compiled:
            return multiplier(matrices, x, outputs, landmark_outputs, quantiles, self._strengths)
        return {
            n: compiled(
                matrices[n],
                outputs[n - 1].detach().relu() if n else x,
                outputs[n],
                landmark_outputs[n],
                quantiles,
            )
            for n, compiled in self._compiled.items()
        }


def unit_distances(
    distances: Float[Tensor, "rows clusters"], batch_size: int
) -> list[Float[Tensor, "_ clusters"]]:
    """Distances of each batch, centred and with norm 1 in every column; 0 where constant.

    They are constant in training, so an epoch computes them at once.
    """
    whole = len(distances) // batch_size * batch_size
    units: list[Tensor] = []
    for part, rows in ((distances[:whole], batch_size), (distances[whole:], None)):
        if len(part):
            batches = part.unflatten(0, (-1, rows or len(part)))
            centred = batches - batches.mean(dim=1, keepdim=True)
            length = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
            units.extend(centred / (length + _EPS))
    return units


class Alignment:
    """Alignment loss sum_l f(l) mean_j (1 - rho_j^2).

    rho_j is the correlation over the batch of node j with the distance to centroid j mod K, the
    nodes of every layer counted from 0. A constant node has rho = 0. For a batch of one row, where
    rho is undefined, the loss is 0.

    Args:
        factors: f(l), by aligned layer.
        widths: number of nodes of every layer.
        clusters: K.
        like: tensor with the dtype and device.
    """

    def __init__(
        self, factors: Mapping[int, float], *, widths: Sequence[int], clusters: int, like: Tensor
    ) -> None:
        self.layers = tuple(factors)
        owners = {layer: torch.arange(widths[layer]) % clusters for layer in factors}
        kernel = _covering(like)
        self._compiled = [
            LayerAlignment(kernel, owner, share=factors[n] / widths[n], clusters=clusters)
            for n, owner in owners.items()
            if kernel
        ]
        owner = torch.cat(list(owners.values()))
        shares = [torch.full((widths[n],), f / widths[n]) for n, f in factors.items()]
        self._own = (owner == torch.arange(clusters)[:, None]).to(like)
        self._share = torch.cat(shares).to(like)
        self._constant = self._share.sum()
        self._minus_twice = -2 * self._own

    def __call__(
        self, outputs: Outputs, unit: Float[Tensor, "batch clusters"]
    ) -> tuple[Float[Tensor, ""] | float, tuple[Tensor, ...]]:
        """Loss of a batch, and its gradients with respect to the outputs of ``self.layers``.

        With u the centred distance of a node's centroid, with norm 1, and c the centred node,
            rho^2 = (u'c)^2 / c'c,   d rho^2 / dz = 2 (u'c / c'c) u - 2 (u'c / c'c)^2 c.
        By autograd, this loss would cost more than the network.

        Args:
            outputs: z of every layer.
            unit: :func:`unit_distances` of the batch.
        """
        nodes = [outputs[layer] for layer in self.layers]
        if len(unit) < 2:
            return 0.0, tuple(torch.zeros_like(z) for z in nodes)
        if self._compiled:
            parts = [one(z, unit) for one, z in zip(self._compiled, nodes, strict=True)]
            return sum(loss for loss, _ in parts), tuple(gradient for _, gradient in parts)
        return self._by_torch(nodes, unit)

    @torch.no_grad()
    def _by_torch(
        self, nodes: list[Tensor], unit: Float[Tensor, "batch clusters"]
    ) -> tuple[Float[Tensor, ""], tuple[Tensor, ...]]:
        c = torch.cat(nodes, dim=1)
        c -= c.mean(dim=0)
        along = (self._own * (unit.T @ c)).sum(dim=0)
        slope = along / (c * c).sum(dim=0).add_(_EPS)
        scale = self._share * slope
        gradient = (unit @ (self._minus_twice * scale)).addcmul_(c, scale * slope, value=2)
        loss = self._constant - scale @ along
        return loss, gradient.split([part.shape[1] for part in nodes], dim=1)


def _directions(
    read: Float[Tensor, "batch inputs"],
    z: Float[Tensor, "batch nodes"],
    z_c: Float[Tensor, "clusters nodes"],
) -> Float[Tensor, "clusters nodes inputs"]:
    """sign(sum over the batch of (z - z_c) read')."""
    return torch.sign(z.T @ read - z_c[:, :, None] * read.sum(dim=0))


def _covering(like: Tensor) -> Library | None:
    """The compiled kernel, if there is one and it covers tensors like this; else None."""
    return library() if like.dtype == torch.float32 and like.device.type == "cpu" else None
