"""The baseline hedges of a study, and their tests in every market and under every attack."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial

from hedgecore.hedging.band import Band, fitted
from hedgecore.hedging.baselines import BASELINES, BaselineHedge, tabulated
from hedgecore.hedging.evaluate import evaluate
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.preparation import Preparation
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths

NO_TRADE_BAND = "no_trade_band"
"""The minimum-variance delta with a no-trade band, whose parameters are among its metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineHedges:
    """Every baseline hedge, as a problem whose ``theta`` is ``{}``, and the fitted band."""

    problems: Mapping[str, HedgingProblem]
    band: Band

    @classmethod
    def of(
        cls,
        study: TicketStudy,
        standardisation: Standardisation,
        data: Mapping[str, MarketPaths],
    ) -> "BaselineHedges":
        """Hedges for all markets in ``data``; the band is fitted on the validation paths."""
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
        return cls(problems=problems, band=band)

    def metrics(
        self, data: Mapping[str, MarketPaths], *, seed: int
    ) -> dict[str, dict[str, float]]:
        """Metrics of every hedge, as of a trained one; the band's parameters are among its own."""
        rows = {
            name: evaluate(problem, {}, data, seed=seed)[0]
            for name, problem in self.problems.items()
        }
        rows[NO_TRADE_BAND] |= {f"band_{n}": value for n, value in asdict(self.band).items()}
        return rows


def baselines(study: TicketStudy, preparation: Preparation) -> dict[str, dict[str, float]]:
    """Metrics of every baseline hedge of ``preparation``; see :meth:`BaselineHedges.metrics`.

    No trial depends on them, so that a sweep computes them beside its trials.
    """
    hedges = BaselineHedges.of(study.base_study(), preparation.standardisation, preparation.data)
    return hedges.metrics(preparation.data, seed=preparation.seed)


def _largest_shift(study: TicketStudy) -> float:
    """Largest shift of a variance under the attacks with a budget per path."""
    attacks = study.evaluation.attacks.values()
    return max((a.epsilon / a.variance_scale for a in attacks), default=0.0)
