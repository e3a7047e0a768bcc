"""The log of a sweep: a writer that cannot lie and a reader that cannot be fooled.

Every driver start appends to a file of its own, ``log/0001.jsonl`` and so on, so nobody ever
appends behind a line that a crash cut off. A record is one line of plain JSON::

    {"type":"epoch","epoch":3,...,"n":17,"synced":12,"crc":"5b1c0f9e"}

``n`` is the line's number in its file, ``synced`` how many lines were known to be on the disk when
it was written, ``crc`` the CRC-32 of the bytes before ``,"crc"``. A crash may leave any bytes
behind the last committed line, holes with whole lines behind them included, since a disk writes in
any order. ``synced`` tells such a tail, which nobody was promised, from damage to a line that a
later line knows to have been committed. The one thing that cannot be told from a torn tail is
damage to the last committed group of a file without a ``close`` record: its lines are then read
as never written. The checksum is against accidents, not against forgers.
"""

import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeps.errors import UsageError
from sweeps.record import bounds
from sweeps.record import files as stored
from sweeps.record.layout import LOG_FILE
from sweeps.record.storage import WriteError, refused, shut, sync, this_process, unwritable

FORMAT = 2

_LINE = re.compile(
    rb'(?P<fields>\{.*),"n":(?P<n>\d{1,18}),"synced":(?P<synced>\d{1,18}),'
    rb'"crc":"(?P<crc>[0-9a-f]{8})"\}\n'
)
_SEAL = len(b',"crc":"00000000"}\n')
_OURS = {"n", "synced", "crc"}
# Later lines build on earlier ones, so there is no going on without a part of them.
_CURE = "restore it from a copy, or start again in another --storage"


class LogError(UsageError):
    """A log that cannot be trusted: file, line, what is wrong and the cure."""


class Writer:
    """The file of one driver start. Only one may be open in a storage: hold its `Lock`.

    Args:
        storage: the sweep's directory, with its lock held.
        header: fields of the first record beside ``format``, ``host``, ``pid``, ``boot`` and
            ``time`` (ISO 8601, UTC).
    Raises:
        UsageError: no file can be made in ``storage``, or its log cannot be read.
        WriteError: the file was made but not taken to the disk.
    """

    def __init__(self, storage: Path, header: Mapping[str, Any]) -> None:
        last = max((int(file.stem) for file in files(storage)), default=0)
        self._path = storage / "log" / f"{last + 1:04d}.jsonl"
        self._lines = self._synced = 0
        self._failure: WriteError | None = None
        try:
            with stored.folder(self._path.parent, root=storage) as at:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
                self._fd = os.open(self._path.name, flags, 0o666, dir_fd=at)
        except OSError as error:
            raise unwritable(storage, error) from error
        now = datetime.now(UTC).isoformat()
        try:
            self.append(
                {"type": "start", "format": FORMAT, **this_process(), "time": now, **header}
            )
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
            WriteError: it was not written whole. The writer is of no more use.
        """
        line = _encoded(record, self._lines + 1, self._synced)
        with self._or_fail():
            written = os.write(self._fd, line)
            if written < len(line):
                raise OSError(f"only {written} of {len(line)} bytes fitted")
            self._lines += 1

    def commit(self) -> None:
        """Return when every appended record is on the disk; free when nothing is new.

        Raises:
            WriteError: perhaps none of them is. The writer is of no more use.
        """
        with self._or_fail():
            if self._synced < self._lines:
                os.fsync(self._fd)
                self._synced = self._lines

    @property
    def sound(self) -> bool:
        """Whether all that was appended can still be brought to the disk."""
        return self._failure is None

    def close(self) -> None:
        """Commit, vouch for the whole file with a ``close`` record, and end.

        Harmless when repeated, and silent on a writer that has failed: that was said already.
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
        except BaseException:  # Ctrl-C: whether the line was written is not known
            self._failure = WriteError(f"{self._path} was cut off by an interrupt; start again")
            raise


