"""TrialRun: one trial of a sweep, from its plain description to the bytes of its model.

The training itself is the experiment's; this module gives the scheduler rows, and checkpoints
and models as bytes.
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
from hedgecore.training.preparation import ArrayPreparation
from hedgecore.training.snapshot import BEST, Epoch, best_theta

_SECONDS, _PLAIN, _ABOUT = "seconds", "plain", "trial"

Values = Mapping[str, Any]
"""Tensors or plain data (numbers, texts, lists of them), by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The measurement of a trained model.

    Args:
        columns: metrics of its trial, of the test and others.
        model: what its file holds.
        about: what else the file says, beside the trial.
    """

    columns: Json = field(default_factory=dict)
    model: Values
    about: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The training of one trial.

    Args:
        epochs: from the first, or from the one after the checkpoint.
        facts: columns that are known before the first epoch.
        constants: what a checkpoint holds beside the snapshot of its epoch.
        assess: what is measured of the best parameters, with the validation columns that a search
            asks for.
    """

    epochs: Iterator[Epoch]
    facts: Json = field(default_factory=dict)
    constants: Values = field(default_factory=dict)
    assess: Callable[[Values, Sequence[str]], Assessment] = lambda theta, columns: Assessment(
        model=theta
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer(Generic[S, P]):
    """Functions that compute an experiment; numbers follow from these and from its study alone.

    Args:
        prepare: ``prepare(study, *, seed, base)``, the preparation of a seed; all that it depends
            on is in ``study.shared_study()``. ``base`` is that of ``study.base_study()``, if there
            is one already. It raises a :class:`.convergence.DivergedError` where a baseline does
            not train, and a ValueError of one line with the cure where the data cannot be had.
        train: ``train(study, preparation, *, device, resume)``, the :class:`Training` of a trial;
            ``resume`` is what a checkpoint holds, the best parameters as "best.NAME" among it.
        restore: ``restore(study, *, seed, about, files, base)``, what ``prepare`` returned, its
            inputs made again; None where preparing again costs no more.
        assemble: ``assemble(*, seed, about, files, inputs)``, a preparation from all of its parts.
        check_data: refuses by a ConfigError a study whose data ``prepare`` will not find, as far
            as can be seen at once.
        mismatch: what of a restored preparation does not come out again: "holds a ..", or None.
    """

    prepare: Callable[..., P]
    train: Callable[..., Training]
    restore: Callable[..., P] | None = None
    assemble: Callable[..., Any] = ArrayPreparation.assemble
    check_data: Callable[[S], None] = lambda study: None
    mismatch: Callable[[S, P], str | None] = lambda study, preparation: None


class TrialRun(Generic[S, P]):
    """Trains the model that ``trial`` describes; see :meth:`.experiment.Experiment.open_run`."""

    def __init__(
        self,
        trainer: Trainer[S, P],
        study: S,
        trial: Mapping[str, Any],
        checkpoint: bytes | None,
        *,
        preparation: P,
        device: str,
    ) -> None:
        one_thread()
        self._began = time.perf_counter()
        self._trial = trial
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
        assessment = self._training.assess(self._theta, columns)
        end = {**assessment.columns, _SECONDS: self._seconds()}
        return end, packed(assessment.model, {**self._trial, **assessment.about})

    def _seconds(self) -> float:
        return time.perf_counter() - self._began


def packed(values: Values, about: Json | None = None) -> bytes:
    """``values`` as safetensors, whose metadata holds ``about`` and all that is no tensor."""
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
    """The tensors of a model or checkpoint, and what its metadata says.

    Raises:
        SafetensorError: it is neither.
    """
    tensors = load(content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    about: Json = json.loads(header.get("__metadata__", {}).get(_ABOUT, "{}"))
    return tensors, about


def _best(theta: Values) -> Json:
    return {BEST + name: value for name, value in theta.items()}
