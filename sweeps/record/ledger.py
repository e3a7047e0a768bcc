"""The one writer of a storage: what happens is logged, then known, then acted upon."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hedgecore.experiment import Experiment
from sweeps.deciding.engine import Engine
from sweeps.record.book import Book
from sweeps.record.checkpoints import Checkpoints
from sweeps.record.layout import check_name
from sweeps.record.log import LogError, Writer, read
from sweeps.record.storage import Lock, replace, tidy
from sweeps.record.tables import write_tables

Record = dict[str, Any]


class Ledger:
    """The log of one storage, open for appending, with all that follows from it.

    Opening it replays the log: trials are where they were when the last driver ended or died.

    Args:
        storage: the sweep's directory.
        core: version of hedgecore.
        experiment: gives the tables their columns.
        engine: what decides; None if another scheduler does.
        clock: seconds, for the pace of snapshots.
    Raises:
        UsageError: ``storage`` cannot be written, another driver writes there, or its log is
            damaged.
    """

    def __init__(
        self,
        storage: Path,
        *,
        core: str,
        experiment: Experiment[Any, Any],
        engine: Engine | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.storage = storage
        self.book = Book(core)
        self.engine = engine
        self._experiment = experiment
        self.follow: Callable[[Record], None] = lambda record: None
        """Told of every record that is on the disk."""
        self._clock = clock
        self._due = -float("inf")
        self._changed = True
        self._lock = Lock(storage)
        try:
            self._checkpoints = Checkpoints(storage)
            self._replay(storage)
            self._writer = Writer(storage, {"core": core})
            self.append({"type": "start", "core": core}, logged=True)
            if engine:
                self.append(*engine.pending)
            self._checkpoints.tidy({i: log.checkpoint for i, log in self.book.trials.items()})
        except BaseException:
            self._lock.close()
            raise

    def _replay(self, storage: Path) -> None:
        for record in read(storage):
            try:
                # What follows from a record is in the log itself, or pending.
                if self.book.apply(record) and self.engine:
                    self.engine.apply(record)
            except KeyError as error:
                raise LogError(
                    f"log/: a {record['type']} record speaks of {error} before it was entered, so "
                    "a file was cut; restore it from a copy, or start again in another --storage"
                ) from error

    def append(self, *records: Record, logged: bool = False) -> None:
        """Log ``records`` and all that follows from them; return when they are on the disk.

        Raises:
            WriteError: they may not be. Nothing can be appended any more.
        """
        todo = [record if logged else _timed(record) for record in records]
        done = 0
        while done < len(todo):
            record = todo[done]
            if not logged:
                self._writer.append(record)
            if self.book.apply(record) and self.engine:
                todo += self.engine.apply(record)
            done += 1
        self._writer.commit()
        touched = {i for record in todo for i in _concerned(record)}
        self._checkpoints.tidy({i: self.book.trials[i].checkpoint for i in touched})
        for record in todo:
            self.follow(record)
        self._changed = True
        if self._clock() >= self._due:
            self.snapshot()

    def note(self, record: Record) -> None:
        """Log ``record``, which nobody waits for: a crash may forget it."""
        self._writer.append(_timed(record))
        self.book.apply(record)

    def snapshot(self) -> None:
        """Rewrite both tables if anything changed; due again after 20 times what that took."""
        if not self._changed:
            return
        began = self._clock()
        write_tables(self.storage, self.book, self._experiment)
        self._changed = False
        self._due = self._clock() + max(2.0, 20 * (self._clock() - began))

    def close(self) -> None:
        """Vouch for the log, bring the tables up to date, and let the next driver in."""
        try:
            self._writer.close()
            if self._writer.sound:  # else the book knows more than the disk
                self.book.apply({"type": "close"})
                self._changed = True
                self.snapshot()
        finally:
            self._lock.close()

    def keep_model(self, trial_id: str, model: bytes) -> str:
        """File a trained network in ``models/<trial_id>/``; its sha256 (hex)."""
        folder = self.storage / "models" / check_name("trial", trial_id)
        tidy(folder, root=self.storage)
        replace(folder / self._experiment.model_file, model, root=self.storage, make=True)
        return hashlib.sha256(model).hexdigest()

    def keep_checkpoint(self, trial_id: str, checkpoint: bytes) -> str:
        """File where ``trial_id`` can go on; its sha256 (hex), which its segment has to name."""
        return self._checkpoints.keep(trial_id, checkpoint)

    def checkpoint(self, trial_id: str) -> bytes | None:
        """Where the log says that ``trial_id`` can go on; None if that cannot be had."""
        digest = self.book.trials[trial_id].checkpoint
        return self._checkpoints.load(trial_id, digest) if digest else None


def _concerned(record: Record) -> list[str]:
    """The trials whose checkpoint ``record`` may replace or end the use of."""
    if record["type"] == "segment":
        return [record["trial_id"]]
    return record["trials"] if record["type"] == "decision" else []


def _timed(record: Record) -> Record:
    """``record`` with the time of its writing, ``at``, in seconds since 1970.

    Only what happens has a time; what is derived is compared with what is derived again.
    """
    if record["type"] not in ("begin", "segment", "lost"):
        return record
    return {**record, "at": round(time.time(), 3)}
