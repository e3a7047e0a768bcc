"""Allocation of kept weights: in total, per level of a schedule, and per layer.

A scope determines the number of weights per layer; :func:`best` keeps the best of each layer.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from math import expm1, log1p

import torch
from torch import Tensor

from hedgecore.pruning.mask import Mask, top
from hedgecore.registry import lookup


def keep_count(total: int, sparsity: float) -> int:
    """round((1 - sparsity) * total), and at least one.

    Raises:
        ValueError: ``sparsity`` outside [0, 1).
    """
    if not 0 <= sparsity < 1:
        raise ValueError(
            f"sparsity must lie in [0, 1), got {sparsity}; "
            "0 is dense, and at 1 no weight is left to train"
        )
    return max(1, round((1 - sparsity) * total))


def levels(sparsity: float, rounds: int) -> tuple[float, ...]:
    """Sparsities of ``rounds`` prunings that each remove the same share of the remaining weights.

        s_r = 1 - (1 - s)^(r / rounds),    r = 1 ... rounds

    They are shares of all weights, so each level determines the number kept by itself; the last is
    exactly ``sparsity``.

    Raises:
        ValueError: ``sparsity`` outside [0, 1), ``rounds`` below 1.
    """
    keep_count(1, sparsity)
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}; 1 is one-shot pruning")
    gradual = (-expm1(r / rounds * log1p(-sparsity)) for r in range(1, rounds))
    return (*gradual, sparsity)


def best(
    scores: Mapping[str, Tensor],
    *,
    sparsity: float,
    scope: str = "global",
    min_kept: int = 1,
    within: Mapping[str, Tensor] | None = None,
) -> Mask:
    """Mask that keeps the largest ``scores``.

    Ties go to the earlier weight of the earlier layer.

    Args:
        scores: one matrix per layer, in the order of the network.
        sparsity: share of all weights to remove, in [0, 1); exact to one weight over all layers.
        scope: allocation to layers; see ``SCOPES``.
        min_kept: minimum number of weights per layer, so that no layer collapses; all weights of a
            layer with fewer.
        within: mask of the remaining weights; the others stay removed, whatever their scores.
    Raises:
        ValueError: unknown scope, sparsity outside [0, 1), too few weights for ``min_kept`` per
            layer or too few ``within``, a NaN score.
    """
    allocate = lookup(SCOPES, scope, kind="scope")
    support = {
        n: torch.ones_like(s, dtype=torch.bool) if within is None else within[n]
        for n, s in scores.items()
    }
    candidates = [s[support[n]] for n, s in scores.items()]
    total = sum(s.numel() for s in scores.values())
    count, available = keep_count(total, sparsity), sum(c.numel() for c in candidates)
    if count > available:
        raise ValueError(
            f"sparsity {sparsity:g} keeps {count} of {total} weights, but only {available} are "
            "left; raise sparsity"
        )
    floors = [min(min_kept, c.numel()) for c in candidates]
    if sum(floors) > count:
        raise ValueError(
            f"sparsity {sparsity:g} keeps {count} of {total} weights, too few for {min_kept} "
            f"in each of {len(floors)} layers; lower sparsity or widen the network"
        )
    counts = allocate([s.shape for s in scores.values()], candidates, count, floors)
    chosen = map(top, candidates, counts)
    return {n: m.masked_scatter(m, c) for (n, m), c in zip(support.items(), chosen, strict=True)}


def _global(
    _: list[torch.Size], candidates: list[Tensor], count: int, floors: list[int]
) -> list[int]:
    # The best ``min_kept`` of every layer are kept; the rest of the budget goes to the best
    # overall.
    scores, safe = torch.cat(candidates), torch.cat(list(map(top, candidates, floors)))
    chosen = safe.masked_scatter(~safe, top(scores[~safe], count - sum(floors)))
    return [int(part.sum()) for part in chosen.split([c.numel() for c in candidates])]


def _shares(
    shapes: list[torch.Size],
    candidates: list[Tensor],
    count: int,
    floors: list[int],
    *,
    claim: Callable[[torch.Size], int],
) -> list[int]:
    """``count`` split in proportion to claims, within each layer's floor and its candidates.

    The other layers share what exceeds a layer's capacity. Fractions keep the whole exact; the
    last few weights go to the largest remainders, ties to the earlier layer.
    """
    claims, caps = list(map(claim, shapes)), [c.numel() for c in candidates]

    def counts_at(level: Fraction) -> list[Fraction]:
        bounds = zip(claims, floors, caps, strict=True)
        return [
            min(max(level * claim, Fraction(floor)), Fraction(cap)) for claim, floor, cap in bounds
        ]

    # The sum over layers increases with the level, linearly between the points where a layer
    # leaves its floor or reaches its cap.
    bends = [Fraction(0)]
    bends += sorted(
        Fraction(b, c) for bs in (floors, caps) for b, c in zip(bs, claims, strict=True)
    )
    above = bisect_left(bends, Fraction(count), key=lambda level: Fraction(sum(counts_at(level))))
    low, high = counts_at(bends[max(above - 1, 0)]), counts_at(bends[above])
    rise = sum(high) - sum(low)
    way = (count - sum(low)) / rise if rise else Fraction(0)
    exact = [a + way * (b - a) for a, b in zip(low, high, strict=True)]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: shares[i] - exact[i])
    for i in by_remainder[: count - sum(shares)]:
        shares[i] += 1
    return shares


Allocation = Callable[[list[torch.Size], list[Tensor], int, list[int]], list[int]]
"""Shapes of layers, scores of their candidates, weights to keep, minimum per layer -> counts."""

# "global" ranks all weights together, "layerwise" keeps the same share of every layer, "erk" keeps
# in proportion to a layer's inputs + outputs (Evci et al. 2020, for matrices).
SCOPES: Mapping[str, Allocation] = {
    "global": _global,
    "layerwise": partial(_shares, claim=torch.Size.numel),
    "erk": partial(_shares, claim=sum),
}
