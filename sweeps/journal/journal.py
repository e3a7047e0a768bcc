"""Reader of the log: every committed record, and an error for every other change.

Every driver start appends to a new file, ``log/0001.jsonl`` and so on, so no driver appends after
a line that a crash cut off. A record is one line of plain JSON::

    {"type":"begin","epoch":3,...,"n":17,"synced":12,"crc":"5b1c0f9e"}

``n`` is the line's number in its file, ``synced`` the number of lines on disk when it was written,
``crc`` the CRC-32 of the bytes before ``,"crc"``. A crash may leave any bytes after the last
committed line, including holes with whole lines after them, since a disk writes in any order.
``synced`` distinguishes such a tail, which was never acknowledged, from damage to a line that a
later line reports as committed. The first record of a file names the file before it, with the
number and the sha256 of the lines on which its driver built, so any change of an earlier file is
detected. Only damage to the last committed group of the last file, if no ``close`` record ends it,
looks like a torn tail: its lines are then treated as never written and their results are computed
again. This protects against accidents, not against forgery.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweeps.errors import UsageError
from sweeps.journal import bounds, lines
from sweeps.journal import files as stored
from sweeps.journal.layout import LOG_FILE

# Later lines build on earlier ones, so a partial log is useless.
CURE = "restore it from a copy, or start again in another --storage"


class LogError(UsageError):
    """Damage to the log: file, line, fault and cure."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The part of a file that later files build on."""

    file: str  # name
    lines: int  # number of lines, at least 1
    sha256: str  # of their bytes (hex)


