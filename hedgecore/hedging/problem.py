"""The hedging problem of one study: from parameters and paths to P&L, clean or under attack."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.attacks.pathwise import ATTACKS, Paths
from hedgecore.hedging import features
from hedgecore.hedging.config import AttackConfig
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.network import HedgingNetwork, positions
from hedgecore.hedging.pnl import Outcome, settle
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths
from hedgecore.market.payoffs import EuropeanCall
from hedgecore.risk import Risk

# Paths evaluated at once: large enough to be quick, small enough for the processor's cache.
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class HedgingProblem:
    """A study with its network; pure functions of parameters and paths."""

    study: TicketStudy
    network: HedgingNetwork

    @classmethod
    def of(cls, study: TicketStudy, standardisation: Standardisation) -> "HedgingProblem":
        """The problem of ``study`` on features standardised by ``standardisation``."""
        return cls(study, HedgingNetwork(study.network.hidden, standardisation))

    @property
    def measure(self) -> Risk:
        """The risk that training minimises."""
        return self.study.risk.measure

    def outcome(
        self,
        theta: Mapping[str, Tensor],
        spot: Float[Tensor, "paths dates"],
        variance: Float[Tensor, "paths dates"],
    ) -> Outcome:
        """P&L, cost and turnover of the hedge ``theta``.

        Features and payoff follow from the paths given.
        """
        strike = self.study.option.strike
        exogenous = features.exogenous(spot, variance, strike=strike)
        return settle(
            positions(self.network, theta, exogenous, spot),
            spot,
            EuropeanCall(strike).payoff(spot),
            cost=self.study.cost,
            market=self.study.market,
        )

    def attacked(
        self,
        theta: Mapping[str, Tensor],
        spot: Float[Tensor, "paths dates"],
        variance: Float[Tensor, "paths dates"],
        *,
        attack: AttackConfig,
        generator: torch.Generator,
    ) -> Paths:
        """Paths within the attack's budget on which ``theta`` does badly (threat model A2).

        The budget holds path by path, so for a monotone risk the worst case of the whole sample is
        the worst P&L
        of every path: that is what the attack minimises. (The loss of CVaR itself is flat outside
            the tail.)
        Epsilon 0 returns the paths themselves and draws nothing.
        """
        if attack.epsilon == 0:
            return spot, variance
        fixed = {name: value.detach() for name, value in theta.items()}

        def loss(s: Tensor, v: Tensor) -> Tensor:
            pnl = self.outcome(fixed, s, v).pnl
            if self.measure.monotone:
                return -pnl
            return self.measure.loss(pnl, self.measure.optimal_y(pnl).detach())

        ball = attack.ball
        found = ATTACKS[attack.name](
            loss, (spot, variance), ball, steps=attack.steps, generator=generator
        )
        return ball.project(found[0].detach(), found[1].detach(), around=(spot, variance))

    def outcomes(
        self,
        theta: Mapping[str, Tensor],
        paths: MarketPaths,
        *,
        attack: AttackConfig | None = None,
        generator: torch.Generator | None = None,
    ) -> Outcome:
        """P&L, cost and turnover on all of ``paths``, in chunks and without gradients.

        Args:
            theta: parameters of the hedge.
            paths: the true market.
            attack: evaluate on attacked paths instead; needs ``generator`` for random starts.
            generator: see ``attack``.
        """
        parts = []
        for spot, variance in _chunks(paths):
            if attack is not None:
                assert generator is not None, "an attack draws its starting points"
                spot, variance = self.attacked(
                    theta, spot, variance, attack=attack, generator=generator
                )
            with torch.no_grad():
                parts.append(self.outcome(theta, spot, variance))
        return Outcome(
            pnl=torch.cat([p.pnl for p in parts]),
            cost=torch.cat([p.cost for p in parts]),
            turnover=torch.cat([p.turnover for p in parts]),
        )


def _chunks(paths: MarketPaths) -> Iterator[tuple[Tensor, Tensor]]:
    yield from zip(paths.spot.split(CHUNK), paths.variance.split(CHUNK), strict=True)
