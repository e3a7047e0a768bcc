"""Replay of one recorded trial from theta_0, compared with the log bit by bit."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hedgecore.arithmetic import arithmetic
from hedgecore.config import to_mapping
from hedgecore.experiment import Preparation, Run
from hedgecore.threads import one_thread
from sweeps.errors import UsageError
from sweeps.execution.worker import SegmentWorker, device_for
from sweeps.journal.code_identity import code_identity
from sweeps.journal.field_types import Row
from sweeps.journal.manifest import torch_version, trial_id
from sweeps.journal.preparations import StoredPreparation
from sweeps.journal.records import End, Segment, fields, record_of
from sweeps.journal.state import TrialState
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.planning.plan import TrialPlan

_NOT_COMPUTED = {"seconds", "model"}


@dataclass(frozen=True, slots=True)
class Difference:
    """First difference between record and replay."""

    where: str  # "at epoch 3", "before epoch 1" or "at the end"
    column: str  # first one that differs
    recorded: Any  # value in the log; None if it has none
    now: Any  # value of the replay
    columns: int = 1  # number of columns that differ, at least 1

    def __str__(self) -> str:
        text = f"differs {self.where} in {self.column}: {self.recorded} recorded, {self.now} now"
        return text if self.columns == 1 else f"{text} (first of {self.columns} columns)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Outcome of a replay."""

    trial_id: str
    epochs: int  # number of epochs compared, all that the log holds
    metrics: int  # number of test metrics compared
    model: str | None  # sha256 (hex) in the log
    error: str | None  # reason of its failure in the log
    notes: tuple[str, ...]  # reasons to expect a difference, and parts that could not be compared
    difference: Difference | None  # the first one

    @property
    def equal(self) -> bool:
        """True if everything that was compared is equal to the last bit."""
        return self.difference is None

    def lines(self) -> list[str]:
        """The outcome as text, notes first."""
        return [*self.notes, str(self.difference or self._equality())]

    def _equality(self) -> str:
        parts = [f"{self.epochs} epochs"]
        if self.model:
            parts += [f"{self.metrics} metrics", f"model {self.model[:8]}"]
        if self.error:
            parts += [f"its failure ({self.error})"]
        return f"bit-equal: {', '.join(parts)}"


def replay(storage: str | Path, trial: str) -> Replay:
    """Run a trial of ``storage`` again, for as many epochs as its log holds, and compare.

    It trains in this process, on one thread of torch, from the stored theta_0 without a break.

    ``trial`` is a unique prefix of the trial's id.

    Raises:
        UsageError: the trial, its epochs or its preparation are missing.
    """
    sweep = StoredSweep.read(storage)
    return train_again(sweep, trial)[0]


def train_again(sweep: StoredSweep, prefix: str) -> tuple[Replay, bytes | None]:
    """A trial trained again as :func:`replay` does: the comparison, and its model.

    Raises:
        UsageError: see :func:`replay`.
    """
    if "pbt" in (sweep.manifest["scheduler"] or {}):
        raise UsageError(
            "population based training changes a trial while it trains, and the log does not say "
            "how; replay a trial of another scheduler"
        )
    full_id, core = sweep.find(prefix)
    trial = sweep.states[core].trials[full_id]
    plan = sweep.plan(trial)
    workers_lost = full_id in sweep.states[core].workers_lost
    computed = sweep.experiment.search.validated(plan.study)
    end = None if workers_lost else trial.end
    job = _job(full_id, trial, plan, end)
    job["columns"] = [name for name in (end.metrics if end else ()) if name in computed]
    gpu = sweep.manifest["resources"]["gpu"]
    if gpu and not torch.accelerator.is_available():
        raise UsageError(f"trial {full_id} was computed on a GPU; replay it where there is one")
    one_thread()
    filed = _filed(sweep, plan, trial, core)
    same = trial_id(plan, filed.facts, gpu=gpu > 0) == full_id
    notes = _expected(sweep, trial, core, same=same)
    if workers_lost and trial.end:
        notes += (f"it lost its workers ({trial.end.error}); only its epochs can be compared",)
    preparation = _restored(sweep, plan, filed)

    def open_run(spec: Mapping[str, Any], checkpoint: bytes | None) -> Run:
        return sweep.experiment.open_run(
            spec, checkpoint, preparation=preparation, device=device_for(gpu)
        )

    segment = SegmentWorker(open_run).segment(job, None)
    segment.pop("checkpoint", None)
    model: bytes | None = segment.pop("model", None)
    if model:
        segment["end"]["model"] = hashlib.sha256(model).hexdigest()
    # Through JSON, like every record.
    now = record_of(json.loads(json.dumps(segment)))
    assert isinstance(now, Segment)
    replayed = Replay(
        trial_id=full_id,
        epochs=len(trial.epochs),
        metrics=len(end.metrics.keys() - _NOT_COMPUTED) if end else 0,
        model=end.model if end else None,
        error=end.error if end else None,
        notes=notes,
        difference=next(_differences(trial, end, now), None),
    )
    return replayed, model