class Reader:
    """Every record of every file, in the order of driver starts, as it was appended.

    Each file contributes all committed lines, and those after them up to the first gap. Safe while
    a driver writes; a storage without a log holds no records.

    Raises:
        LogError: while iterating: a committed line is damaged, missing or doubled, a file is
            missing or not the one that the next builds on, or another version wrote one.
    """

    def __init__(self, storage: Path) -> None:
        self._storage = storage
        self.place = ""
        """File and line of the last record, such as "0001.jsonl:17"."""
        self.extent: Extent | None = None
        """Of the last file with records, once it was read to its end."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (record for record in self._records(follow=False) if record is not None)

    def follow(self) -> Iterator[dict[str, Any] | None]:
        """Every record, then None whenever the last file holds no further line.

        The next call continues where that file ended. Later files, and changes of earlier ones,
        are not detected: see :class:`sweeps.journal.tail.Tail`.
        """
        return self._records(follow=True)

    def _records(self, *, follow: bool) -> Iterator[dict[str, Any] | None]:
        every = files(self._storage)
        for number, file in enumerate(every, start=1):
            if int(file.stem) != number:
                raise LogError(
                    f"{number:04d}.jsonl: missing, though {file.name} came after it; {CURE}"
                )
            count, digest = 0, hashlib.sha256()
            for item in _numbered(file, follow=follow and file == every[-1]):
                if item is None:
                    yield None
                    continue
                line, record = item
                count += 1
                self.place = f"{file.name}:{count}"
                if count == 1:
                    _check_before(file, record.get("before"), self.extent)
                digest.update(line)
                yield record
            if count:
                self.extent = Extent(file.name, count, digest.hexdigest())


def read(storage: Path) -> Iterator[dict[str, Any]]:
    """Every record of the log of ``storage``; see :class:`Reader`."""
    yield from Reader(storage)


def extent(storage: Path) -> Extent | None:
    """The last file with records, as the next one has to name it; None if there is none."""
    reader = Reader(storage)
    for _ in reader:
        pass
    return reader.extent


def files(storage: Path) -> list[Path]:
    """The log's files in the order of driver starts; files of other names are ignored.

    Raises:
        LogError: the folder cannot be read.
    """
    folder = storage / "log"
    try:
        # Not glob, which treats an unreadable folder as empty.
        names = stored.names(folder, root=storage)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error
    matches = map(LOG_FILE.fullmatch, names)
    return [folder / f"{number:04d}.jsonl" for number in sorted(int(f[1]) for f in matches if f)]


def records(file: Path) -> Iterator[dict[str, Any]]:
    """Every record of one file by itself; see :class:`Reader`."""
    return (item[1] for item in _numbered(file, follow=False) if item is not None)


def _numbered(file: Path, *, follow: bool) -> Iterator[tuple[bytes, dict[str, Any]] | None]:
    """Every record of one file with the bytes of its line; to ``follow``, None at the end."""
    torn = 0  # first invalid line
    behind = 0
    for number, text in _lines(file, follow=follow):
        if text is None:
            yield None
            continue
        behind += len(text) + bounds.PER_LINE if torn else 0
        if behind > bounds.TAIL:
            raise _damaged(file, torn, "damaged, with more behind it than a crash leaves")
        line = lines.decode(text)
        if line is None:
            if number == 1 and _is_foreign(text):
                raise _other_format(file, 1)
            torn = torn or number
        elif torn:
            if line.synced >= torn:
                raise _damaged(file, torn, "damaged, though it had been committed")
        elif line.n != number:
            raise _damaged(file, number, f"has number {line.n}: lines missing or doubled")
        else:
            record = lines.parse(line.fields)
            if not isinstance(record, dict):
                raise _damaged(file, number, "not a JSON object, though its checksum is right")
            if number == 1 and record.get("format") != lines.FORMAT:
                raise _other_format(file, record.get("format"))
            yield text, record


def _check_before(file: Path, written: Any, before: Extent | None) -> None:
    """Check that the driver of ``file`` built on the lines that are ``before`` it now."""
    actual = asdict(before) if before else None
    if written == actual:
        return
    later = f", or move {file.name} and all later files away to compute again what they hold"
    named, latest = _number(written), int(Path(before.file).stem) if before else 0
    if named is None or not latest <= named < int(file.stem):
        raise LogError(
            f"{file.name}: was not begun on the files that come before it now: files were "
            "renamed, copied or taken from another sweep; restore log/ from a copy"
            + (later if before else "")
        )
    name, count = written["file"], written["lines"]
    actual_count = before.lines if before and before.file == name else 0
    change = (
        f"{actual_count} lines, not {count}"
        if actual_count != count
        else "other bytes in its lines"
    )
    raise LogError(
        f"{name}: changed after {file.name} had built on it ({change}); "
        f"restore it from a copy{later}"
    )


def _number(written: Any) -> int | None:
    """Number of the file that ``written`` names, 0 for none; None if no driver wrote it."""
    if written is None:
        return 0
    if not isinstance(written, dict) or written.keys() != {"file", "lines", "sha256"}:
        return None
    name = LOG_FILE.fullmatch(str(written["file"]))
    return int(name[1]) if name else None


def _lines(file: Path, *, follow: bool) -> Iterator[tuple[int, bytes | None]]:
    """Every whole line by its number; to ``follow``, None where the next one is not there yet."""
    number, end = 1, 0
    try:
        with stored.open_file(file, root=file.parent.parent) as stream:
            while True:
                line = stream.readline(bounds.LINE + 1)
                if len(line) > bounds.LINE:
                    raise _damaged(file, number, f"over {bounds.LINE} bytes long")
                if line.endswith(b"\n"):
                    yield number, line
                    number, end = number + 1, end + len(line)
                elif follow:
                    stream.seek(end)
                    yield number, None
                else:
                    return  # cut off, or being written: bytes that arrive later are not its rest
    except OSError as error:
        raise _unreadable(file, error) from error


def _is_foreign(line: bytes) -> bool:
    """True if a file with this first line is older than format 2."""
    head = lines.parse(line)
    is_start = isinstance(head, dict) and head.get("type") == "start"
    return is_start and not head.keys() & {"format", "crc"}


def _other_format(file: Path, written: Any) -> LogError:
    newer = isinstance(written, int) and written > lines.FORMAT
    cure = "update hedgesweep" if newer else "use the version that wrote it, or start anew"
    return LogError(
        f"{file.name}:1: log format {written}, this version reads {lines.FORMAT}; {cure}"
        + ("" if newer else " in another --storage")
    )


def _unreadable(path: Path, error: OSError) -> LogError:
    return LogError(
        f"{path} cannot be read ({error.strerror}); mend its permissions or its disk, or restore "
        "it from a copy"
    )


def _damaged(file: Path, number: int, what: str) -> LogError:
    cure = CURE
    if number > 1 and file == files(file.parent.parent)[-1]:
        alternative = f"keep only lines 1 to {number - 1}"
        cure = f"restore it from a copy, or {alternative} to compute again what follows"
    return LogError(f"{file.name}:{number}: {what}; {cure}")
