"""One recorded trial computed again from theta_0: does the log say what the code gives?"""

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
from sweeps.journal.manifest import torch_version, trial_id
from sweeps.journal.preparations import StoredPreparation
from sweeps.journal.records import End, Row, Segment, fields, record_of
from sweeps.journal.state import TrialState
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.planning.plan import TrialPlan

_NOT_COMPUTED = {"seconds", "model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where record and replay part for the first time.

    Args:
        where: "at epoch 3", "before epoch 1" or "at the end".
        column: what differs there.
        recorded: what the log says of it; None where it says nothing or null.
        now: what the replay gave.
        columns: how many columns differ there, at least 1.
    """

    where: str
    column: str
    recorded: Any
    now: Any
    columns: int

    def __str__(self) -> str:
        text = f"differs {self.where} in {self.column}: {self.recorded} recorded, {self.now} now"
        return text if self.columns == 1 else f"{text} (first of {self.columns} columns)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A trial that ran again.

    Args:
        trial_id: its whole id.
        epochs: how many the log holds, all of which were computed again.
        metrics: how many numbers of its test were compared; 0 if it had none.
        model: sha256 (hex) of the model that the log names; None if it names none.
        error: how it failed, according to the log.
        notes: why a difference is to be expected, or what could not be compared.
        difference: the first one; None if there is none.
    """

    trial_id: str
    epochs: int
    metrics: int
    model: str | None
    error: str | None
    notes: tuple[str, ...]
    difference: Difference | None

    @property
    def equal(self) -> bool:
        """Whether everything that was compared is equal to the last bit."""
        return self.difference is None

    def lines(self) -> list[str]:
        """The outcome for people, what is to be known before it first."""
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

    It trains in this process, on one thread of torch, from the filed theta_0 without a cut.

    Args:
        storage: the sweep's directory; nothing in it is changed.
        trial: the beginning of the trial's id, long enough to be the only one.
    Raises:
        UsageError: there is no such trial, nothing of it to compare, or not what it started from.
    """
    recorded = StoredSweep.read(Path(storage))
    return train_again(recorded, trial)[0]


def train_again(recorded: StoredSweep, trial: str) -> tuple[Replay, bytes | None]:
    """A trial trained again as :func:`replay` does: the comparison, and its model.

    Raises:
        UsageError: see :func:`replay`.
    """
    if "pbt" in (recorded.manifest["scheduler"] or {}):
        raise UsageError(
            "population based training changes a trial while it trains, and the log does not say "
            "how; replay a trial of another scheduler"
        )
    full_id, core = recorded.find(trial)
    log = recorded.states[core].trials[full_id]
    plan = recorded.plan(log)
    workers_lost = full_id in recorded.states[core].workers_lost
    computed = recorded.experiment.search.validated(plan.study)
    end = None if workers_lost else log.end
    job = _job(full_id, log, plan, end)
    job["columns"] = [name for name in (end.metrics if end else ()) if name in computed]
    gpu = recorded.manifest["resources"]["gpu"]
    if gpu and not torch.accelerator.is_available():
        raise UsageError(f"trial {full_id} was computed on a GPU; replay it where there is one")
    one_thread()
    filed = _filed(recorded, plan, log, core)
    same = trial_id(plan, filed.facts, gpu=gpu > 0) == full_id
    notes = _expected(recorded, log, core, same=same)
    if workers_lost and log.end:
        notes += (f"it lost its workers ({log.end.error}); only its epochs can be compared",)
    preparation = _restored(recorded, plan, filed)

    def open_run(spec: Mapping[str, Any], checkpoint: bytes | None) -> Run:
        return recorded.experiment.open_run(
            spec, checkpoint, preparation=preparation, device=device_for(gpu)
        )

    segment = SegmentWorker(open_run).segment(job, None)
    segment.pop("checkpoint", None)
    model: bytes | None = segment.pop("model", None)
    if model:
        segment["end"]["model"] = hashlib.sha256(model).hexdigest()
    # Through JSON, as every record goes.
    now = record_of(json.loads(json.dumps(segment)))
    assert isinstance(now, Segment)
    replayed = Replay(
        trial_id=full_id,
        epochs=len(log.epochs),
        metrics=len(end.metrics.keys() - _NOT_COMPUTED) if end else 0,
        model=end.model if end else None,
        error=end.error if end else None,
        notes=notes,
        difference=next(_differences(log, end, now), None),
    )
    return replayed, model


def _job(full_id: str, log: TrialState, plan: TrialPlan, end: End | None) -> dict[str, Any]:
    """One segment that takes the trial to where its log ends, and no further."""
    last, epochs = max(log.epochs, default=0), plan.study.training.epochs
    if last != len(log.epochs):
        raise UsageError(
            f"the log of trial {full_id} has {len(log.epochs)} epochs, the last of number {last}; "
            "restore it from a copy"
        )
    if end and end.status == "completed":
        # One that ended before its last epoch ended by itself, unless the log says otherwise.
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
        "theta_0_sha256": _theta_0(log),
    }
    return {"trial": spec, "start": 0, "stop": stop, "limit": limit, "epochs": epochs}


def _filed(
    recorded: StoredSweep, plan: TrialPlan, log: TrialState, core: str
) -> StoredPreparation:
    """What the trial started from, with the theta_0 that its record names."""
    folder = recorded.storage / "study" / plan.preparation
    filed, failure = None, None
    # Later code may have prepared the seed again, with the same outcome or another.
    for code in dict.fromkeys((core, recorded.core)):
        try:
            filed = filed or recorded.filed(plan.preparation, code)
        except UsageError as error:
            failure = failure or error
    if filed is None:
        raise failure or UsageError(
            f"{folder} does not hold what trial {log.entry.trial_id} started from; "
            "restore it from a copy"
        )
    if filed.facts.theta_0_sha256 != _theta_0(log):
        raise UsageError(
            f"{folder} holds another theta_0 than trial {log.entry.trial_id} started from: "
            "other code prepared it; restore it from a copy"
        )
    return filed


def _restored(recorded: StoredSweep, plan: TrialPlan, filed: StoredPreparation) -> Preparation:
    try:
        return filed.restore(recorded.experiment, plan.study)
    except UsageError as error:
        raise UsageError(f"study/{plan.preparation} cannot be had again: {error}") from error


def _theta_0(log: TrialState) -> str:
    digest = log.entry.columns.get("theta_0_sha256")
    if digest is None:
        trial = log.entry.trial_id
        raise UsageError(f"the log names no theta_0 of trial {trial}; restore it from a copy")
    return str(digest)


def _expected(recorded: StoredSweep, log: TrialState, core: str, *, same: bool) -> tuple[str, ...]:
    """Why the trial may differ here; ``same`` if its id says that all it follows from is here."""
    causes = []
    identity = code_identity(recorded.manifest["experiment"])
    if core != identity:
        causes.append(f"other code: {core[:8]}, here {identity[:8]}")
    recorded_torch, here = recorded.manifest["versions"]["torch"], torch_version()
    if not same and recorded_torch != here:
        causes.append(f"torch {recorded_torch}, here {here}")
    if not (same or causes):
        causes.append("something its id does not stand for: the log was changed")
    others = log.arithmetics - {arithmetic().id}
    if others:
        causes.append(f"another arithmetic: {'+'.join(sorted(others))}, here {arithmetic().id}")
    return tuple(f"computed by {cause}; a difference is to be expected" for cause in causes)


def _differences(log: TrialState, end: End | None, now: Segment) -> Iterator[Difference]:
    """Every place where the replay ``now`` is not as recorded, in the order of training."""
    computed = {row["epoch"]: row for row in now.rows}
    if log.facts and now.facts is not None:
        yield from _between("before epoch 1", log.facts, now.facts)
    written = {row["epoch"]: row for row in log.rows(audit=True)}
    for epoch in sorted({*written, *computed}):
        if epoch in written and epoch in computed:
            yield from _between(f"at epoch {epoch}", written[epoch], computed[epoch])
        else:
            yield Difference(
                where=f"at epoch {epoch}",
                column="what came of it",
                recorded=_outcome(epoch in written, end),
                now=_outcome(epoch in computed, now.end),
                columns=1,
            )
    if end:
        yield from _between("at the end", fields(end), fields(now.end) if now.end else {})
        model = now.end.model if now.end else None
        if end.model != model:
            yield Difference(
                where="at the end",
                column="the sha256 of the model",
                recorded=end.model,
                now=model,
                columns=1,
            )


def _outcome(trained: bool, end: End | None) -> str:
    """An epoch, or how the trial ended instead."""
    if trained:
        return "an epoch"
    return (end.error or "the end") if end else "nothing"


def _between(where: str, recorded: Row, now: Row) -> Iterator[Difference]:
    names = [name for name in {**recorded, **now} if name not in _NOT_COMPUTED]
    # repr tells 0.0 from -0.0 and 1 from 1.0, as the bits do.
    differing = [name for name in names if repr(recorded.get(name)) != repr(now.get(name))]
    if differing:
        first = differing[0]
        yield Difference(
            where=where,
            column=first,
            recorded=recorded.get(first),
            now=now.get(first),
            columns=len(differing),
        )
