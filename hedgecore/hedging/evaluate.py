"""Evaluation of a trained hedge on unseen paths and in other markets.

Columns of one family read ``metric@model:budget``: ``attacked_cvar_05@path_pgd:0.1`` is CVaR under
an attack with budget 0.1, ``cvar_05@regime:high_vol`` in another market. Their tail is that of the
evaluation.
"""

import math
from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from hedgecore.hedging.attack_config import AttackConfig, EvaluationConfig
from hedgecore.hedging.control import Control
from hedgecore.hedging.markets import attack_starts, first
from hedgecore.hedging.pnl import Outcome
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.params import HestonParams
from hedgecore.market.paths import MarketPaths
from hedgecore.market.payoffs import call
from hedgecore.market.pricing import heston_call
from hedgecore.market.regimes import regime
from hedgecore.metrics import pnl_metrics
from hedgecore.risk import cvar

NOT_FINITE = "attacks_not_finite"
"""Column of the number of attacks under which CVaR is not finite."""
ATTACKED_PATHS = "attacked_paths"
"""Place of clean CVaR on exactly the paths that are attacked: "cvar_05@attacked_paths"."""


def evaluate(
    problem: HedgingProblem,
    theta: Mapping[str, Tensor],
    data: Mapping[str, MarketPaths],
    *,
    seed: int,
    control: Control | None = None,
) -> tuple[dict[str, float], Float[Tensor, " paths"]]:
    """Every test metric, CVaR under every threat of the study's evaluation, and the clean P&L.

    ``data`` contains the study's markets and those of transferred attacks. With ``control``, clean
    CVaR is also estimated with this control variate.
    """
    evaluation, test = problem.study.evaluation, data["test"]
    measure, tail = evaluation.measure, evaluation.tail
    outcome = problem.outcomes(theta, test)
    row = measured(problem.study, outcome, test)
    if control is not None:
        row |= control.columns(outcome.pnl)
    if evaluation.attacks or evaluation.transfers:
        # On the same paths as under every attack: those may be the first of the test only.
        same = outcome.pnl[: evaluation.attacked_paths]
        row[f"{measure}@{ATTACKED_PATHS}"] = _cvar(same, tail=tail)
    for column, attack in attacked_columns(evaluation).items():
        row[column] = attacked_cvar(problem, theta, test, attack=attack, seed=seed)
    for name in evaluation.transfers:
        pnl = problem.outcomes(theta, data[name]).pnl
        row[f"attacked_{measure}@{name}"] = _cvar(pnl, tail=tail)
    if evaluation.attacks or evaluation.transfers:
        under = [value for name, value in row.items() if name.startswith("attacked_")]
        row[NOT_FINITE] = sum(not math.isfinite(value) for value in under)
    for name in evaluation.regimes:
        value = _cvar(problem.outcomes(theta, data[f"regime:{name}"]).pnl, tail=tail)
        row[f"{measure}@regime:{name}"] = value
        params = regime(problem.study.market.heston, name)
        row[f"{measure}_of_price@regime:{name}"] = value / _price(problem.study, params)
    if evaluation.shift:
        name = f"shift:{evaluation.shift:g}"
        pnl = problem.outcomes(theta, data[name]).pnl
        cvars = [_cvar(market, tail=tail) for market in pnl.split(evaluation.shift_paths)]
        row[f"{measure}@{name}"] = sum(cvars) / len(cvars)
        row[f"{measure}_worst@{name}"] = min(cvars)
    return row, outcome.pnl


def attacked_columns(evaluation: EvaluationConfig) -> dict[str, AttackConfig]:
    """CVaR under every attack of ``evaluation`` on the hedge itself, by column."""
    measure = evaluation.measure
    return {f"attacked_{measure}@{name}": attack for name, attack in evaluation.attacks.items()}


def attacked_cvar(
    problem: HedgingProblem,
    theta: Mapping[str, Tensor],
    paths: MarketPaths,
    *,
    attack: AttackConfig,
    seed: int,
    split: Literal["val", "test"] = "test",
) -> float:
    """Mean P&L of the evaluation's tail of ``paths`` under ``attack``, in currency.

    The stream of random starts is named by ``seed``, ``split`` and the attack.
    """
    evaluation = problem.study.evaluation
    paths, starts = (
        first(paths, evaluation.attacked_paths),
        attack_starts(attack, split, seed=seed),
    )
    outcome = problem.outcomes(theta, paths, attack=attack, generator=starts)
    return _cvar(outcome.pnl, tail=evaluation.tail)


def measured(study: TicketStudy, outcome: Outcome, paths: MarketPaths) -> dict[str, float]:
    """Metrics of the ``outcome`` of a hedge on ``paths``."""
    payoff = call(paths.spot[:, -1], study.option.strike)
    if study.cost.financing:
        payoff = payoff / _growth(study)
    return pnl_metrics(
        outcome.pnl,
        price=_price(study, study.market.heston),
        unhedged=-payoff,
        turnover=outcome.turnover,
        cost=outcome.cost,
    )


def _price(study: TicketStudy, params: HestonParams) -> float:
    """Price of the option in the market ``params``, in the same currency as P&L."""
    price = heston_call(params, strike=study.option.strike, maturity=study.market.maturity)
    return price if study.cost.financing else price * _growth(study)


def _growth(study: TicketStudy) -> float:
    return math.exp(study.market.rate * study.market.maturity)


def _cvar(pnl: Float[Tensor, " paths"], *, tail: float) -> float:
    return float(cvar(pnl.double(), tail=tail))
