"""What a trained hedge is worth on paths it never saw."""

import math
from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from hedgecore.hedging.config import EvaluationConfig
from hedgecore.hedging.pnl import Outcome
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths
from hedgecore.market.payoffs import EuropeanCall
from hedgecore.market.pricing import heston_call
from hedgecore.metrics import pnl_metrics
from hedgecore.risk import cvar
from hedgecore.rng import stream


def evaluate(
    problem: HedgingProblem, theta: Mapping[str, Tensor], paths: MarketPaths, *, seed: int
) -> tuple[dict[str, float], Float[Tensor, " paths"]]:
    """Every test metric, CVaR under every attack of the study's evaluation, and the clean P&L.

    Attacked columns read ``attacked_cvar_05@path_pgd:0.1``: metric, threat model, attack, epsilon.
    """
    outcome = problem.outcomes(theta, paths)
    row = measured(problem.study, outcome, paths)
    for column, epsilon in attacked_columns(problem.study.evaluation).items():
        row[column] = attacked_cvar(problem, theta, paths, epsilon=epsilon, seed=seed)
    return row, outcome.pnl


def attacked_columns(evaluation: EvaluationConfig) -> dict[str, float]:
    """The budget of every attack of ``evaluation``, by the column of CVaR under it."""
    return {f"attacked_cvar_05@path_{evaluation.attack}:{e:g}": e for e in evaluation.epsilons}


def attacked_cvar(
    problem: HedgingProblem,
    theta: Mapping[str, Tensor],
    paths: MarketPaths,
    *,
    epsilon: float,
    seed: int,
    split: Literal["val", "test"] = "test",
) -> float:
    """Mean P&L of the worst 5 % of ``paths`` under the attack of the study's evaluation.

    Args:
        problem: gives the attack.
        theta: parameters of the hedge.
        paths: what is attacked.
        epsilon: budget of the attack, in price units.
        seed: names the stream of random starts, together with ``split`` and ``epsilon``.
        split: which of the study's paths these are.
    """
    attacked = problem.outcomes(
        theta,
        paths,
        attack=problem.study.evaluation.at(epsilon),
        generator=stream(seed, "attack", split, str(epsilon)),
    )
    return float(cvar(attacked.pnl.double(), tail=0.05))


def measured(study: TicketStudy, outcome: Outcome, paths: MarketPaths) -> dict[str, float]:
    """The metrics of ``outcome``, whoever hedged."""
    payoff = EuropeanCall(study.option.strike).payoff(paths.spot)
    price = heston_call(
        study.market.heston, strike=study.option.strike, maturity=study.market.maturity
    )
    growth = math.exp(study.market.rate * study.market.maturity)
    if study.cost.financing:
        payoff = payoff / growth
    else:
        price *= growth
    return pnl_metrics(
        outcome.pnl,
        price=price,
        unhedged=-payoff,
        turnover=outcome.turnover,
        cost=outcome.cost,
    )