def _job(full_id: str, trial: TrialState, plan: TrialPlan, end: End | None) -> dict[str, Any]:
    """Job of one segment up to the last recorded epoch."""
    last, epochs = max(trial.epochs, default=0), plan.study.training.epochs
    if last != len(trial.epochs):
        raise UsageError(
            f"the log of trial {full_id} has {len(trial.epochs)} epochs, the last of number "
            f"{last}; restore it from a copy"
        )
    if end and end.status == "completed":
        # A trial that ended early ended by itself, unless the log records otherwise.
        stop = limit = last if end.truncated else epochs
    elif end:
        stop, limit = min(last + 1, plan.limit), plan.limit
    else:
        stop, limit = last, last + 1
    if not stop:
        raise UsageError(f"the log holds no epoch of trial {full_id} yet; replay it later")
    spec = {
        "trial_id": full_id,
        "config": dict(plan.config),
        "study": to_mapping(plan.study),
        "preparation": plan.preparation,
        "theta_0_sha256": _theta_0(trial),
    }
    return {"trial": spec, "start": 0, "stop": stop, "limit": limit, "epochs": epochs}


def _filed(sweep: StoredSweep, plan: TrialPlan, trial: TrialState, core: str) -> StoredPreparation:
    """Preparation of the trial, with the theta_0 that its record names."""
    folder = sweep.storage / "study" / plan.preparation
    filed, failure = None, None
    # Later code may have prepared the seed again, with an equal or a different result.
    for code in dict.fromkeys((core, sweep.core)):
        try:
            filed = filed or sweep.filed(plan.preparation, code)
        except UsageError as error:
            failure = failure or error
    if filed is None:
        raise failure or UsageError(
            f"{folder} does not hold what trial {trial.entry.trial_id} started from; "
            "restore it from a copy"
        )
    if filed.facts.theta_0_sha256 != _theta_0(trial):
        raise UsageError(
            f"{folder} holds another theta_0 than trial {trial.entry.trial_id} started from: "
            "other code prepared it; restore it from a copy"
        )
    return filed


def _restored(sweep: StoredSweep, plan: TrialPlan, filed: StoredPreparation) -> Preparation:
    try:
        return filed.restore(sweep.experiment, plan.study)
    except UsageError as error:
        raise UsageError(f"study/{plan.preparation} cannot be restored: {error}") from error


def _theta_0(trial: TrialState) -> str:
    digest = trial.entry.columns.get("theta_0_sha256")
    if digest is None:
        trial_id = trial.entry.trial_id
        raise UsageError(f"the log names no theta_0 of trial {trial_id}; restore it from a copy")
    return str(digest)


def _expected(sweep: StoredSweep, trial: TrialState, core: str, *, same: bool) -> tuple[str, ...]:
    """Reasons why the trial may differ here; ``same`` if its id is reproduced."""
    causes = []
    identity = code_identity(sweep.manifest["experiment"])
    if core != identity:
        causes.append(f"other code: {core[:8]}, here {identity[:8]}")
    recorded_torch, here = sweep.manifest["versions"]["torch"], torch_version()
    if not same and recorded_torch != here:
        causes.append(f"torch {recorded_torch}, here {here}")
    if not (same or causes):
        causes.append("inputs that do not match its id: the log was changed")
    others = trial.arithmetics - {arithmetic().id}
    if others:
        causes.append(f"another arithmetic: {'+'.join(sorted(others))}, here {arithmetic().id}")
    return tuple(f"computed by {cause}; a difference is to be expected" for cause in causes)


def _differences(trial: TrialState, end: End | None, now: Segment) -> Iterator[Difference]:
    """Differences between the replay ``now`` and the record, in the order of training."""
    computed = {row["epoch"]: row for row in now.rows}
    if trial.facts and now.facts is not None:
        yield from _between("before epoch 1", trial.facts, now.facts)
    written = {row["epoch"]: row for row in trial.rows(audit=True)}
    for epoch in sorted({*written, *computed}):
        if epoch in written and epoch in computed:
            yield from _between(f"at epoch {epoch}", written[epoch], computed[epoch])
        else:
            outcomes = _outcome(epoch in written, end), _outcome(epoch in computed, now.end)
            yield Difference(f"at epoch {epoch}", "what came of it", *outcomes)
    if end:
        yield from _between("at the end", fields(end), fields(now.end) if now.end else {})
        model = now.end.model if now.end else None
        if end.model != model:
            yield Difference("at the end", "the sha256 of the model", end.model, model)


def _outcome(trained: bool, end: End | None) -> str:
    """Text of an epoch, or of the end of the trial."""
    if trained:
        return "an epoch"
    return (end.error or "the end") if end else "nothing"


def _between(where: str, recorded: Row, now: Row) -> Iterator[Difference]:
    names = [name for name in {**recorded, **now} if name not in _NOT_COMPUTED]
    # repr distinguishes 0.0 from -0.0 and 1 from 1.0, as the bits do.
    differing = [name for name in names if repr(recorded.get(name)) != repr(now.get(name))]
    if differing:
        first = differing[0]
        yield Difference(where, first, recorded.get(first), now.get(first), len(differing))
