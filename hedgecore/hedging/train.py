"""Training one hedge, as a generator: ask for the next epoch, or stop asking."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from hedgecore.hedging.config import TrainingConfig
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.snapshot import Snapshot, TrainingState
from hedgecore.market.paths import MarketPaths
from hedgecore.pruning import mask as masks
from hedgecore.risk import cvar, risk
from hedgecore.rng import stream

# What may be compared between trials, and which way is better.
DIRECTIONS: Mapping[str, Literal["min", "max"]] = {
    "train_loss": "min",
    "val_loss": "min",
    "val_cvar_05": "max",
    "val_pnl_mean": "max",
    "val_pnl_std": "min",
}


class DivergedError(ArithmeticError):
    """Training reached a value that is not finite."""

    def __init__(self, epoch: int, what: str, value: float) -> None:
        self.epoch = epoch
        super().__init__(f"{what} is {value} in epoch {epoch}; lower the learning rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochMetrics:
    """One epoch: risks in currency, validation on pooled clean paths at the optimal y."""

    epoch: int
    train_loss: float
    val_loss: float
    val_cvar_05: float
    val_pnl_mean: float
    val_pnl_std: float
    y: float
    lr: float
    grad_norm: float
    best: bool
    theta: Mapping[str, Tensor] = field(repr=False, compare=False)
    """The best parameters so far, with exact zeros where the mask is False."""
    snapshot: Callable[[], Snapshot] = field(repr=False, compare=False)
    """What :func:`train` needs to go on from here; call it before asking for the next epoch."""

    def row(self) -> dict[str, Any]:
        """The plain numbers, by column."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}


def train(
    problem: HedgingProblem,
    start: Mapping[str, Tensor],
    mask: Mapping[str, Tensor],
    *,
    train_paths: MarketPaths,
    val_paths: MarketPaths,
    training: TrainingConfig,
    seed: int,
    resume: Mapping[str, Tensor] | None = None,
) -> Iterator[EpochMetrics]:
    """Train ``start`` under ``mask``; every epoch yields its metrics and the best parameters.

    Ends after ``training.epochs``, or when the pooled validation risk has not improved for
    ``training.patience`` epochs. The study's attack is applied to every training batch; validation
    stays clean.

    With ``resume`` and all else as before, the epochs after the snapshot follow, equal to the last
    bit to those of a training that was never cut; none follow where it had come to its end.

    Args:
        problem: network, costs, risk and attack.
        start: initial parameters, ``y`` among them if the study trains it.
        mask: weights kept, by parameter name; parameters not named are all kept.
        train_paths: float32 paths to learn from.
        val_paths: float32 paths to stop on.
        training: optimiser settings.
        seed: names the streams of batch order and attack starts, which all trials of a seed share.
        resume: a snapshot of one of this training's epochs, on any device; of ``start``, only
            names, shapes and device matter then.
    Raises:
        DivergedError: a loss is not finite.
        ValueError: ``resume`` has other tensors than a snapshot of this training.
    """
    theta = {name: value.detach().clone().requires_grad_() for name, value in start.items()}
    weights = [value for name, value in theta.items() if name != "y"]
    optimiser = torch.optim.Adam([{"params": weights, "lr": training.lr}])
    if "y" in theta:
        optimiser.add_param_group({"params": [theta["y"]], "lr": problem.study.risk.y_lr})
    order, starts = stream(seed, "batches"), stream(seed, "attack", "train")
    state = TrainingState(
        theta=theta,
        optimiser=optimiser,
        streams={"batches": order, "attack": starts},
        best_theta=_settled(theta, mask),
    )
    if resume is not None:
        state.restore(resume)

    while state.epoch < training.epochs and state.epoch - state.best_epoch < training.patience:
        state.epoch += 1
        # A function of the epoch alone, so that there is no schedule to restore.
        optimiser.param_groups[0]["lr"] = lr = training.lr * _decay(training, state.epoch - 1)
        losses, norms = [], []
        for batch in _batches(train_paths.spot.shape[0], training.batch_size, order):
            spot, variance = train_paths.spot[batch], train_paths.variance[batch]
            masked = masks.apply(theta, mask)
            spot, variance = problem.attacked(
                masked, spot, variance, attack=problem.study.attack, generator=starts
            )
            pnl = problem.outcome(masked, spot, variance).pnl
            y = theta["y"] if "y" in theta else problem.measure.optimal_y(pnl)
            loss = problem.measure.loss(pnl, y).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(weights, training.clip_norm))
            optimiser.step()
            losses.append(loss.detach())
        train_loss = _finite(torch.stack(losses).mean(), "training loss", state.epoch)

        current = _settled(theta, mask)
        pnl = problem.outcomes(current, val_paths).pnl.double()
        val_loss = _finite(risk(problem.measure, pnl), "validation loss", state.epoch)
        best = val_loss < state.best_loss - training.min_delta
        if best:
            state.best_loss, state.best_theta, state.best_epoch = val_loss, current, state.epoch
        yield EpochMetrics(
            epoch=state.epoch,
            train_loss=train_loss,
            val_loss=val_loss,
            val_cvar_05=float(cvar(pnl, tail=0.05)),
            val_pnl_mean=float(pnl.mean()),
            val_pnl_std=float(pnl.std()),
            y=float(current.get("y", problem.measure.optimal_y(pnl))),
            lr=lr,
            grad_norm=float(torch.stack(norms).mean()),
            best=best,
            theta=state.best_theta,
            snapshot=partial(state.snapshot, state.epoch),
        )


def epochs_to_criterion(
    val_losses: Sequence[float], *, reference: float, tolerance: float = 0.05, consecutive: int = 5
) -> int | None:
    """First (from 1) of ``consecutive`` epochs with a risk within ``tolerance`` of ``reference``.

    None where that never happens: an epoch count would claim a convergence that was not seen.
    """
    threshold = reference + tolerance * abs(reference)
    run = 0
    for epoch, loss in enumerate(val_losses, start=1):
        run = run + 1 if loss <= threshold else 0
        if run == consecutive:
            return epoch - consecutive + 1
    return None


def _decay(training: TrainingConfig, epoch: int) -> float:
    """Learning rate of ``epoch`` (from 0) as a share of the initial one."""
    if training.schedule == "constant":
        return 1.0
    low = min(training.lr_min / training.lr, 1.0)
    return low + (1 - low) * (1 + math.cos(math.pi * epoch / training.epochs)) / 2


def _batches(size: int, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    return torch.randperm(size, generator=generator).split(batch_size)


def _settled(theta: Mapping[str, Tensor], mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The effective parameters, cut loose from training."""
    return {name: value.detach().clone() for name, value in masks.apply(theta, mask).items()}


def _finite(value: Tensor, what: str, epoch: int) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise DivergedError(epoch, what, number)
    return number
