"""Masks: a dict of bool tensors, True where a weight is kept."""

from collections.abc import Mapping
from itertools import zip_longest

import torch
from torch import Tensor

Parameters = Mapping[str, Tensor]
Mask = dict[str, Tensor]


def prunable(parameters: Parameters) -> list[str]:
    """Names of the weights that may be pruned: matrices, in order; never biases, never ``y``."""
    return [name for name, value in parameters.items() if value.ndim == 2]


def apply(parameters: Parameters, mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``parameters`` with the masked weights at exactly zero.

    Gradients through it are masked too.
    """
    return {name: p * mask[name] if name in mask else p for name, p in parameters.items()}


def weights(mask: Mapping[str, Tensor]) -> int:
    """Number of weights that ``mask`` keeps."""
    return sum(int(m.sum()) for m in mask.values())


def total(mask: Mapping[str, Tensor]) -> int:
    """Number of weights that ``mask`` covers."""
    return sum(m.numel() for m in mask.values())


def sparsity(mask: Mapping[str, Tensor]) -> float:
    """Share of the covered weights that ``mask`` removes."""
    return 1 - weights(mask) / total(mask)


def dead_units(mask: Mapping[str, Tensor]) -> list[int]:
    """Units per layer without incoming or without outgoing weights."""
    counts = []
    for m, following in zip_longest(mask.values(), [*mask.values()][1:]):
        alive = m.any(dim=1)
        if following is not None and following.shape[1] == m.shape[0]:
            alive = alive & following.any(dim=0)
        counts.append(int((~alive).sum()))
    return counts


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
    above, ties = scores > last, scores == last
    return above | ties & (ties.cumsum(dim=0) <= count - above.sum())