def read(storage: Path) -> Iterator[dict[str, Any]]:
    """Every record of every file, in the order of driver starts, as it was appended.

    From each file come all committed lines, and of those behind them as many as follow without a
    gap. Files of versions before format 2 are passed over. Reads while a driver writes, line by
    line.

    Raises:
        LogError: a committed line is damaged, missing or doubled, a file is missing, or a newer
            version wrote one.
    """
    for number, file in enumerate(files(storage), start=1):
        if int(file.stem) != number:
            raise LogError(
                f"{number:04d}.jsonl: missing, though {file.name} came after it; {_CURE}"
            )
        yield from records(file)


def files(storage: Path) -> list[Path]:
    """The log's files in the order of driver starts; a file of any other name is not ours.

    Raises:
        LogError: the folder cannot be read.
    """
    folder = storage / "log"
    try:
        # Not glob, to which a folder that may not be read is an empty one.
        names = stored.names(folder, root=storage)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error
    found = map(LOG_FILE.fullmatch, names)
    return [folder / f"{number:04d}.jsonl" for number in sorted(int(f[1]) for f in found if f)]


def records(file: Path) -> Iterator[dict[str, Any]]:
    """Every record of one file; see :func:`read`."""
    torn = 0  # the line at which this file stopped making sense
    behind = 0
    for number, line in _lines(file):
        behind += len(line) + bounds.PER_LINE if torn else 0
        if behind > bounds.TAIL:
            raise _damaged(file, torn, "damaged, with more behind it than a crash leaves")
        parts = _LINE.fullmatch(line)
        whole = parts and zlib.crc32(line[:-_SEAL]) == int(parts["crc"], 16)
        if parts is None or not whole:
            if number == 1 and _is_foreign(line):
                return
            torn = torn or number
        elif torn:
            if int(parts["synced"]) >= torn:
                raise _damaged(file, torn, "damaged, though it had been committed")
        elif int(parts["n"]) != number:
            raise _damaged(file, number, f"has number {int(parts['n'])}: lines missing or doubled")
        else:
            record = _parsed(parts["fields"] + b"}")
            if record is None:
                raise _damaged(file, number, "no JSON, though its checksum is right")
            if number == 1 and record.get("format") != FORMAT:
                raise LogError(
                    f"{file.name}:1: log format {record.get('format')}, known is {FORMAT}; "
                    "update hedgesweep"
                )
            yield record


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with stored.open_file(file, root=file.parent.parent) as stream:
            lines = iter(lambda: stream.readline(bounds.LINE + 1), b"")
            for number, line in enumerate(lines, start=1):
                if len(line) > bounds.LINE:
                    raise _damaged(file, number, f"over {bounds.LINE} bytes long")
                if not line.endswith(b"\n"):
                    return  # cut off, or being written: what may follow by now is not its rest
                yield number, line
    except OSError as error:
        raise _unreadable(file, error) from error


def _is_foreign(line: bytes) -> bool:
    """Whether a file with this first line is of a version before format 2."""
    head = _parsed(line)
    known = isinstance(head, dict) and head.get("type") == "start"
    return known and not head.keys() & {"format", "crc"}


def _parsed(text: bytes) -> Any:
    """What ``text`` says in JSON, or None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _unreadable(path: Path, error: OSError) -> LogError:
    return LogError(
        f"{path} cannot be read ({error.strerror}); mend its permissions or its disk, or restore "
        "it from a copy"
    )


def _damaged(file: Path, number: int, what: str) -> LogError:
    cure = _CURE
    if number > 1 and file == files(file.parent.parent)[-1]:
        kept = f"keep only lines 1 to {number - 1}"
        cure = f"restore it from a copy, or {kept} to compute again what follows"
    return LogError(f"{file.name}:{number}: {what}; {cure}")


def _encoded(record: Mapping[str, Any], n: int, synced: int) -> bytes:
    assert not record.keys() & _OURS, record.keys() & _OURS
    try:
        text = json.dumps(
            {**record, "n": n, "synced": synced}, separators=(",", ":"), allow_nan=False
        )
    except ValueError as error:
        raise ValueError(
            f"a record of type {record['type']!r} must hold finite numbers only, got "
            f"{str(dict(record))[:200]}; write null for what has no value"
        ) from error
    body = text[:-1].encode("ascii")
    line = b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))
    if len(line) > bounds.LINE:
        raise ValueError(f"a record must be at most {bounds.LINE} bytes long, got {len(line)}")
    return line
