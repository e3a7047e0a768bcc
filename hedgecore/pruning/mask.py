"""Masks: a dict of bool tensors, True where a weight is kept."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Parameters = Mapping[str, Tensor]
Mask = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """One layer of a mask. A unit is dead if no weight leads into it, or none leads out of it."""

    name: str
    weights: int
    total: int
    dead_units: int

    @property
    def sparsity(self) -> float:
        """Share of the layer's weights that are removed."""
        return 1 - self.weights / self.total


def prunable(parameters: Parameters, *, exclude: tuple[str, ...] = ()) -> list[str]:
    """Names of the weights that may be pruned: matrices, in order; never biases, never ``y``.

    Raises:
        ValueError: a name in ``exclude`` is no weight matrix, or nothing is left to prune.
    """
    names = [name for name, value in parameters.items() if value.ndim == 2]
    for name in exclude:
        if name not in names:
            raise ValueError(f"cannot exclude {name!r}; weights: {', '.join(names)}")
    weights = [name for name in names if name not in exclude]
    if not weights:
        raise ValueError("no weight is left to prune; exclude fewer layers")
    return weights


def apply(parameters: Parameters, mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``parameters`` with the masked weights at exactly zero.

    Gradients through it are masked too.
    """
    return {name: p * mask[name] if name in mask else p for name, p in parameters.items()}


def weights(mask: Mapping[str, Tensor]) -> int:
    """How many weights ``mask`` keeps."""
    return sum(int(m.sum()) for m in mask.values())


def total(mask: Mapping[str, Tensor]) -> int:
    """How many weights ``mask`` covers."""
    return sum(m.numel() for m in mask.values())


def sparsity(mask: Mapping[str, Tensor]) -> float:
    """Share of the covered weights that ``mask`` removes."""
    return 1 - weights(mask) / total(mask)


def report(mask: Mapping[str, Tensor]) -> list[LayerReport]:
    """Kept weights and dead units, layer by layer, in the order of the network."""
    layers = list(mask.items())
    reports = []
    for (name, m), (_, following) in zip(layers, [*layers[1:], ("", None)], strict=True):
        alive = m.any(dim=1)
        if following is not None and following.shape[1] == m.shape[0]:
            alive = alive & following.any(dim=0)
        weights, dead_units = int(m.sum()), int((~alive).sum())
        reports.append(
            LayerReport(name=name, weights=weights, total=m.numel(), dead_units=dead_units)
        )
    return reports


def top(scores: Tensor, count: int) -> Tensor:
    """A bool vector with exactly ``count`` True at the largest of the vector ``scores``.

    Ties go to the lower index.

    Raises:
        ValueError: a score is NaN.
    """
    if bool(scores.isnan().any()):
        raise ValueError("a pruning score is NaN; the network diverged before it was pruned")
    if count == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    last = scores.kthvalue(scores.numel() - count + 1).values
    above, tied = scores > last, scores == last
    return above | tied & (tied.cumsum(dim=0) <= count - above.sum())
