"""Checkpoints: one file per trial, named by the digest of its content."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sweeps.journal import bounds, files, records
from sweeps.journal.layout import CHECKPOINT, check_name
from sweeps.journal.records import Record
from sweeps.journal.storage import Replica, refused, replace


class Checkpoints:
    """The folder ``checkpoints/`` of a storage.

    A new checkpoint does not replace the last one: until the log names it, recovery from a crash
    needs the previous one. Only files named like a checkpoint are removed.
    """

    def __init__(self, storage: Path, replica: Replica | None = None) -> None:
        self._storage, self._folder = storage, storage / "checkpoints"
        self._replica = replica
        # By trial: a folder of thousands is listed once, not at every segment.
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        with suppress(FileNotFoundError):
            for name in files.names(self._folder, root=storage):
                if match := CHECKPOINT.fullmatch(name):
                    self._names[match[1]].add(name)

    def keep(self, trial_id: str, content: bytes) -> str:
        """Store ``content``; its sha256 (hex), for :meth:`load`."""
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(trial_id, digest)
        replace(path, content, root=self._storage, make=True, replica=self._replica)
        self._names[trial_id].add(path.name)
        return digest

    def load(self, trial_id: str, digest: str) -> bytes | None:
        """The checkpoint of ``trial_id`` with that sha256; None if it is missing or damaged."""
        path = self.path(trial_id, digest)
        try:
            content = files.read(path, most=bounds.TENSORS, root=self._storage)
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == digest else None

    def path(self, trial_id: str, digest: str) -> Path:
        """Path of a checkpoint.

        Raises:
            UsageError: an argument is not an id or a digest of a sweep.
        """
        return self._folder / _name(
            check_name("trial", trial_id), check_name("checkpoint", digest)
        )

    def tidy(self, keep: Mapping[str, str | None]) -> None:
        """Remove all checkpoints of the trials in ``keep`` except the one with that sha256."""
        over: set[str] = set()
        for trial_id, digest in keep.items():
            current_names = {_name(trial_id, digest)} if digest else set()
            over |= self._names[trial_id] - current_names
            self._names[trial_id] &= current_names
        if not over:
            return
        try:
            with files.folder(self._folder, root=self._storage) as at:
                for name in over:
                    files.remove(at, name)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise refused(self._folder, error) from error
        if self._replica:
            self._replica.remove([self._folder / name for name in over])


def _name(trial_id: str, digest: str) -> str:
    return f"{trial_id}-{digest[:16]}.safetensors"


def concerned(record: Record) -> tuple[str, ...]:
    """Trials whose checkpoint ``record`` may replace or make obsolete."""
    match record:
        case records.Segment():
            return (record.trial_id,)
        case records.Verdict() | records.SchedulerStop() | records.UserStop() | records.Retry():
            return record.trials
        case _:
            return ()
