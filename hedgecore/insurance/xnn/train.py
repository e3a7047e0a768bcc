"""Training of one X-NN, as a generator of epochs that can be stopped at any point."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from hedgecore.insurance.config import ExplanationConfig, TrainingConfig
from hedgecore.insurance.xnn.alignment import Landmarks
from hedgecore.insurance.xnn.methods import Descent
from hedgecore.insurance.xnn.network import pre_activations
from hedgecore.rng import stream
from hedgecore.training.convergence import finite
from hedgecore.training.snapshot import Epoch, TrainingState

# Metrics by which trials may be compared, and the better direction.
DIRECTIONS: Mapping[str, Literal["min", "max"]] = {
    "train_loss": "min",
    "val_loss": "min",
    "train_accuracy": "max",
    "val_accuracy": "max",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Encoded rows and their labels.

    Args:
        x: the features.
        y: Response - 1.
    """

    x: Float[Tensor, "rows features"]
    y: Int[Tensor, " rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochMetrics(Epoch):
    """Metrics of an epoch: losses are mean cross-entropies, accuracies shares of rows.

    Those of training are means over the epoch's rows, each before its step; so is ``added_loss``,
    the loss added by the method. The best epoch is selected by ``val_loss``.
    """

    epoch: int
    train_loss: float
    val_loss: float
    train_accuracy: float
    val_accuracy: float
    added_loss: float
    best: bool


def train(
    start: Mapping[str, Tensor],
    *,
    train_rows: Rows,
    val_rows: Rows,
    landmarks: Landmarks | None,
    training: TrainingConfig,
    explanation: ExplanationConfig,
    seed: int,
    resume: Mapping[str, Tensor] | None = None,
) -> Iterator[EpochMetrics]:
    """Train ``start``; every epoch yields its metrics and the best parameters.

    Ends after ``training.epochs``, or when the validation loss has not improved for
    ``training.patience`` epochs.

    With ``resume`` and otherwise equal arguments, continues after the snapshot, bit for bit as an
    uninterrupted training; yields nothing if that had ended.

    Args:
        start: theta_0, as named by ``hedgecore.insurance.xnn.network.initialise``.
        train_rows: float32 training rows.
        val_rows: float32 rows for early stopping.
        landmarks: centroids, and the distances of ``train_rows``; None for a method without any.
        training: optimiser settings.
        explanation: the method and its strength.
        seed: seed of the streams of batch order, shared by all trials of a seed.
        resume: snapshot of an epoch of this training, on any device.
    Raises:
        DivergedError: a loss is not finite.
        ValueError: ``landmarks`` are missing or of other rows, or ``resume`` is not of this
            training.
    """
    if landmarks is not None and len(landmarks.distances) != len(train_rows.x):
        raise ValueError(
            f"landmarks have distances of {len(landmarks.distances)} rows, not of the "
            f"{len(train_rows.x)} training rows; compute them anew"
        )
    descent = Descent(start, explanation, landmarks, lr=training.lr)
    state = TrainingState(
        theta=descent.theta, moments=descent.moments, best_theta=_copied(descent.theta)
    )
    if resume is not None:
        state.restore(resume)

    while state.epoch < training.epochs and state.epoch - state.best_epoch < training.patience:
        state.epoch += 1
        loss, added, accuracy = _pass(descent, train_rows, training, state.epoch, seed=seed)
        train_loss = finite(loss, "training loss", state.epoch)

        current = _copied(descent.theta)
        logits = pre_activations(current, val_rows.x)[-1]
        val_loss = finite(cross_entropy(logits, val_rows.y), "validation loss", state.epoch)
        best = val_loss < state.best_loss
        if best:
            state.best_loss, state.best_epoch, state.best_theta = val_loss, state.epoch, current
        yield EpochMetrics(
            epoch=state.epoch,
            train_loss=train_loss,
            val_loss=val_loss,
            train_accuracy=float(accuracy),
            val_accuracy=float(_accuracy(logits, val_rows.y)),
            added_loss=float(added),
            best=best,
            theta=state.best_theta,
            snapshot=partial(state.snapshot, state.epoch),
        )


def _pass(
    descent: Descent, rows: Rows, training: TrainingConfig, epoch: int, *, seed: int
) -> tuple[Tensor, Tensor | float, Tensor]:
    """Take a step on every batch; return mean cross-entropy, added loss and accuracy."""
    order = torch.randperm(len(rows.x), generator=stream(seed, "batches", str(epoch)))
    order = order.to(rows.x.device)
    y = rows.y[order]
    outputs: list[Tensor] = []
    added: Tensor | float = 0.0
    for batch in descent.batches(rows.x, rows.y, order, training.batch_size):
        outcome = descent(batch)
        outputs.append(outcome.outputs[-1].detach())
        added += outcome.added * (len(batch.y) / len(y))
    logits = torch.cat(outputs)
    return cross_entropy(logits, y), added, _accuracy(logits, y)


def _accuracy(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.argmax(dim=1) == y).double().mean()


def _copied(theta: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy of ``theta``, detached from training."""
    return {name: value.detach().clone() for name, value in theta.items()}
