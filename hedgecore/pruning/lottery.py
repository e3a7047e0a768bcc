"""Lottery tickets: a mask from a trained network, and the weights that training starts from.

Controls separate the effect of the mask from that of the weights:

- ``random_mask`` has the ticket's initial weights, under a mask drawn at random;
- ``shuffled_mask`` too, with as many weights in every layer as the ticket has;
- ``random_reinit`` has the ticket's mask, over other initial weights;
- ``small_dense`` is a narrower network of full layers, with no more weights than the ticket.

Source: Frankle and Carbin (2019); controls after Frankle et al. (2021).
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import torch
from torch import Tensor

from hedgecore.pruning.mask import Mask, Parameters, apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Sub-network at its starting point: ``theta`` is zero wherever ``mask`` is False."""

    mask: Mask
    theta: dict[str, Tensor]


def rewind(snapshot: Parameters, mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor of ``snapshot`` (weights, biases and ``y``), copied and masked."""
    return {name: p.detach().clone() for name, p in apply(snapshot, mask).items()}


def shuffled(mask: Mapping[str, Tensor], *, generator: torch.Generator) -> Mask:
    """Random mask with the number of kept weights per layer of ``mask``."""
    return {
        name: m.flatten()[torch.randperm(m.numel(), generator=generator).to(m.device)].view_as(m)
        for name, m in mask.items()
    }


def small_widths(hidden: tuple[int, ...], *, inputs: int, budget: int) -> tuple[int, ...]:
    """Widths of the largest dense network of the same shape with at most ``budget`` weights.

    All widths of ``hidden`` shrink by one factor, rounded down and never below one unit.

    Args:
        hidden: widths of the full network, which has one output; never exceeded.
        inputs: features of the network.
        budget: maximum number of weights, including those of the output layer, without biases.
    Raises:
        ValueError: even a network of width 1 has more weights.
    """

    def scaled(factor: Fraction) -> tuple[int, ...]:
        return tuple(max(1, int(factor * width)) for width in hidden)

    def weights(factor: Fraction) -> int:
        return sum(a * b for a, b in pairwise((inputs, *scaled(factor), 1)))

    # Factors at which some width grows by a unit.
    factors = sorted({Fraction(units, width) for width in hidden for units in range(1, width + 1)})
    fitting = bisect_right(factors, budget, key=weights)
    if fitting == 0:
        raise ValueError(
            f"a network of {len(hidden)} hidden layers has at least {weights(Fraction(0))} "
            f"weights, more than the {budget} of the ticket; lower sparsity"
        )
    return scaled(factors[fitting - 1])


KINDS = ("lottery", "random_mask", "random_reinit", "shuffled_mask", "small_dense")
