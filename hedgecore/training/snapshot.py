"""State of a training between two epochs, which determines the rest to the last bit."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from hedgecore.training.adam import Moments

Snapshot = dict[str, Tensor]
"""Contiguous CPU tensors that share no memory, by name; safetensors can store them as they are."""
BEST = "best."
"""Prefix of the best parameters so far in a snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Epoch of a training; an experiment adds its columns as fields, in their order.

    They include ``epoch`` (from 1), ``val_loss`` and ``best`` (True if that is the lowest so far).
    """

    theta: Mapping[str, Any] = field(repr=False, compare=False)
    """Best parameters so far."""
    snapshot: Callable[[], Mapping[str, Any]] = field(repr=False, compare=False)
    """State that later epochs depend on; call it before requesting the next epoch."""

    def row(self) -> dict[str, Any]:
        """Numbers by column."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}


@dataclass(slots=True, kw_only=True, eq=False)
class TrainingState:
    """State that changes in training.

    The learning rate is not part of it, as it is a function of the epoch.

    Args:
        theta: trained parameters.
        moments: the state of Adam, by parameter.
        best_theta: the effective parameters of the best epoch; at first, those of the start.
        streams: all generators of the training, by name.
        best_loss: validation loss of the best epoch.
        best_epoch: the best epoch, from 1; 0 before there is one.
        epoch: the current epoch, from 1; 0 before the first.
    """

    theta: Mapping[str, Tensor]
    moments: Mapping[str, Moments]
    best_theta: Mapping[str, Tensor]
    streams: Mapping[str, torch.Generator] = field(default_factory=dict)
    best_loss: float = math.inf
    best_epoch: int = 0
    epoch: int = 0

    def snapshot(self, epoch: int) -> Snapshot:
        """Copies of the state that determines the epochs after ``epoch``.

        Raises:
            RuntimeError: the next epoch has begun, so the state after ``epoch`` is lost.
        """
        if epoch != self.epoch:
            raise RuntimeError(
                f"epoch {epoch} cannot be snapshot once epoch {self.epoch} has begun; "
                "call snapshot() before asking for the next epoch"
            )
        tensors = {
            "epoch": torch.tensor(self.epoch),
            "best_epoch": torch.tensor(self.best_epoch),
            "best_loss": torch.tensor(self.best_loss, dtype=torch.float64),
            **{f"stream.{name}": g.get_state() for name, g in self.streams.items()},
            **self._tensors(),
        }
        return {
            name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
            for name, value in tensors.items()
        }

    def restore(self, snapshot: Mapping[str, Tensor]) -> None:
        """Restore the state of ``snapshot``, from any device; ``snapshot`` is unchanged.

        Raises:
            ValueError: names, shapes or types differ from those of this training.
        """
        state = self.snapshot(self.epoch)
        for name in sorted({*state, *snapshot}):
            expected, kind = _kind(state.get(name)), _kind(snapshot.get(name))
            if kind != expected:
                raise ValueError(
                    f"resume is not a snapshot of this study: {name} is {kind}, "
                    f"not {expected}; train it from the beginning"
                )
        # Copied into existing tensors, which are on the right device and aligned in memory as in
        # the interrupted training; tensors read from a file may not be.
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(snapshot[name])
        for name, generator in self.streams.items():
            generator.set_state(snapshot[f"stream.{name}"].to("cpu", copy=True))
        self.best_loss = float(snapshot["best_loss"])
        self.best_epoch = int(snapshot["best_epoch"])
        self.epoch = int(snapshot["epoch"])

    def _tensors(self) -> dict[str, Tensor]:
        """Current tensors, by their name in a snapshot."""
        moments = {
            f"{moment}.{name}": value
            for name in self.theta
            for moment, value in self.moments[name].items()
        }
        theta = {f"theta.{name}": p for name, p in self.theta.items()}
        return theta | moments | {BEST + name: p for name, p in self.best_theta.items()}


def best_theta(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Best parameters so far, the result if no epoch remains."""
    return {
        name.removeprefix(BEST): value for name, value in snapshot.items() if name.startswith(BEST)
    }


def _kind(tensor: Tensor | None) -> str:
    """Type and shape of ``tensor`` in words."""
    if tensor is None:
        return "absent"
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
