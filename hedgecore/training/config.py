"""Configuration that all trainings share."""

from dataclasses import dataclass
from typing import Literal

from hedgecore.config import at_least, positive


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Adam on mini-batches.

    Args:
        epochs: passes over the training examples, at most.
        batch_size: examples per step.
        lr: peak learning rate.
        schedule: decay over the epochs: half a cosine wave, or none.
        lr_min: final learning rate of the cosine.
        warmup: epochs in which the learning rate rises from ``warmup_lr``, in equal steps.
        warmup_lr: first learning rate; for a ticket None is that of its dense network, as in
            boosting tickets.
        patience: epochs without an improvement of ``min_delta`` in the validation loss.
        min_delta: see ``patience``, in the unit of the loss.
        clip_norm: largest norm of a gradient.
        batch_order: number of the order of batches; another one is another training of the same
            seed, from the same initial parameters and on the same examples.
    """

    epochs: int = 30
    batch_size: int = 512
    lr: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    lr_min: float = 1e-6
    warmup: int = 0
    warmup_lr: float | None = None
    patience: int = 30
    min_delta: float = 1e-6
    clip_norm: float = 1.0
    batch_order: int = 0

    def __post_init__(self) -> None:
        at_least(self, epochs=1, batch_size=2, lr_min=0, warmup=0, patience=1, min_delta=0)
        at_least(self, batch_order=0)
        positive(self, "lr", "warmup_lr", "clip_norm")
        if (warmup := self.warmup) >= self.epochs:
            raise ValueError(f"warmup must be shorter than epochs {self.epochs}, got {warmup}")
