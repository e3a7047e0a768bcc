"""Expected survivors of successive halving, before any trial has run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Limits = Sequence[int] | np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """Expected numbers of trials judged after ``epoch`` epochs, and of those promoted."""

    epoch: int
    reach: float
    go_on: float


def passing(
    limits: Limits,
    rungs: Sequence[int],
    *,
    reduction_factor: int,
    block: int,
    lag: int,
    finish: int | None = None,
) -> Float[np.ndarray, "contenders rungs+1"]:
    """Chance that each contender of one stratum trains beyond each rung; the first column is 1.

    Contenders are taken to be exchangeable: the rank of each among n has every value equally
    often. The first ``block`` are then exact, a cohort of n in which
    max(1, ceil(n / reduction_factor)) are promoted. Later ones are judged against the expected
    number of those at least ``lag`` places ahead that reach the rung.

    Args:
        limits: epochs of every contender at most, in order of creation.
        rungs: epochs of judgement, ascending; one at or above a contender's limit passes it by.
        reduction_factor: one in ``reduction_factor`` is promoted, and at least one.
        block: size of the first cohort.
        lag: positions that a verdict does not wait for.
        finish: this many of one cohort are promoted instead, whatever its size.
    """
    size = len(limits)
    block = max(size, 1) if finish else block
    position = np.arange(size)
    predecessors = np.clip(position + 1 - lag, min(block, size), size)
    chances = np.ones((size, len(rungs) + 1))
    for i, rung in enumerate(rungs):
        judged = np.asarray(limits) > rung
        before = np.concatenate([[0.0], np.cumsum(chances[:, i] * judged)])
        later = before[np.minimum(predecessors, position)] + 1
        rivals = np.where(position < block, before[min(block, size)], later)
        share = np.array([_quota(n, reduction_factor, finish) for n in rivals])
        chances[:, i + 1] = chances[:, i] * np.where(judged, share, 1.0)
    return chances


def rung_counts(limits: Limits, chances: np.ndarray, rungs: Sequence[int]) -> tuple[Rung, ...]:
    """Expected trials at every rung below their limits; ``chances`` is that of :func:`passing`."""
    judged = np.asarray(limits)[:, None] > np.asarray(rungs)
    # Integer numbers of a cohort stay integers.
    reach = (chances[:, :-1] * judged).sum(axis=0).round(9).tolist()
    go_on = (chances[:, 1:] * judged).sum(axis=0).round(9).tolist()
    return tuple(
        Rung(epoch=epoch, reach=n, go_on=m)
        for epoch, n, m in zip(rungs, reach, go_on, strict=True)
    )


def epochs(
    limits: Limits, chances: np.ndarray, rungs: Sequence[int]
) -> Float[np.ndarray, " trials"]:
    """Expected epochs of every trial: those of each segment, by the chance to train it."""
    ends = np.minimum(np.asarray(limits)[:, None], [*rungs, np.inf])
    return (np.diff(ends, axis=1, prepend=0.0) * chances).sum(axis=1)


def _quota(rivals: float, reduction_factor: int, finish: int | None) -> float:
    """Promoted share of ``rivals``, interpolated between whole numbers."""
    # A sum of chances may miss a whole number by its rounding.
    whole = math.floor(rivals + 1e-9)
    fraction = max(rivals - whole, 0.0)

    def share(n: int) -> float:
        promoted = finish or max(1, math.ceil(n / reduction_factor))
        return min(promoted / max(n, 1), 1.0)

    return (1 - fraction) * share(whole) + fraction * share(whole + 1)
