"""Writer of the log: one file per driver start, one line per record, durable on commit."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeps.journal import files as stored
from sweeps.journal import lines
from sweeps.journal.files import shut, sync
from sweeps.journal.journal import Extent, extent, files
from sweeps.journal.storage import (
    Replica,
    WriteError,
    is_at,
    refused,
    this_process,
    unwritable,
)


class Writer:
    """File of one driver start; requires the `Lock` of the storage.

    Args:
        header: fields of the first record in addition to ``format``, ``host``, ``pid``, ``boot``,
            ``time`` (ISO 8601, UTC) and ``before``.
        before: the last file with records; read from ``storage`` if None.
        replica: receives every commit.
    Raises:
        UsageError: no file can be created in ``storage``, or its log cannot be read.
        WriteError: the file was created but not synced to disk.
    """

    def __init__(
        self,
        storage: Path,
        header: Mapping[str, Any],
        *,
        before: Extent | None = None,
        replica: Replica | None = None,
    ) -> None:
        before = before or extent(storage)
        last = max((int(file.stem) for file in files(storage)), default=0)
        self._path = storage / "log" / f"{last + 1:04d}.jsonl"
        self._lines = self._synced = self._size = 0
        self._replica, self._pending = replica, bytearray()
        self._failure: WriteError | None = None
        try:
            with stored.folder(self._path.parent, root=storage) as at:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
                self._fd = os.open(self._path.name, flags, 0o666, dir_fd=at)
        except OSError as error:
            raise unwritable(storage, error) from error
        start = {
            "type": "start",
            "format": lines.FORMAT,
            **this_process(),
            "time": datetime.now(UTC).isoformat(),
            "before": asdict(before) if before else None,
            **header,
        }
        try:
            self.append(start)
            self.commit()
            with self._or_fail():
                sync(self._path.parent)
        except BaseException:
            shut(self._fd)
            raise

    def append(self, record: Mapping[str, Any]) -> None:
        """Write ``record`` as one line; it may be lost until `commit` returns.

        Raises:
            ValueError: it is not JSON, or too long; nothing was written.
            WriteError: it was not written completely. The writer cannot be used any more.
        """
        line = lines.encode(record, self._lines + 1, self._synced)
        with self._or_fail():
            written = os.write(self._fd, line)
            self._size += written
            if written < len(line):
                raise OSError(f"only {written} of {len(line)} bytes fitted")
            self._lines += 1
        if self._replica:
            self._pending += line

    def commit(self) -> None:
        """Sync every appended record to disk; free when nothing is new.

        Raises:
            WriteError: none of them may be. The writer cannot be used any more.
        """
        with self._or_fail():
            if self._synced < self._lines:
                os.fsync(self._fd)
                if self._replica:
                    self._replica.commit(bytes(self._pending))
                    self._pending.clear()
                self._synced = self._lines

    @property
    def in_place(self) -> bool:
        """True if its file is unmoved and has the length that was written."""
        if self._fd < 0:
            return True
        whole = self._failure is not None or os.fstat(self._fd).st_size == self._size
        return whole and is_at(self._path, self._fd)

    @property
    def sound(self) -> bool:
        """True if no write has failed, so that records can still be committed."""
        return self._failure is None

    def close(self) -> None:
        """Commit, append a ``close`` record for the whole file, and end.

        Harmless when repeated, and on a writer that has failed, which was reported already.
        """
        if self._fd < 0:
            return
        try:
            if self._failure is None:
                self.commit()
                self.append({"type": "close"})
                self.commit()
        finally:
            shut(self._fd)
            self._fd = -1

    def abandon(self) -> None:
        """End without another write, since the file was moved or changed."""
        if self._fd >= 0:
            shut(self._fd)
            self._fd = -1

    @contextmanager
    def _or_fail(self) -> Iterator[None]:
        assert self._fd >= 0, "closed"
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except OSError as error:
            self._failure = refused(self._path, error)
            raise self._failure from error
        except WriteError as error:
            self._failure = error
            raise
        except BaseException:  # Ctrl-C: the line may or may not be written
            self._failure = WriteError(f"{self._path} was cut off by an interrupt; start again")
            raise
