"""Lottery tickets: a mask found on the trained network, over its weights before training.

The two controls answer "is it the mask, or would any do?": ``random_mask`` keeps the initial
weights under a mask drawn at random, ``random_reinit`` keeps the mask over other initial weights.
Source: Frankle and Carbin (2019); controls after Frankle et al. (2021).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hedgecore.pruning import criteria
from hedgecore.pruning.mask import Mask, Parameters, apply, prunable
from hedgecore.registry import unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A sub-network at its starting point: ``theta`` is zero wherever ``mask`` is False."""

    mask: Mask
    theta: dict[str, Tensor]


def rewind(snapshot: Parameters, mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor of ``snapshot`` (weights, biases and ``y`` alike), copied and masked."""
    return {name: p.detach().clone() for name, p in apply(snapshot, mask).items()}


def draw(
    kind: str,
    *,
    theta_0: Parameters,
    theta_star: Parameters,
    sparsity: float,
    scope: str = "global",
    exclude: tuple[str, ...] = (),
    min_kept: int = 1,
    generator: torch.Generator,
    initialise: Callable[[torch.Generator], Parameters],
) -> Ticket:
    """The ticket of ``kind`` at ``sparsity``.

    Args:
        kind: "lottery", or one of its controls "random_mask" and "random_reinit".
        theta_0: initial parameters, the rewinding point.
        theta_star: trained parameters, which the mask is found on.
        sparsity: share of prunable weights to remove, in [0, 1).
        scope: "global" or "layerwise".
        exclude: weights left dense.
        min_kept: least number of weights a layer keeps.
        generator: for the controls; the lottery ticket draws nothing.
        initialise: draws fresh initial parameters, for "random_reinit".
    """
    if kind not in KINDS:
        raise ValueError(unknown(kind, KINDS, kind="ticket"))
    names = prunable(theta_star, exclude=exclude)
    if kind == "random_mask":
        scores = criteria.random(theta_star, names, generator=generator)
    else:
        scores = criteria.magnitude(theta_star, names)
    mask = criteria.best(scores, sparsity=sparsity, scope=scope, min_kept=min_kept)
    start = initialise(generator) if kind == "random_reinit" else theta_0
    return Ticket(mask=mask, theta=rewind(start, mask))


KINDS = ("lottery", "random_mask", "random_reinit")
