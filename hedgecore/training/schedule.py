"""Learning rate and batch of every step of a training, as functions of the step alone.

Training can thus be interrupted, rewound or started at any step without stored state.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from hedgecore.rng import stream
from hedgecore.training.config import TrainingConfig


class Schedule:
    """Steps of a training.

    Args:
        training: epochs, batch size and learning rate.
        examples: number of training examples.
        seed: seed of the streams of batch orders, one per pass over the examples.
        first_step: number of steps to skip.
    """

    def __init__(
        self, training: TrainingConfig, examples: int, *, seed: int, first_step: int = 0
    ) -> None:
        self._training, self._examples, self._seed = training, examples, seed
        self._first = first_step
        self._pass = -1
        self._order: tuple[Tensor, ...] = ()

    @property
    def steps_per_epoch(self) -> int:
        """Batches in a pass over the examples; the last may be smaller."""
        return math.ceil(self._examples / self._training.batch_size)

    @property
    def epochs(self) -> int:
        """Epochs from the first step to the last."""
        remainder = self._training.epochs * self.steps_per_epoch - self._first
        return math.ceil(remainder / self.steps_per_epoch)

    def steps(self, epoch: int) -> Iterator[tuple[float, Int[Tensor, " batch"]]]:
        """Learning rate and indices of the examples of every step of ``epoch``, from 1."""
        begin = self._first + (epoch - 1) * self.steps_per_epoch
        end = min(begin + self.steps_per_epoch, self._training.epochs * self.steps_per_epoch)
        for step in range(begin, end):
            turn, batch = divmod(step, self.steps_per_epoch)
            yield learning_rate(self._training, turn), self._batches(turn)[batch]

    def _batches(self, turn: int) -> tuple[Tensor, ...]:
        """Examples in the order of pass ``turn``, cut into batches."""
        if turn != self._pass:
            number = self._training.batch_order
            names = ("batches", str(turn), *([f"order {number}"] if number else []))
            order = torch.randperm(self._examples, generator=stream(self._seed, *names))
            self._pass, self._order = turn, order.split(self._training.batch_size)
        return self._order


def learning_rate(training: TrainingConfig, turn: int) -> float:
    """Learning rate of a pass over the examples, counted from 0.

    It rises from ``warmup_lr`` to ``lr`` in equal steps, then decays according to ``schedule``.
    """
    if turn < training.warmup:
        assert training.warmup_lr is not None, "a warmup needs warmup_lr"
        return training.warmup_lr + (training.lr - training.warmup_lr) * turn / training.warmup
    if training.schedule == "constant":
        return training.lr
    low = min(training.lr_min / training.lr, 1.0)
    share = (turn - training.warmup) / (training.epochs - training.warmup)
    return training.lr * (low + (1 - low) * (1 + math.cos(math.pi * share)) / 2)
