"""Feature importance of a hedge: the weight of each of its 8 features, by four measures.

The first layer's weights, raw and scaled, show which features a network can use; integrated
gradients their effect on its positions, in shares; permutation their effect on its risk, in
currency. The measures need not agree. Every result is in the order of ``FEATURE_NAMES``.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hedgecore.hedging.compiled import positions
from hedgecore.hedging.features import (
    EXOGENOUS_NAMES,
    FEATURE_NAMES,
    RECURRENT_NAMES,
    Standardisation,
    exogenous,
    recurrent,
)
from hedgecore.hedging.markets import first
from hedgecore.hedging.network import Strategy
from hedgecore.hedging.pnl import settle
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.market.paths import MarketPaths
from hedgecore.market.payoffs import call
from hedgecore.pruning.mask import prunable
from hedgecore.risk import cvar
from hedgecore.rng import stream


def interpretation(
    problem: HedgingProblem,
    theta: Mapping[str, Tensor],
    mask: Mapping[str, Tensor],
    paths: MarketPaths,
    *,
    seed: int,
) -> dict[str, Float[Tensor, "8"]]:
    """Importances by every measure of this module, on the first ``paths``; float32, on the CPU.

    Empty if the study interprets no paths. ``seed`` names the stream of permutations, shared by
    all hedges of a seed.
    """
    count = problem.study.evaluation.interpreted_paths
    if count == 0:
        return {}
    network, paths = problem.network, first(paths, count)
    raw, scaled = first_layer_importance(theta, Standardisation(network.mean, network.sd))
    measures = {
        "importance_raw": raw,
        "importance_scaled": scaled,
        "importance_permutation": permutation_importance(
            problem, theta, paths, generator=stream(seed, "interpretation")
        ),
        "importance_gradients": integrated_gradients(problem, theta, paths),
        "connections": connections(theta, mask),
        "connections_live": live_connections(theta, mask),
    }
    return {name: value.float().cpu() for name, value in measures.items()}


def first_layer_importance(
    theta: Mapping[str, Tensor], standardisation: Standardisation
) -> tuple[Float[Tensor, "8"], Float[Tensor, "8"]]:
    """Each feature's share of the first layer's absolute weights: raw, and scaled.

    The weights of ``theta`` act on standardised features. The scaled shares compare them
    unchanged: the effect of one standard deviation of a feature. The raw shares are those of the
    same network on features in their own units, so features with small values get more. Both are
    all 0 if every first-layer weight is 0.
    """
    scaled = theta[prunable(theta)[0]].detach().abs().sum(dim=0)
    return _shares(scaled / standardisation.sd), _shares(scaled)


@torch.no_grad()
def permutation_importance(
    problem: HedgingProblem,
    theta: Mapping[str, Tensor],
    paths: MarketPaths,
    *,
    generator: torch.Generator,
    tail: float = 0.05,
    repeats: int = 2,
) -> Float[Tensor, "8"]:
    """Permutation importance: fall of CVaR with one feature taken from another path, in currency.

    Only the network's input is exchanged, with the same other path at all dates: prices, payoff,
    and the hedge's actual position, gains and volume stay unchanged. A feature that is not read
    has exactly 0, a misleading one less than 0. Time to maturity is the same on all paths, so it
    is shifted forward by a random number of dates per path, modulo the number of dates.

    Args:
        problem: network, costs and option.
        theta: parameters of the hedge.
        paths: the true market.
        generator: source of the exchanges, which all features share.
        tail: share of worst paths in (0, 1].
        repeats: number of exchanges in the mean.
    Raises:
        ValueError: ``tail`` outside (0, 1].
    """
    study, spot = problem.study, paths.spot
    payoff = call(spot[:, -1], study.option.strike)
    truth = _exogenous(problem, paths)

    def tail_mean(position: Tensor) -> Tensor:
        outcome = settle(position, spot, payoff, cost=study.cost, market=study.market)
        return cvar(outcome.pnl.double(), tail=tail)

    clean = tail_mean(positions(problem.network, theta, truth, spot))
    falls = torch.zeros(len(FEATURE_NAMES), dtype=clean.dtype, device=clean.device)
    for _ in range(repeats):
        exchange = torch.randperm(paths.paths, generator=generator).to(spot.device)
        ahead = torch.randint(paths.steps, (paths.paths, 1), generator=generator).to(spot.device)
        for i, name in enumerate(FEATURE_NAMES):
            position = _exchanged(problem.network, theta, truth, spot, name, exchange, ahead)
            falls[i] += clean - tail_mean(position)
    return falls / repeats


def integrated_gradients(
    problem: HedgingProblem, theta: Mapping[str, Tensor], paths: MarketPaths, *, nodes: int = 8
) -> Float[Tensor, "8"]:
    """Mean absolute value of :func:`attributions` over paths and dates, in shares."""
    return attributions(problem, theta, paths, nodes=nodes).abs().mean(dim=(0, 1))


@torch.enable_grad()
def attributions(
    problem: HedgingProblem, theta: Mapping[str, Tensor], paths: MarketPaths, *, nodes: int = 8
) -> Float[Tensor, "paths steps 8"]:
    """Contribution in shares of each feature to the position at every date: integrated gradients.

        (x_i - b_i) * integral_0^1 df/dx_i (b + a (x - b)) da,    b the mean of the training paths

    where f is the network of a single date and x its input there, including its actual past. Their
    sum over the features is f(x) - f(b), up to the error of the midpoint rule with ``nodes``
    points. A feature at its mean contributes 0; time to maturity contributes like the others.

    Source: Sundararajan, Taly and Yan (2017).
    """
    network, constants = problem.network, {name: p.detach() for name, p in theta.items()}
    inputs = _exogenous(problem, paths)
    with torch.no_grad():
        position = positions(network, constants, inputs, paths.spot)
    x = torch.cat([inputs, recurrent(position, paths.spot)], dim=-1).flatten(0, 1)
    deviation = x - network.mean
    slopes = torch.zeros_like(x)
    for node in range(nodes):
        at = (network.mean + (node + 0.5) / nodes * deviation).requires_grad_()
        slopes += torch.autograd.grad(_single_date(network, constants, at).sum(), at)[0]
    return (deviation * slopes / nodes).unflatten(0, position.shape)


def connections(theta: Mapping[str, Tensor], mask: Mapping[str, Tensor]) -> Int[Tensor, "8"]:
    """Number of kept first-layer weights of each feature; all if ``mask`` lacks the layer."""
    return _layer_masks(theta, mask)[0].sum(dim=0)


def live_connections(theta: Mapping[str, Tensor], mask: Mapping[str, Tensor]) -> Int[Tensor, "8"]:
    """Number of :func:`connections` that reach the position through kept weights."""
    layers = _layer_masks(theta, mask)
    reaches = torch.ones_like(layers[-1][:, 0])
    for layer in layers[:0:-1]:
        reaches = (layer & reaches[:, None]).any(dim=0)
    return (layers[0] & reaches[:, None]).sum(dim=0)


def _shares(sizes: Float[Tensor, "8"]) -> Float[Tensor, "8"]:
    return sizes / sizes.sum().clamp(min=torch.finfo(sizes.dtype).tiny)


def _exogenous(problem: HedgingProblem, paths: MarketPaths) -> Float[Tensor, "paths steps 5"]:
    return exogenous(paths.spot, paths.variance, strike=problem.study.option.strike)


def _exchanged(
    network: Strategy,
    theta: Mapping[str, Tensor],
    truth: Float[Tensor, "paths steps 5"],
    spot: Float[Tensor, "paths steps+1"],
    name: str,
    exchange: Int[Tensor, " paths"],
    ahead: Int[Tensor, "paths 1"],
) -> Float[Tensor, "paths steps"]:
    """Shares held by a hedge that reads ``name`` from another path, or ``ahead`` of time."""
    if name in RECURRENT_NAMES:
        column = RECURRENT_NAMES.index(name)
        return positions(
            network, theta, truth, spot, lambda past: _replaced(past, column, past[exchange])
        )
    if name == "time_to_maturity":
        paths, steps, _ = truth.shape
        path, date = (torch.arange(n, device=truth.device) for n in (paths, steps))
        source = truth[path[:, None], (date + ahead) % steps]
    else:
        source = truth[exchange]
    inputs = _replaced(truth, EXOGENOUS_NAMES.index(name), source)
    return positions(network, theta, inputs, spot)


def _replaced(features: Tensor, column: int, source: Tensor) -> Tensor:
    features = features.clone()
    features[..., column] = source[..., column]
    return features


def _single_date(
    network: Strategy, theta: Mapping[str, Tensor], x: Float[Tensor, "points 8"]
) -> Float[Tensor, " points"]:
    """Shares held by the network on inputs ``x``."""
    inputs, past = x.split((len(EXOGENOUS_NAMES), len(RECURRENT_NAMES)), dim=1)
    no_moves = x.new_zeros(len(x), 2)
    return positions(network, theta, inputs[:, None], no_moves, lambda _: past).squeeze(1)


def _layer_masks(theta: Mapping[str, Tensor], mask: Mapping[str, Tensor]) -> list[Tensor]:
    """Masks of all layers, in the order of the network."""
    return [mask.get(n, torch.ones_like(theta[n], dtype=torch.bool)) for n in prunable(theta)]
