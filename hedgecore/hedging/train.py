"""Training of one hedge, as a generator of epochs that can be stopped at any point."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Literal

from torch import Tensor

from hedgecore.hedging.descent import descent
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.market.paths import MarketPaths
from hedgecore.pruning import mask as masks
from hedgecore.risk import cvar, risk
from hedgecore.rng import stream
from hedgecore.training.config import TrainingConfig
from hedgecore.training.convergence import finite
from hedgecore.training.schedule import Schedule
from hedgecore.training.snapshot import Epoch, TrainingState

# Metrics by which trials may be compared, and the better direction.
DIRECTIONS: Mapping[str, Literal["min", "max"]] = {
    "train_loss": "min",
    "val_loss": "min",
    "val_clean_loss": "min",
    "val_cvar_05": "max",
    "val_pnl_mean": "max",
    "val_pnl_std": "min",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochMetrics(Epoch):
    """One epoch: risks in currency, those of validation on pooled paths at the optimal y.

    ``val_loss`` selects the best epoch: the clean risk, or its configured mixture with the
    attacked one. ``val_attacked_loss`` is NaN if not in the mixture; the other val metrics are
    clean.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_clean_loss: float
    val_attacked_loss: float
    val_cvar_05: float
    val_pnl_mean: float
    val_pnl_std: float
    y: float
    lr: float
    grad_norm: float
    best: bool


def train(
    problem: HedgingProblem,
    start: Mapping[str, Tensor],
    mask: Mapping[str, Tensor],
    *,
    train_paths: MarketPaths,
    val_paths: MarketPaths,
    training: TrainingConfig,
    seed: int,
    first_step: int = 0,
    resume: Mapping[str, Tensor] | None = None,
) -> Iterator[EpochMetrics]:
    """Train ``start`` under ``mask``; every epoch yields its metrics and the best parameters.

    Ends after ``training.epochs``, or when the pooled validation risk has not improved for
    ``training.patience`` epochs. The study's attack is applied to every training batch.

    With ``resume`` and otherwise equal arguments, continues after the snapshot, bit for bit as an
    uninterrupted training; yields nothing if that had ended.

    Args:
        problem: network, costs, risk and attack.
        start: initial parameters, ``y`` among them if the study trains it.
        mask: kept weights by parameter name; other parameters are kept entirely.
        train_paths: float32 training paths.
        val_paths: float32 paths for early stopping.
        training: optimiser settings.
        seed: seed of the streams of batch order and attack starts, shared by all trials of a seed.
        first_step: first step of the learning-rate schedule and of the order of batches; earlier
            steps are skipped, which shortens the last epoch.
        resume: snapshot of an epoch of this training, on any device; only names, shapes and device
            of ``start`` matter then.
    Raises:
        DivergedError: a loss is not finite.
        ValueError: the tensors of ``resume`` are not those of a snapshot of this training.
    """
    steps = descent(problem, start, mask, training=training, seed=seed)
    state = TrainingState(
        theta=steps.theta,
        moments=steps.moments,
        streams={"attack": steps.starts},
        best_theta=_settled(steps.theta, mask),
    )
    if resume is not None:
        state.restore(resume)
    attack = problem.study.attack
    schedule = Schedule(training, train_paths.paths, seed=seed, first_step=first_step)

    while (
        state.epoch < schedule.epochs
        and state.epoch - max(state.best_epoch, attack.full_from - 1) < training.patience
    ):
        state.epoch += 1
        batches = list(schedule.steps(state.epoch))
        budget = replace(attack, epsilon=attack.epsilon_at(state.epoch))
        losses, norms = steps.epoch(batches, train_paths, budget)
        train_loss = finite(losses.mean(), "training loss", state.epoch)

        current = _settled(steps.theta, mask)
        pnl = problem.outcomes(current, val_paths).pnl.double()
        clean = finite(risk(problem.risk, pnl), "validation loss", state.epoch)
        attacked = _attacked_risk(problem, current, val_paths, seed=seed)
        share = 0.0 if math.isnan(attacked) else attack.validation_weight
        val_loss = (1 - share) * clean + (share * attacked if share else 0.0)
        # Epochs before epsilon is full are not selected and do not count against patience.
        selectable = state.epoch >= attack.full_from
        best = selectable and val_loss < state.best_loss - training.min_delta
        if best:
            state.best_loss, state.best_epoch = val_loss, state.epoch
        if best or not selectable:
            state.best_theta = current
        yield EpochMetrics(
            epoch=state.epoch,
            train_loss=train_loss,
            val_loss=val_loss,
            val_clean_loss=clean,
            val_attacked_loss=attacked,
            val_cvar_05=float(cvar(pnl, tail=0.05)),
            val_pnl_mean=float(pnl.mean()),
            val_pnl_std=float(pnl.std()),
            y=float(current.get("y", problem.risk.optimal_y(pnl))),
            lr=batches[-1][0],
            grad_norm=float(norms.mean()),
            best=best,
            theta=state.best_theta,
            snapshot=partial(state.snapshot, state.epoch),
        )


def parameters_after(
    steps: int,
    problem: HedgingProblem,
    start: Mapping[str, Tensor],
    *,
    train_paths: MarketPaths,
    training: TrainingConfig,
    seed: int,
) -> dict[str, Tensor]:
    """Parameters after the first ``steps`` steps of :func:`train` on a dense network."""
    rewound = descent(problem, start, {}, training=training, seed=seed)
    schedule = Schedule(training, train_paths.paths, seed=seed)
    attack = problem.study.attack
    for epoch in range(1, math.ceil(steps / schedule.steps_per_epoch) + 1):
        before = (epoch - 1) * schedule.steps_per_epoch
        batches = list(islice(schedule.steps(epoch), steps - before))
        rewound.epoch(batches, train_paths, replace(attack, epsilon=attack.epsilon_at(epoch)))
    return _settled(rewound.theta, {})


def _attacked_risk(
    problem: HedgingProblem, theta: Mapping[str, Tensor], paths: MarketPaths, *, seed: int
) -> float:
    """Risk under the study's attack if it is used for selection, else NaN."""
    attack = problem.study.attack
    if attack.epsilon == 0 or attack.validation_weight == 0:
        return math.nan
    # The same starts every epoch, so that epochs differ by their parameters alone.
    starts = stream(seed, "attack", "selection")
    pnl = problem.outcomes(theta, paths, attack=attack, generator=starts).pnl.double()
    return float(risk(problem.risk, pnl))


def _settled(theta: Mapping[str, Tensor], mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy of the effective parameters, detached from training."""
    return {name: value.detach().clone() for name, value in masks.apply(theta, mask).items()}
