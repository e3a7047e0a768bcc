"""Control variate of a study's test CVaR: the P&L of the minimum-variance delta.

Its mean influence comes from a pilot of ``evaluation.control_paths`` new paths of the same market.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.control_variate import Pilot, controlled_cvar
from hedgecore.hedging.baselines import MINIMUM_VARIANCE
from hedgecore.hedging.markets import simulated
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.market.paths import MarketPaths
from hedgecore.metrics import TAILS, cvar_name

# Paths simulated at once: simulation keeps several float64 copies.
_BLOCK = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """P&L of the control on the test paths, and its pilots by the name of their CVaR."""

    pnl: Float[Tensor, " paths"]
    pilots: Mapping[str, Pilot]

    @classmethod
    def of(cls, problem: HedgingProblem, test: MarketPaths, *, seed: int) -> "Control":
        """Control by the hedge of ``problem``, which has no trained weights."""
        study, parts = problem.study, []
        for first in range(0, study.evaluation.control_paths, _BLOCK):
            count = min(_BLOCK, study.evaluation.control_paths - first)
            heston = study.market.heston
            paths = simulated(study, heston, count, seed, "control", str(first // _BLOCK))
            parts.append(problem.outcomes({}, paths).pnl)
        pnl = torch.cat(parts)
        return cls(
            pnl=problem.outcomes({}, test).pnl,
            pilots={cvar_name(tail): Pilot.of(pnl, tail=tail) for tail in TAILS},
        )

    @classmethod
    def restored(cls, pnl: Tensor, pilots: Mapping[str, Mapping[str, Any]]) -> "Control":
        """Control from the stored ``pnl`` and the facts of its pilots."""
        return cls(pnl=pnl, pilots={name: Pilot(**fields) for name, fields in pilots.items()})

    @property
    def about(self) -> dict[str, dict[str, float]]:
        """Facts of the pilots."""
        return {name: asdict(pilot) for name, pilot in self.pilots.items()}

    def columns(self, pnl: Float[Tensor, " paths"]) -> dict[str, float]:
        """Test CVaR of a hedge with clean test P&L ``pnl``, its standard error, and the gain."""
        row = {}
        for name, pilot in self.pilots.items():
            estimate = controlled_cvar(pnl, self.pnl, pilot=pilot)
            for end, value in (("", estimate.value), ("_se", estimate.se)):
                row[f"{name}_cv{end}@{MINIMUM_VARIANCE}"] = value
            row[f"{name}_cv_gain@{MINIMUM_VARIANCE}"] = estimate.gain
        return row
