"""Pruning criteria: scores of weights, and the mask of the best; each names the network it reads.

===================== ============================================ ===========================
criterion             score, the largest are kept                  read from
===================== ============================================ ===========================
magnitude             ``|w|``                                      the trained network
lamp                  ``w^2`` over those of its layer not smaller  the trained network
snip                  ``|w dL/dw|``                                the initial network, a loss
grasp                 ``w (H g)``                                  the initial network, a loss
synflow               ``|w dR/dw|``                                the initial network
random                uniform                                      shapes alone
random_like_magnitude ``|w|``, shuffled within its layer           the trained network
===================== ============================================ ===========================
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from hedgecore.pruning import mask as masks
from hedgecore.pruning.allocation import best, keep_count, levels
from hedgecore.pruning.mask import Mask, Parameters
from hedgecore.registry import lookup

Loss = Callable[[Parameters], Tensor]
Scores = dict[str, Tensor]


@runtime_checkable
class Score(Protocol):
    """Scores of the weights in ``within``, in its order; the parameters are unchanged.

    Args:
        parameters: zero wherever ``within`` is False.
        within: the remaining weights; scores of the others are ignored.
        loss: scalar function of all parameters, smaller is better.
        generator: on the CPU.
    """

    def __call__(
        self, parameters: Parameters, within: Mask, *, loss: Loss, generator: Generator
    ) -> Scores:
        """See :class:`Score`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """Score, and its use.

    Args:
        score: score of every weight; the largest are kept.
        at_init: True if it reads initial weights or none, so that no trained network is needed.
        rounds: levels up to the requested sparsity, with new scores at each.
    """

    score: Score
    at_init: bool = False
    rounds: int = 1


def find_mask(
    criterion: str,
    parameters: Parameters,
    names: list[str],
    *,
    sparsity: float,
    scope: str = "global",
    min_kept: int = 1,
    within: Mask | None = None,
    loss: Loss,
    generator: Generator,
) -> Mask:
    """Mask over ``names`` that keeps the best weights by ``criterion``.

    Args:
        criterion: an entry of ``CRITERIA``.
        parameters: all parameters of the network to score, in its order.
        names: weights that may be pruned; see ``hedgecore.pruning.mask.prunable``.
        sparsity: share of the weights in ``names`` to remove, in [0, 1); exact to one weight.
        scope: allocation to layers; an entry of ``hedgecore.pruning.allocation.SCOPES``.
        min_kept: minimum number of weights per layer.
        within: an earlier, wider mask; its removed weights stay removed.
        loss: function that "snip" and "grasp" differentiate; unused by the others.
        generator: source of the random criteria; unused by the others.
    Raises:
        ValueError: unknown criterion, or as in ``hedgecore.pruning.allocation.best``.
    """
    chosen = lookup(CRITERIA, criterion, kind="criterion")
    mask = {
        n: torch.ones_like(parameters[n], dtype=torch.bool) if within is None else within[n]
        for n in names
    }
    for level in levels(sparsity, chosen.rounds):
        # Levels below the sparsity of an earlier mask are skipped, except the last, which raises.
        if level < sparsity and keep_count(masks.total(mask), level) >= masks.weights(mask):
            continue
        scores = chosen.score(masks.apply(parameters, mask), mask, loss=loss, generator=generator)
        mask = best(scores, sparsity=level, scope=scope, min_kept=min_kept, within=mask)
    return mask


def magnitude(parameters: Parameters, within: Mask, *, loss: Loss, generator: Generator) -> Scores:
    """|w| of every weight."""
    return {n: parameters[n].detach().abs() for n in within}


def lamp(parameters: Parameters, within: Mask, *, loss: Loss, generator: Generator) -> Scores:
    """w_u^2 over the sum of w_v^2 for all v of the layer with |w_v| >= |w_u|, in float64.

    The score is the weight's share of the layer's energy after removal of all smaller weights, so
    one threshold for all layers keeps at least the largest weight of each. Equal weights have
    equal scores; a zero scores zero.

    Source: Lee et al. (2021).
    """
    return {n: _lamp(parameters[n].detach().double().square()) for n in within}


def _lamp(energy: Tensor) -> Tensor:
    falling, order = energy.flatten().sort(descending=True)
    # Equal weights share the sum up to the last of them.
    ties = falling.unique_consecutive(return_counts=True)[1]
    sums = falling.cumsum(0)[ties.cumsum(0) - 1].repeat_interleave(ties)
    shares = torch.where(falling > 0, falling / sums, 0)
    return torch.empty_like(shares).scatter_(0, order, shares).view_as(energy)


