"""How weights are chosen: a score for each weight, and how many of the best each layer keeps."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from hedgecore.pruning.mask import Mask, Parameters, top
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


def magnitude(parameters: Parameters, names: list[str]) -> dict[str, Tensor]:
    """|w| of every weight in ``names``; a lottery ticket takes them from the trained network."""
    return {name: parameters[name].detach().abs() for name in names}


def random(
    parameters: Parameters, names: list[str], *, generator: torch.Generator
) -> dict[str, Tensor]:
    """A uniform draw for every weight in ``names``: what a ticket must beat."""
    return {
        n: torch.rand(parameters[n].shape, generator=generator).to(parameters[n].device)
        for n in names
    }


def best(
    scores: Mapping[str, Tensor], *, sparsity: float, scope: str = "global", min_kept: int = 1
) -> Mask:
    """The mask that keeps the largest ``scores``.

    Ties go to the earlier weight of the earlier layer.

    Args:
        scores: one tensor a layer, in the order of the network.
        sparsity: share to remove, in [0, 1); exact to one weight over all layers.
        scope: "global" ranks all weights together, "layerwise" each layer on its own.
        min_kept: least number of weights a layer keeps, so that no layer collapses.
    Raises:
        ValueError: unknown scope, sparsity outside [0, 1), too few weights for ``min_kept`` a
            layer, a NaN score.
    """
    select = lookup(SCOPES, scope, kind="scope")
    sizes = [s.numel() for s in scores.values()]
    count = keep_count(sum(sizes), sparsity)
    floors = [min(min_kept, size) for size in sizes]
    if sum(floors) > count:
        raise ValueError(
            f"sparsity {sparsity:g} keeps {count} of {sum(sizes)} weights, too few for {min_kept} "
            f"in each of {len(sizes)} layers; lower sparsity or widen the network"
        )
    flat = [s.flatten() for s in scores.values()]
    chosen = torch.cat(select(flat, count, floors)).split(sizes)
    return {n: part.view(s.shape) for (n, s), part in zip(scores.items(), chosen, strict=True)}


def _global(scores: list[Tensor], count: int, floors: list[int]) -> list[Tensor]:
    # Guard first: the best of every layer are safe; the rest of the budget goes to the best
    # anywhere.
    safe = torch.cat([top(s, floor) for s, floor in zip(scores, floors, strict=True)])
    return [top(torch.where(safe, torch.inf, torch.cat(scores)), count)]


def _layerwise(scores: list[Tensor], count: int, floors: list[int]) -> list[Tensor]:
    shares = _shares([s.numel() for s in scores], count, floors)
    return [top(s, k) for s, k in zip(scores, shares, strict=True)]


def _shares(sizes: list[int], count: int, floors: list[int]) -> list[int]:
    """``count`` split in proportion to ``sizes`` into whole numbers, none below its floor."""
    exact = [count * size / sum(sizes) for size in sizes]
    shares = [max(floor, int(share)) for share, floor in zip(exact, floors, strict=True)]
    while missing := count - sum(shares):
        step = 1 if missing > 0 else -1
        # The layer furthest from its exact share gives or takes one, if it can.
        able = [i for i, s in enumerate(shares) if (s < sizes[i] if step > 0 else s > floors[i])]
        shares[max(able, key=lambda i: step * (exact[i] - shares[i]))] += step
    return shares


SCOPES: Mapping[str, Callable[[list[Tensor], int, list[int]], list[Tensor]]] = {
    "global": _global,
    "layerwise": _layerwise,
}
