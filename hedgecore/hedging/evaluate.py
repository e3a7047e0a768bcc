"""What a trained hedge is worth on paths it never saw."""

import math
from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

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
    evaluation = problem.study.evaluation
    for epsilon in evaluation.epsilons:
        attacked = problem.outcomes(
            theta,
            paths,
            attack=evaluation.at(epsilon),
            generator=stream(seed, "attack", "test", str(epsilon)),
        )
        column = f"attacked_cvar_05@path_{evaluation.attack}:{epsilon:g}"
        row[column] = float(cvar(attacked.pnl.double(), tail=0.05))
    return row, outcome.pnl


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