@torch.enable_grad()
def snip(parameters: Parameters, within: Mask, *, loss: Loss, generator: Generator) -> Scores:
    """|w dL/dw|: first-order change of the loss if the weight alone is removed.

    Source: Lee et al. (2019).
    """
    weights, slopes = _slopes(parameters, within, loss)
    return {n: (w * g).detach().abs() for (n, w), g in zip(weights.items(), slopes, strict=True)}


@torch.enable_grad()
def grasp(parameters: Parameters, within: Mask, *, loss: Loss, generator: Generator) -> Scores:
    """w (H g), signed: half the first-order loss of descent |g|^2 if the weight is removed.

    Removing a weight of positive score slows the loss's first steps, so it is kept; the most
    negative go first. g and H are taken over the weights in ``within`` alone, not the biases.

    Source: Wang et al. (2020), whose score is minus this one, the largest removed.
    """
    weights, slopes = _slopes(parameters, within, loss, create_graph=True)
    descent = torch.stack([g.square().sum() for g in slopes]).sum() / 2
    products = _gradient(descent, weights)
    return {n: (w * h).detach() for (n, w), h in zip(weights.items(), products, strict=True)}


def _slopes(
    parameters: Parameters, within: Mask, loss: Loss, *, create_graph: bool = False
) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
    """The weights, as leaves of a separate graph, and dL/dw; zero outside ``within``."""
    weights = {n: parameters[n].detach().requires_grad_() for n in within}
    constants = {n: p.detach() for n, p in parameters.items()}
    value = loss(masks.apply({**constants, **weights}, within))
    return weights, _gradient(value, weights, create_graph=create_graph)


def _gradient(
    value: Tensor, weights: Mapping[str, Tensor], *, create_graph: bool = False
) -> tuple[Tensor, ...]:
    return torch.autograd.grad(
        value, tuple(weights.values()), create_graph=create_graph, materialize_grads=True
    )


def synflow(parameters: Parameters, within: Mask, *, loss: Loss, generator: Generator) -> Scores:
    """|w dR/dw| of the flow R = 1' |W_L| ... |W_1| 1, in float64; neither data nor loss.

    Every layer's scores sum to R, so weights of a layer with fewer remaining ones score higher:
    with new scores at every level, no layer becomes empty. The layers are all weight matrices in
    the order of ``parameters``, including those that are never pruned.

    Source: Tanaka et al. (2020).
    """
    layers = {n: parameters[n].detach().abs().double() for n in masks.prunable(parameters)}
    first = next(iter(layers.values()))
    arriving, flow = {}, first.new_ones(first.shape[1])
    for name, w in layers.items():
        arriving[name] = flow
        flow = w @ flow
    scores, leaving = {}, torch.ones_like(flow)
    for name, w in reversed(layers.items()):
        scores[name] = leaving[:, None] * w * arriving[name]
        leaving = leaving @ w
    return {n: scores[n] for n in within}


def random(parameters: Parameters, within: Mask, *, loss: Loss, generator: Generator) -> Scores:
    """Uniform draw for every weight: the control."""
    return {n: torch.rand(m.shape, generator=generator).to(m.device) for n, m in within.items()}


def random_like_magnitude(
    parameters: Parameters, within: Mask, *, loss: Loss, generator: Generator
) -> Scores:
    """|w|, shuffled within each layer: each keeps as many weights as by magnitude, at random.

    Source: the layer-wise shuffle of Frankle et al. (2021).
    """
    scores = {}
    for name, mask in within.items():
        values = parameters[name].detach().abs()
        order = torch.randperm(masks.weights({name: mask}), generator=generator).to(values.device)
        scores[name] = values.masked_scatter(mask, values[mask][order])
    return scores


CRITERIA: Mapping[str, Criterion] = {
    "magnitude": Criterion(score=magnitude),
    "lamp": Criterion(score=lamp),
    "snip": Criterion(score=snip, at_init=True),
    "grasp": Criterion(score=grasp, at_init=True),
    "synflow": Criterion(score=synflow, at_init=True, rounds=100),
    "random": Criterion(score=random, at_init=True),
    "random_like_magnitude": Criterion(score=random_like_magnitude),
}
