"""Divergence of a hedge: a network that loses more than no hedge does.

A network whose positions grow with its own past may run away without a number ever becoming
infinite. It serves neither as a hedge nor as a reference for others.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from hedgecore.hedging.baselines import BaselineHedge
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.market.paths import MarketPaths
from hedgecore.risk import cvar

_TAIL = 0.05


def divergence(
    problem: HedgingProblem,
    theta: Mapping[str, Tensor],
    paths: MarketPaths,
    *,
    lr: str = "training.lr",
    epochs: str = "training.epochs",
) -> str | None:
    """Reason why the hedge ``theta`` counts as diverged; None if it loses less than no hedge.

    Both are measured by CVaR 5 % on the same clean ``paths``. These are the validation paths, as
    for every other choice among networks: no number of the test decides which of them a table
    holds. A network trained under attack is judged on clean paths too.

    Args:
        problem: network, costs and option.
        theta: parameters of the hedge.
        paths: validation paths.
        lr: key of the study that sets the learning rate of ``theta``.
        epochs: key of its number of epochs.
    """
    hedged = float(cvar(problem.outcomes(theta, paths).pnl.double(), tail=_TAIL))
    standardisation = Standardisation(mean=problem.network.mean, sd=problem.network.sd)
    flat = BaselineHedge(problem.study, standardisation, lambda spot, _: torch.zeros_like(spot))
    none = HedgingProblem(problem.study, flat).outcomes({}, paths)
    unhedged = float(cvar(none.pnl.double(), tail=_TAIL))
    # Not "<", which NaN would pass.
    if hedged >= unhedged:
        return None
    return (
        f"validation CVaR 5 % {hedged:.6g} is worse than {unhedged:.6g} without a hedge; raise "
        f"{epochs}, change {lr} or widen network.hidden"
    )
