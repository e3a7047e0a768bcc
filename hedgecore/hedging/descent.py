"""Gradient steps on the loss of a study: by the compiled kernel, or by autograd.

A descent has the parameters, Adam's moments and the stream of attacks of one training, and takes
the steps of an epoch at a time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from hedgecore.attacks.balls import FeatureBall, PathBall
from hedgecore.attacks.pathwise import fgsm, noise, pgd
from hedgecore.hedging.attack_config import AttackConfig
from hedgecore.hedging.compiled import contract, covers, flat, kernel_hedge, widths
from hedgecore.hedging.network import OCE_SCALARS, HedgingNetwork
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.kernel import training as kernel
from hedgecore.kernel.shared_library import library
from hedgecore.kernel.structures import (
    CLEAN,
    FEATURES,
    OBSERVATION,
    PATH,
    RISK_NAMES,
    Attack,
    Risk,
)
from hedgecore.market.paths import MarketPaths
from hedgecore.pruning import mask as masks
from hedgecore.risk import RISKS, CVaR, risk
from hedgecore.rng import stream
from hedgecore.training import adam
from hedgecore.training.adam import Moments
from hedgecore.training.config import TrainingConfig

Steps = Iterable[tuple[float, Int[Tensor, " _"]]]
"""Learning rate and indices of the paths of every step."""

_MODELS = {"path": PATH, "observation": OBSERVATION}
_SEARCHES = (fgsm, pgd, noise)


@runtime_checkable
class Descent(Protocol):
    """Training of one network, step by step."""

    theta: dict[str, Tensor]
    moments: dict[str, Moments]
    starts: Generator

    def epoch(
        self, steps: Steps, paths: MarketPaths, attack: AttackConfig
    ) -> tuple[Float[Tensor, " steps"], Float[Tensor, " steps"]]:
        """Take ``steps``; the loss and the norm of the gradient of each, before clipping."""
        ...


def descent(
    problem: HedgingProblem,
    start: Mapping[str, Tensor],
    mask: Mapping[str, Tensor],
    *,
    training: TrainingConfig,
    seed: int,
) -> Descent:
    """The fastest descent that covers the study: compiled, or by autograd."""
    if compiles(problem, *start.values()):
        return CompiledDescent(problem, start, mask, training=training, seed=seed)
    return AutogradDescent(problem, start, mask, training=training, seed=seed)


def compiles(problem: HedgingProblem, *theta: Tensor) -> bool:
    """True if the kernel trains ``problem``: its network, its risk and its attack."""
    attack, measure = problem.study.attack, problem.risk
    attacked = attack.epsilon > 0
    return (
        covers(problem.network, *theta)
        and type(measure) in [RISKS[name] for name in RISK_NAMES if name in RISKS]
        and (not attacked or attack.threat.model in _MODELS)
        and (not attacked or attack.threat.attack in _SEARCHES)
    )


class AutogradDescent:
    """Steps by autograd and Adam on tensors: the definition, for every study and device."""

    def __init__(
        self,
        problem: HedgingProblem,
        start: Mapping[str, Tensor],
        mask: Mapping[str, Tensor],
        *,
        training: TrainingConfig,
        seed: int,
    ) -> None:
        self._problem, self._mask, self._clip = problem, mask, training.clip_norm
        self.theta = {n: value.detach().clone().requires_grad_() for n, value in start.items()}
        self.moments = adam.zero_moments(self.theta)
        self.starts = stream(seed, "attack", "train")

    def epoch(
        self, steps: Steps, paths: MarketPaths, attack: AttackConfig
    ) -> tuple[Float[Tensor, " steps"], Float[Tensor, " steps"]]:
        """See :meth:`Descent.epoch`."""
        losses, norms = [], []
        for lr, batch in steps:
            scene = Scene(paths.spot[batch], paths.variance[batch])
            loss, norm = self._step(scene, attack, lr)
            losses.append(loss)
            norms.append(norm)
        return torch.stack(losses), torch.stack(norms)

    def _step(self, scene: Scene, attack: AttackConfig, lr: float) -> tuple[Tensor, Tensor]:
        for value in self.theta.values():
            value.grad = None
        loss = self._loss(scene, attack)
        loss.backward()
        scalars = [name for name in self.theta if name in OCE_SCALARS]
        weights = [name for name in self.theta if name not in OCE_SCALARS]
        norm = torch.nn.utils.clip_grad_norm_([self.theta[n] for n in weights], self._clip)
        adam.step(self.theta, self.moments, lr=lr, names=weights)
        y_lr = self._problem.study.risk.y_lr
        adam.step(self.theta, self.moments, lr=y_lr, names=scalars)
        return loss.detach(), norm

    def _loss(self, scene: Scene, attack: AttackConfig) -> Tensor:
        """clean_weight * clean + attacked risk, each at its own y."""
        theta = masks.apply(self.theta, self._mask)
        if attack.epsilon == 0:
            return self._risk(theta, scene, "y")
        worst = self._problem.attacked(
            theta, scene, attack=attack, verify=False, generator=self.starts
        )
        loss = self._risk(theta, worst, "y_attacked", "y")
        if attack.clean_weight:
            loss = loss + attack.clean_weight * self._risk(theta, scene, "y")
        return loss

    def _risk(self, theta: Mapping[str, Tensor], scene: Scene, *names: str) -> Tensor:
        pnl = self._problem.outcome(theta, scene).pnl
        parameter = next((theta[name] for name in names if name in theta), None)
        if parameter is None:
            return risk(self._problem.risk, pnl)
        return self._problem.risk.loss(pnl, parameter).mean()


@dataclass(frozen=True, slots=True)
class _Flat:
    """One array, and its parts by the names of the parameters."""

    values: Float[Tensor, " parameters"]
    parts: Mapping[str, Tensor]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "_Flat":
        values = torch.cat([x.detach().flatten() for x in tensors.values()])
        parts = values.split([x.numel() for x in tensors.values()])
        return cls(
            values,
            {n: part.view(x.shape) for (n, x), part in zip(tensors.items(), parts, strict=True)},
        )


class CompiledDescent:
    """Steps by the kernel: an epoch is one call, in which the GIL is released."""

    def __init__(
        self,
        problem: HedgingProblem,
        start: Mapping[str, Tensor],
        mask: Mapping[str, Tensor],
        *,
        training: TrainingConfig,
        seed: int,
    ) -> None:
        network = problem.network
        assert isinstance(network, HedgingNetwork)
        assert compiles(problem, *start.values())
        self._problem, self._network, self._clip = problem, network, training.clip_norm
        self._scalars = [name for name in OCE_SCALARS if name in start]
        ordered = {name: start[name] for name in (*network.names, *self._scalars)}
        zeros = {name: torch.zeros_like(value) for name, value in ordered.items()}
        self._theta, self._first, self._second = map(_Flat.of, (ordered, zeros, zeros))
        whole = {n: mask.get(n, torch.ones_like(x, dtype=torch.bool)) for n, x in ordered.items()}
        self._mask, self._widths = flat(network, whole), widths(network, ordered)
        self._memory = kernel.Memory()
        self.theta = {name: self._theta.parts[name] for name in start}
        self.moments = {
            name: {
                "step": torch.zeros(()),
                "exp_avg": self._first.parts[name],
                "exp_avg_sq": self._second.parts[name],
            }
            for name in start
        }
        self.starts = stream(seed, "attack", "train")

    def epoch(
        self, steps: Steps, paths: MarketPaths, attack: AttackConfig
    ) -> tuple[Float[Tensor, " steps"], Float[Tensor, " steps"]]:
        """See :meth:`Descent.epoch`."""
        compiled, study = library(), self._problem.study
        assert compiled is not None
        rates, batches = zip(*steps, strict=True)
        dates = paths.spot.shape[1] - 1
        losses, norms = kernel.steps(
            compiled,
            kernel_hedge(
                self._network,
                self._widths,
                self._theta.values,
                contract(study, self._network, dates),
                self._mask,
            ),
            kernel.State(self._theta.values, self._first.values, self._second.values),
            kernel.Settings(
                risk=self._risk(),
                attack=self._attack(attack),
                clean_weight=attack.clean_weight,
                scalar_lr=study.risk.y_lr,
                clip=self._clip,
            ),
            scalars=len(self._scalars),
            step_numbers=[
                int(self.moments[n]["step"]) for n in (*self._network.names, *self._scalars)
            ],
            spot=paths.spot,
            variance=paths.variance,
            batches=batches,
            rates=rates,
            draws=self._draws(attack, [len(batch) for batch in batches], dates),
            memory=self._memory,
        )
        for name in (*self._network.names, *self._updated(attack)):
            self.moments[name]["step"] += len(batches)
        return losses, norms

    def _updated(self, attack: AttackConfig) -> list[str]:
        """The trained y that the loss under ``attack`` depends on."""
        if attack.epsilon == 0:
            return self._scalars[:1]
        return self._scalars if attack.clean_weight else self._scalars[-1:]

    def _risk(self) -> Risk:
        measure = self._problem.risk
        name = next(name for name, kind in RISKS.items() if type(measure) is kind)
        parameter = (
            measure.tail if isinstance(measure, CVaR) else self._problem.study.risk.aversion
        )
        return Risk(name=RISK_NAMES.index(name), parameter=parameter, monotone=measure.monotone)

    def _attack(self, attack: AttackConfig) -> Attack:
        if attack.epsilon == 0:
            return Attack(model=CLEAN)
        search, ball = attack.threat.attack, self._problem.ball(attack)
        spot, variance = ball.radii if isinstance(ball, PathBall) else (0.0, 0.0)
        features = ball.radii[0].tolist() if isinstance(ball, FeatureBall) else [0.0] * FEATURES
        return Attack(
            model=_MODELS[attack.threat.model],
            steps={fgsm: 1, pgd: attack.steps, noise: 0}[search],
            random_start=search is pgd,
            share=2.5 / attack.steps if search is pgd else 1.0,
            spot=spot,
            variance=variance,
            feature=(*features,),
        )

    def _draws(
        self, attack: AttackConfig, sizes: list[int], dates: int
    ) -> Float[Tensor, " draws"] | None:
        """Random numbers of all attacks, in the order in which autograd's attack draws them.

        Without verification the last start is the result, so that only its numbers are needed.
        """
        search = attack.threat.attack
        if attack.epsilon == 0 or search is fgsm:
            return None
        path = attack.threat.model == "path"
        row, tensors = (dates + 1, 2) if path else (dates * FEATURES, 1)
        draws = torch.empty(sum(sizes) * row * tensors)
        begin = 0
        for size in sizes:
            end = begin + size * row * tensors
            for _ in range(attack.restarts if search is pgd else 1):
                for part in draws[begin:end].chunk(tensors):
                    torch.rand(part.shape, generator=self.starts, out=part)
            begin = end
        return draws.mul_(2).sub_(1)
