"""Tests of the baseline hedges in every market and under every attack of an evaluation."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial

from hedgecore.hedging.band import fitted
from hedgecore.hedging.baselines import BASELINES, BaselineHedge, tabulated
from hedgecore.hedging.evaluate import evaluate
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths

NO_TRADE_BAND = "no_trade_band"
"""The minimum-variance delta with a no-trade band, whose parameters are among its metrics."""


def baseline_problems(
    study: TicketStudy, standardisation: Standardisation, data: Mapping[str, MarketPaths]
) -> tuple[dict[str, HedgingProblem], dict[str, dict[str, float]]]:
    """Problem of every baseline hedge by name, and its fitted parameters.

    The hedges have no trained weights: their ``theta`` is ``{}``. The no-trade band is fitted on
    the validation paths. ``data`` contains all markets that they will be tested in.
    """
    # The factor leaves room for attacks; beyond it the Greeks depend on the spot alone.
    most = 2 * max(float(paths.variance.max()) for paths in data.values())
    greeks = tabulated(study, largest_variance=most + _largest_shift(study))
    band = fitted(study, greeks, data["val"])
    rules = {name: partial(rule, study, greeks) for name, rule in BASELINES.items()}
    rules[NO_TRADE_BAND] = partial(band.positions, study, greeks)
    problems = {
        name: HedgingProblem(study, BaselineHedge(study, standardisation, rule))
        for name, rule in rules.items()
    }
    parameters = {f"band_{name}": value for name, value in asdict(band).items()}
    return problems, {NO_TRADE_BAND: parameters}


def baseline_metrics(
    study: TicketStudy,
    standardisation: Standardisation,
    data: Mapping[str, MarketPaths],
    *,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Metrics of every baseline hedge: those of a trained one, and its fitted parameters."""
    problems, parameters = baseline_problems(study, standardisation, data)
    return {
        name: {**evaluate(problem, {}, data, seed=seed)[0], **parameters.get(name, {})}
        for name, problem in problems.items()
    }


def _largest_shift(study: TicketStudy) -> float:
    """Largest shift of a variance under the attacks with a budget per path."""
    attacks = study.evaluation.attacks.values()
    return max((a.epsilon / a.variance_scale for a in attacks), default=0.0)
