"""The hedging problem of one study: from parameters and paths to P&L, clean or under attack."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from hedgecore.attacks.balls import Ball, FeatureBall, PathBall, Points, WassersteinBall
from hedgecore.hedging import compiled, features
from hedgecore.hedging.attack_config import AttackConfig
from hedgecore.hedging.features import EXOGENOUS_NAMES, Standardisation
from hedgecore.hedging.network import HedgingNetwork, Strategy, positions
from hedgecore.hedging.pnl import Outcome, settle
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths
from hedgecore.market.payoffs import call
from hedgecore.risk import Risk

# Paths evaluated at once: large enough to be quick, small enough for the processor's cache.
CHUNK = 4096


class Scene(NamedTuple):
    """Market paths, and the hedge's observation of them.

    Args:
        spot: prices that determine P&L and payoff.
        variance: annual variances.
        observation: exogenous features that the hedge reads; None for the true ones.
    """

    spot: Float[Tensor, "paths dates"]
    variance: Float[Tensor, "paths dates"]
    observation: Float[Tensor, "paths steps 5"] | None = None


@dataclass(frozen=True, slots=True)
class HedgingProblem:
    """Study and hedge; methods are pure functions of parameters and paths.

    The parameters of a hedge without training are empty.
    """

    study: TicketStudy
    network: Strategy

    @classmethod
    def of(cls, study: TicketStudy, standardisation: Standardisation) -> "HedgingProblem":
        """Problem of ``study`` on features standardised by ``standardisation``."""
        network = HedgingNetwork(
            study.network.hidden,
            standardisation,
            position_limit=study.network.position_limit,
        )
        return cls(study, network)

    @property
    def risk(self) -> Risk:
        """The risk that training minimises."""
        return self.study.risk.measure

    def outcome(self, theta: Mapping[str, Tensor], scene: Scene) -> Outcome:
        """P&L, cost and turnover of the hedge ``theta`` in ``scene``."""
        study, (spot, variance, observation) = self.study, scene
        kernel = compiled.outcome(study, self.network, theta, spot, variance, observation)
        if kernel is not None:
            return kernel
        observation = self.features(scene) if observation is None else observation
        position = positions(self.network, theta, observation, spot)
        payoff = call(spot[:, -1], study.option.strike)
        return settle(position, spot, payoff, cost=study.cost, market=study.market)

    def attacked(
        self,
        theta: Mapping[str, Tensor],
        true: Scene,
        *,
        attack: AttackConfig,
        verify: bool,
        generator: torch.Generator,
    ) -> Scene:
        """Scene within the attack's budget with a high loss of ``theta``.

        With a budget per path, the worst case of a monotone risk is the worst P&L of every path,
        so the attack minimises P&L. (The loss of CVaR itself is flat outside the tail.) A budget
        for the whole sample is spent where the risk's own loss grows fastest. Epsilon 0 returns
        the true scene without random draws. For ``verify`` see :class:`.Effort`.
        """
        if attack.epsilon == 0:
            return true
        constants = {name: value.detach() for name, value in theta.items()}
        threat = attack.threat

        def pnl(*points: Tensor) -> Tensor:
            return self._pnl(constants, self._moved(true, points))

        def worst(*points: Tensor) -> Tensor:
            return -pnl(*points)

        def risk(*points: Tensor) -> Tensor:
            outcome = pnl(*points)
            return self.risk.loss(outcome, self.risk.optimal_y(outcome).detach())

        by_path = self.risk.monotone and threat.model != "distribution"
        loss = worst if by_path else risk
        points, ball = self._points(true, attack), self.ball(attack)
        effort = attack.effort(verify=verify)
        optimum = threat.attack(loss, points, ball, effort=effort, generator=generator)
        return self._moved(true, ball.project(tuple(p.detach() for p in optimum), around=points))

    def outcomes(
        self,
        theta: Mapping[str, Tensor],
        paths: MarketPaths,
        *,
        attack: AttackConfig | None = None,
        generator: torch.Generator | None = None,
    ) -> Outcome:
        """P&L, cost and turnover on all of ``paths``, in chunks and without gradients.

        With ``attack``, under its verified worst case, with random starts from ``generator``.
        """
        scenes: Iterator[Scene] = _chunks(Scene(paths.spot, paths.variance))
        if attack is not None:
            scenes = self.attacks(theta, paths, attack=attack, generator=generator)
        with torch.no_grad():
            parts = [self.outcome(theta, scene) for scene in scenes]
        return Outcome(
            pnl=torch.cat([p.pnl for p in parts]),
            cost=torch.cat([p.cost for p in parts]),
            turnover=torch.cat([p.turnover for p in parts]),
        )

    def attacks(
        self,
        theta: Mapping[str, Tensor],
        paths: MarketPaths,
        *,
        attack: AttackConfig,
        generator: torch.Generator | None,
    ) -> Iterator[Scene]:
        """All of ``paths`` under the verified worst case of ``attack``, in chunks."""
        assert generator is not None, "an attack draws its starting points"
        truth = Scene(paths.spot, paths.variance)
        for scene in [truth] if attack.threat.model == "distribution" else _chunks(truth):
            yield from _chunks(
                self.attacked(theta, scene, attack=attack, verify=True, generator=generator)
            )

    def _pnl(self, theta: Mapping[str, Tensor], scene: Scene) -> Float[Tensor, " paths"]:
        """Differentiable P&L in ``scene``; graphs of a large scene are built chunk by chunk."""
        if scene.spot.shape[0] <= CHUNK:
            return self.outcome(theta, scene).pnl

        def part(spot: Tensor, variance: Tensor, observation: Tensor | None) -> Tensor:
            return self.outcome(theta, Scene(spot, variance, observation)).pnl

        return torch.cat(
            [checkpoint(part, *chunk, use_reentrant=False) for chunk in _chunks(scene)]
        )

    def features(self, scene: Scene) -> Float[Tensor, "paths steps 5"]:
        """True exogenous features of ``scene``."""
        return features.exogenous(scene.spot, scene.variance, strike=self.study.option.strike)

    def _points(self, scene: Scene, attack: AttackConfig) -> Points:
        """Tensors that ``attack`` may perturb."""
        if attack.threat.model == "observation":
            return (self.features(scene),)
        return scene.spot, scene.variance

    def _moved(self, scene: Scene, points: Points) -> Scene:
        """``scene`` with the tensors of :meth:`_points` replaced by ``points``."""
        return Scene(*points) if len(points) == 2 else Scene(scene.spot, scene.variance, points[0])

    def ball(self, attack: AttackConfig) -> Ball:
        """Ball that bounds ``attack``."""
        if attack.threat.model == "observation":
            units = self.network.sd[: len(EXOGENOUS_NAMES)].clone()
            units[EXOGENOUS_NAMES.index("time_to_maturity")] = 0  # the date is always known
            return FeatureBall(epsilon=attack.epsilon, units=units)
        if attack.threat.model == "distribution":
            return WassersteinBall(
                epsilon=attack.epsilon, variance_scale=attack.variance_scale, order=attack.order
            )
        return PathBall(epsilon=attack.epsilon, variance_scale=attack.variance_scale)


def _chunks(scene: Scene) -> Iterator[Scene]:
    parts = [p.split(CHUNK) for p in scene if p is not None]
    yield from (Scene(*chunk) for chunk in zip(*parts, strict=True))
