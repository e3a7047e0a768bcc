"""A third experiment: theta goes down the parabola (theta - target)^2, in plain floats."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from hedgecore.config import varied
from hedgecore.experiment import Experiment
from hedgecore.training.config import TrainingConfig
from hedgecore.training.preparation import ArrayPreparation
from hedgecore.training.run import Trainer, Training
from hedgecore.training.snapshot import Epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class ParabolaStudy:
    target: float = 3.0
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def with_axes(self, values: Mapping[str, Any]) -> "ParabolaStudy":
        return varied(self, {}, values)

    def shared_study(self) -> "ParabolaStudy":
        return replace(self, training=TrainingConfig())

    base_study = shared_study


@dataclass(frozen=True, slots=True, kw_only=True)
class ParabolaEpoch(Epoch):
    epoch: int
    val_loss: float
    best: bool = True


def prepare(study: ParabolaStudy, *, seed: int, base: object = None) -> ArrayPreparation:
    return ArrayPreparation(seed=seed, theta_0={"theta": np.array(math.sin(seed))})


def train(study: ParabolaStudy, preparation: ArrayPreparation, *, device: str, resume) -> Training:
    start = resume or {"theta": float(preparation.theta_0["theta"]), "epoch": 0}
    return Training(epochs=descend(study, start["theta"], start["epoch"]))


def descend(study: ParabolaStudy, theta: float, done: int) -> Iterator[ParabolaEpoch]:
    for epoch in range(done + 1, study.training.epochs + 1):
        theta -= 2 * study.training.lr * (theta - study.target)
        snapshot, loss = partial(dict, theta=theta, epoch=epoch), (theta - study.target) ** 2
        yield ParabolaEpoch(epoch=epoch, val_loss=loss, theta={"theta": theta}, snapshot=snapshot)


TRAINER = Trainer(prepare=prepare, train=train)
PARABOLA = Experiment(name="parabola", study=ParabolaStudy, trainer=TRAINER)
