"""Ledger: the only writer of a storage. Events are logged, then applied, then acted upon."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace as with_changes
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from hedgecore.experiment import Experiment, Preparation
from sweeps.errors import UsageError
from sweeps.journal import bounds, lines, records
from sweeps.journal.checkpoints import Checkpoints, concerned
from sweeps.journal.checksums import Sums, sha256_of
from sweeps.journal.files import holds
from sweeps.journal.history import History
from sweeps.journal.journal import Extent
from sweeps.journal.layout import check_name
from sweeps.journal.manifest import copies
from sweeps.journal.preparations import Facts, StoredPreparation
from sweeps.journal.records import Record, fields, record_of
from sweeps.journal.state import SweepState
from sweeps.journal.storage import Lock, Replica, WriteError, replace, tidy
from sweeps.journal.tables import write_tables
from sweeps.journal.writer import Writer
from sweeps.scheduling.engine import Engine
from sweeps.signals import delayed_interrupt


class Observer(Protocol):
    """Receiver of every record once it is on disk."""

    def begin(self, state: SweepState) -> None:
        """Called once, with the state that the ledger keeps up to date from then on."""

    def record(self, record: Record) -> None:
        """Called with each further record, after the state has applied it."""


class Ledger:
    """Log of one storage, open for appending, with the state and files derived from it.

    Opening it replays the log and so restores the state of every trial.

    Args:
        core: code identity.
        engine: None if another scheduler decides.
        accept: called with the content of every manifest in the log; raises to refuse it.
        observers: receive the records appended after opening.
        replica: receives every durable write; closed with the ledger, also if opening fails.
        clock: seconds, for the pace of snapshots.
    Raises:
        UsageError: ``storage`` cannot be written, another driver writes there, its log is
            damaged, or ``accept`` refuses it.
    """

    def __init__(
        self,
        storage: Path,
        *,
        core: str,
        experiment: Experiment[Any, Any],
        engine: Engine | None = None,
        accept: Callable[[Mapping[str, Any]], None] = lambda content: None,
        observers: Sequence[Observer] = (),
        replica: Replica | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._replica = replica
        self.storage, self.state, self.engine = storage, SweepState(core), engine
        self._experiment, self._clock = experiment, clock
        self._observers: Sequence[Observer] = ()
        self._due, self._changed = -float("inf"), True
        with ExitStack() as opening:
            if replica:
                opening.callback(replica.close, complete=False)
            self._lock = opening.enter_context(Lock(storage))
            self._checkpoints = Checkpoints(storage, replica)
            before = self._replay(accept)
            self._sums = Sums(storage, replica)
            self._writer = Writer(storage, {"core": core}, before=before, replica=replica)
            start = records.DriverStart(format=lines.FORMAT, process={}, core=core)
            self.append(start, logged=True)
            if engine:
                self.append(*engine.pending_verdicts)
            self._checkpoints.tidy({i: trial.checkpoint for i, trial in self.state.trials.items()})
            for observer in observers:
                observer.begin(self.state)
            self._observers = observers
            opening.pop_all()

    def _replay(self, accept: Callable[[Mapping[str, Any]], None]) -> Extent | None:
        history = History(self.storage)
        for record in history:
            if isinstance(record, records.ManifestRecord):
                accept(record.content)
            # Derived records are in the log itself, or pending.
            if self.state.apply(record) and self.engine:
                self.engine.apply(record)
        return history.extent

    @delayed_interrupt()
    def append(self, *records: Record, logged: bool = False) -> None:
        """Log ``records`` and those derived from them; return when they are on disk.

        Raises:
            WriteError: they may not be on disk. Nothing can be appended any more.
        """
        todo = [record if logged else _timed(record) for record in records]
        # A line appended to a file on which another driver has built would damage its log.
        self.check()
        for record in todo:  # grows in the loop
            if not logged:
                self._writer.append(fields(record))
            if self.state.apply(record) and self.engine:
                todo += self.engine.apply(record)
        self.check()
        self._writer.commit()
        touched = {i for record in todo for i in concerned(record)}
        self._checkpoints.tidy({i: self.state.trials[i].checkpoint for i in touched})
        for record in todo:
            for observer in self._observers:
                observer.record(record)
        self._changed = True
        if self._clock() >= self._due:
            self.snapshot()

    @delayed_interrupt()
    def append_unsynced(self, record: Record) -> None:
        """Log ``record`` without a sync: a crash may lose it."""
        self.check()
        self._writer.append(fields(_timed(record)))
        self.state.apply(record)

    def snapshot(self) -> None:
        """Rewrite both tables if anything changed; due again after 20 times its duration."""
        if not self._changed:
            return
        began = self._clock()
        self.check()
        write_tables(
            self.storage, self.state, self._experiment, sums=self._sums, replica=self._replica
        )
        self._changed = False
        self._due = self._clock() + max(2.0, 20 * (self._clock() - began))

    def check(self) -> None:
        """Check that the storage is the one that this driver began to write to.

        Raises:
            WriteError: it was moved, removed or replaced since, or its log was changed.
        """
        self._lock.check()
        if self._replica:
            self._replica.check()
        if not self._writer.in_place:
            raise WriteError(
                f"the log of {self.storage} was moved, removed, replaced or changed while its "
                "sweep ran; nothing more is recorded: bring it back, or start anew"
            )

    def close(self) -> None:
        """Close the log, update the tables, and release the lock."""
        complete = False
        try:
            if not self._is_in_place():
                self._writer.abandon()
                return
            self._writer.close()
            if self._writer.sound:  # otherwise the state is ahead of the disk
                self.state.apply(records.DriverEnd())
                self._changed = True
                self.snapshot()
                self._sums.settle()
                complete = True
        finally:
            try:
                if self._replica:
                    self._replica.close(complete=complete)
            finally:
                self._lock.close()

    def keep_model(self, trial_id: str, model: bytes) -> str:
        """Store a trained network in ``models/<trial_id>/``; its sha256 (hex)."""
        self.check()
        folder = self.storage / "models" / check_name("trial", trial_id)
        tidy(folder, root=self.storage)
        file = folder / self._experiment.model_file
        replace(file, model, root=self.storage, make=True, replica=self._replica)
        return hashlib.sha256(model).hexdigest()

    def named_models(self) -> dict[str, str]:
        """sha256 (hex) of every model that the log names, by trial id."""
        return {i: t.end.model for i, t in self.state.trials.items() if t.end and t.end.model}

    def has_model(self, trial_id: str, digest: str) -> bool:
        """True if the model with this sha256 (hex) is stored, unchanged."""
        path = self.storage / "models" / trial_id / self._experiment.model_file
        try:
            return sha256_of(path, root=self.storage, most=bounds.TENSORS) == digest
        except OSError:
            # One of an earlier driver is in the object store only.
            content = self._replica.read(path) if self._replica else None
            return content is not None and hashlib.sha256(content).hexdigest() == digest

    def keep_checkpoint(self, trial_id: str, checkpoint: bytes) -> str:
        """Store a checkpoint of ``trial_id``; its sha256 (hex), for the record of its segment."""
        self.check()
        return self._checkpoints.keep(trial_id, checkpoint)

    def stored_segment(self, message: Mapping[str, Any]) -> records.Segment:
        """Segment from the ``message`` of a worker, after its files are stored."""
        line = {**message}
        model, checkpoint = line.pop("model", None), line.pop("checkpoint", None)
        if model:
            line["end"] = {**line["end"], "model": self.keep_model(line["trial_id"], model)}
        if checkpoint:
            line["checkpoint"] = self.keep_checkpoint(line["trial_id"], checkpoint)
        segment = record_of(line)
        assert isinstance(segment, records.Segment)
        return segment

    def checkpoint(self, trial_id: str) -> bytes | None:
        """Checkpoint of ``trial_id``; None if there is none or it cannot be restored."""
        digest = self.state.trials[trial_id].checkpoint
        return self._checkpoints.load(trial_id, digest) if digest else None

    def keep_preparation(self, key: str, facts: Facts, preparation: Preparation) -> None:
        """Store the preparation ``key``, and log the digests of its files.

        Raises:
            UsageError: equal code has prepared something else before.
        """
        self.check()
        record = self.state.prepared.get(key)
        if record and record.identity != facts.identity:
            raise UsageError(
                f"study/{key}, prepared again, differs from the recorded one: restore it from a "
                "copy, or compute the sweep anew in another --storage"
            )
        folder = self.storage / "study" / key
        files = StoredPreparation.write(folder, facts, preparation, replica=self._replica)
        self.append(records.PreparationRecord(key=key, identity=facts.identity, files=files))

    def preparation(self, key: str) -> StoredPreparation | None:
        """Preparation ``key`` of an earlier driver; None if it is missing or incomplete.

        Raises:
            UsageError: it is not what the log names.
        """
        return StoredPreparation.read(self.storage / "study" / key, self.state.prepared.get(key))

    def keep_manifest(self, content: Mapping[str, Any], space: str) -> None:
        """Log the manifest if it has changed, and write its copies."""
        before = self.state.manifest
        if before is None or _undated(before.content) != _undated(content):
            self.append(records.ManifestRecord(content=dict(content), space=space))
        self.copy_manifest()

    def copy_manifest(self) -> None:
        """Write ``manifest.json`` and ``space.yaml`` as they are in the log."""
        assert self.state.manifest is not None
        self.check()
        for name, data in copies(self.state.manifest).items():
            path = self.storage / name
            if not holds(path, data):
                announce = self._sums.announce(name)
                replace(path, data, announce=announce, replica=self._replica)
            else:
                self._sums.announce(name)(BytesIO(data))

    def _is_in_place(self) -> bool:
        try:
            self.check()
        except WriteError:
            return False
        return True


def _undated(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "started"}


def _timed(record: Record) -> Record:
    """``record`` with the time of writing, in seconds since 1970, if its class has a field ``at``.

    Derived records have none: a replay derives them again and compares.
    """
    changes: dict[str, Any] = {"at": round(time.time(), 3)}
    return with_changes(record, **changes) if hasattr(record, "at") else record
