"""TrialRun: one trial of a sweep, from its plain description to the bytes of its model.

The experiment does the training; this module gives the scheduler rows, and checkpoints and models
as bytes.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import torch
from safetensors.torch import load, save
from torch import Tensor

from hedgecore.fingerprints import tensor_sha256
from hedgecore.protocols import Json, P, S
from hedgecore.threads import one_thread
from hedgecore.training.convergence import DivergedError
from hedgecore.training.preparation import ArrayPreparation
from hedgecore.training.snapshot import BEST, Epoch, best_theta

_SECONDS, _PLAIN, _ABOUT = "seconds", "plain", "trial"

Values = Mapping[str, Any]
"""Tensors or plain data (numbers, texts, lists of them), by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Assessment of a trained model.

    Args:
        columns: test and other metrics of its trial.
        model: tensors of its file.
        about: metadata of the file, in addition to the trial.
    """

    columns: Json = field(default_factory=dict)
    model: Values
    about: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Training of one trial.

    Args:
        epochs: epochs from the first, or from the one after the checkpoint.
        facts: columns available before the first epoch.
        constants: content of a checkpoint in addition to the snapshot of its epoch.
        check: raises a :class:`.convergence.DivergedError` if the best parameters are worse than
            no model.
        assess: assessment of the best parameters, with the validation columns that a search
            requests.
    """

    epochs: Iterator[Epoch]
    facts: Json = field(default_factory=dict)
    constants: Values = field(default_factory=dict)
    check: Callable[[Values], None] = lambda theta: None
    assess: Callable[[Values, Sequence[str]], Assessment] = lambda theta, columns: Assessment(
        model=theta
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer(Generic[S, P]):
    """Functions that compute an experiment; they and its study determine all numbers.

    Args:
        prepare: ``prepare(study, *, seed, base)``, the preparation of a seed; it depends only on
            ``study.shared_study()``. ``base`` is that of ``study.base_study()``, if available. It
            raises a :class:`.convergence.DivergedError` if nothing can be prepared because a
            baseline diverges, and a ValueError of one line with the cure if the data are
            unavailable. In a sweep of a study with ``data_files`` it receives their bytes by
            path, as ``contents``, and opens none of them.
        train: ``train(study, preparation, *, device, resume)``, the :class:`Training` of a trial;
            ``resume`` is the content of a checkpoint, including the best parameters as
            "best.NAME".
        baselines: ``baselines(study, preparation)``, metrics of baselines by name that no trial
            depends on: a sweep computes them beside its trials. None if ``preparation.baselines``
            has all.
        restore: ``restore(study, *, seed, about, files, base)``, the result of ``prepare`` with
            recomputed inputs, from the same ``contents``; None if preparing again is as cheap.
        assemble: ``assemble(*, seed, about, files, inputs)``, a preparation from all of its parts.
        check_data: raises a ConfigError for a study whose data are unavailable, by quick checks.
        mismatch: part of a restored preparation that is not reproduced: "holds a ..", or None.
        reproduced: whether a sample of it is, to the last bit; every worker checks it before it
            trains.
        diverged: reason why a baseline of a preparation counts as diverged, so that all of its
            trials fail; None if none did.
    """

    prepare: Callable[..., P]
    train: Callable[..., Training]
    baselines: Callable[[S, P], Mapping[str, Mapping[str, float]]] | None = None
    restore: Callable[..., P] | None = None
    assemble: Callable[..., Any] = ArrayPreparation.assemble
    check_data: Callable[[S], None] = lambda study: None
    mismatch: Callable[[S, P], str | None] = lambda study, preparation: None
    reproduced: Callable[[S, P], bool] = lambda study, preparation: True
    diverged: Callable[[P], str | None] = lambda preparation: None


class TrialRun(Generic[S, P]):
    """Run that trains the model of ``trial``; see :meth:`.experiment.Experiment.open_run`.

    Args:
        judged: False if only its time matters: then neither the baseline nor the model counts as
            diverged.
    Raises:
        DivergedError: a baseline of the preparation diverged.
    """

    def __init__(
        self,
        trainer: Trainer[S, P],
        study: S,
        trial: Mapping[str, Any],
        checkpoint: bytes | None,
        *,
        preparation: P,
        device: str,
        judged: bool = True,
    ) -> None:
        one_thread()
        if judged and (reason := trainer.diverged(preparation)):
            raise DivergedError(reason, of_baseline=True)
        self._began = time.perf_counter()
        self._trial = trial
        self._judged = judged
        self._last: Epoch | None = None
        self._theta: Values = {}
        theta_0 = preparation.files["theta_0"]
        sha256 = tensor_sha256(theta_0.values())
        assert sha256 == trial["theta_0_sha256"], "theta_0 changed on its way to the trial"
        resume = None
        if checkpoint:
            tensors, about = unpacked(checkpoint)
            values = {**tensors, **about.get(_PLAIN, {})}
            self._began -= float(values.pop(_SECONDS))
            best = best_theta(values)
            # In the order of the network, which a file does not keep: sums over parameters
            # depend on it.
            names = [*(n for n in theta_0 if n in best), *(n for n in best if n not in theta_0)]
            self._theta = {name: best[name] for name in names}
            resume = {**_best(self._theta), **values}
        self._training = trainer.train(study, preparation, device=device, resume=resume)
        self.facts = self._training.facts

    def epochs(self) -> Iterator[Json]:
        """See :class:`hedgecore.protocols.Run`."""
        for epoch in self._training.epochs:
            self._last, self._theta = epoch, epoch.theta
            yield {**epoch.row(), _SECONDS: self._seconds()}

    def checkpoint(self) -> bytes:
        """See :class:`hedgecore.protocols.Run`."""
        assert self._last is not None, "nothing was trained since the last checkpoint"
        seconds = torch.tensor(self._seconds(), dtype=torch.float64)
        state = {**_best(self._theta), **self._last.snapshot(), **self._training.constants}
        return packed({**state, _SECONDS: seconds})

    def finish(self, *columns: str) -> tuple[Json, bytes]:
        """See :class:`hedgecore.protocols.Run`."""
        assert self._theta, "a run has at least one epoch"
        if self._judged:
            self._training.check(self._theta)
        assessment = self._training.assess(self._theta, columns)
        end = {**assessment.columns, _SECONDS: self._seconds()}
        return end, packed(assessment.model, {**self._trial, **assessment.about})

    def _seconds(self) -> float:
        return time.perf_counter() - self._began


def packed(values: Values, about: Json | None = None) -> bytes:
    """``values`` as safetensors; metadata contain ``about`` and all non-tensor values."""
    plain = {name: value for name, value in values.items() if not isinstance(value, Tensor)}
    text = json.dumps({**(about or {}), **({_PLAIN: plain} if plain else {})})
    # Contiguous copies: safetensors stores no views.
    tensors = {
        name: value.detach().cpu().clone().contiguous()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }
    # One entry: safetensors writes several in an order that changes from run to run.
    return save(tensors, metadata=None if text == "{}" else {_ABOUT: text})


def unpacked(content: bytes) -> tuple[dict[str, Tensor], Json]:
    """Tensors of a model or checkpoint, and its metadata.

    Raises:
        SafetensorError: it is not valid safetensors.
    """
    tensors = load(content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    about: Json = json.loads(header.get("__metadata__", {}).get(_ABOUT, "{}"))
    return tensors, about


def _best(theta: Values) -> Json:
    return {BEST + name: value for name, value in theta.items()}
