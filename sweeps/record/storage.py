"""Files that outlive a crash: a lock that never goes stale, a file replaced in one step.

What a rename or a new name in a folder is worth after a power loss is decided by ``fsync`` of the
file first and of the folder afterwards. A failed ``fsync`` is never repeated: the kernel has
dropped the pages by then, and the second call would report a success that is none.
"""

import fcntl
import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from sweeps.errors import UsageError

Announce = Callable[[Path], None]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class WriteError(Exception):
    """The storage took no more; what was committed before is safe, nothing after it is."""


class Lock:
    """The right to write to a storage, held until it is closed or this process ends.

    The kernel keeps it, so that a driver that was killed leaves nothing to clear away; the file
    only names the holder. Whoever takes it stands on what earlier drivers left: that much is
    made durable first, and is then read from the disk, not from memory.

    Args:
        storage: the sweep's directory, made if missing.
    Raises:
        UsageError: another process holds the lock, or ``storage`` cannot be written.
    """

    def __init__(self, storage: Path) -> None:
        self._storage, folder = storage, storage / "log"
        self._path = folder / "lock"
        try:
            _make(folder)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise unwritable(storage, error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(this_process()).encode() + b"\n", 0)
            for name in sorted(os.listdir(folder)):
                if name.endswith(".jsonl"):
                    _settle(folder / name)
            sync(folder)
        except BaseException as error:
            holder = _holder(self._fd)
            shut(self._fd)
            if isinstance(error, BlockingIOError):
                raise UsageError(
                    f"{holder} is writing to {storage}; wait for it, or give another --storage"
                ) from error
            if isinstance(error, OSError):
                raise unwritable(storage, error) from error
            raise

    def check(self) -> None:
        """Return while the storage is the one that was locked.

        Raises:
            WriteError: it was moved, removed or replaced since.
        """
        if not is_at(self._path, self._fd):
            raise WriteError(
                f"storage {self._storage} was moved, removed or replaced while its sweep ran; "
                "nothing more is recorded, and what was is where its log went: bring that back, "
                "or start anew"
            )

    def close(self) -> None:
        """Let the next driver in; harmless when repeated."""
        if self._fd >= 0:
            shut(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def is_at(path: Path, fd: int) -> bool:
    """Whether the open file ``fd`` is still the one at ``path``."""
    try:
        there = os.lstat(path)
    except OSError:
        return False
    return os.path.samestat(there, os.fstat(fd))


def replace(path: Path, content: bytes, *, announce: Announce = lambda path: None) -> None:
    """Make ``content`` all that ``path`` holds, in one step; see `replaced`."""
    with replaced(path, announce=announce) as partial:
        partial.write_bytes(content)


@contextmanager
def replaced(path: Path, *, announce: Announce = lambda path: None) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes ``path``'s place at the end.

    At every moment, and after a crash at any moment, ``path`` holds all of the old or all of the
    new content. On failure the old content stays and the temporary file goes.

    Args:
        path: what is replaced.
        announce: called with the path of the new content before that takes its place.
    Raises:
        WriteError: the file system refused.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        sync(partial)
        announce(partial)
        os.replace(partial, path)
        sync(path.parent)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        if isinstance(error, OSError):
            raise refused(path, error) from error
        raise


def sync(path: Path) -> None:
    """Wait until the file, or the names in the folder, at ``path`` are on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        shut(fd)


def shut(fd: int) -> None:
    """Close ``fd``; what ``fsync`` has answered counts, not what this does."""
    with suppress(OSError):
        os.close(fd)


def this_process() -> dict[str, Any]:
    """Host, process number and boot, which together name a process for ever."""
    boot = _BOOT.read_text().strip() if _BOOT.exists() else None
    return {"host": platform.node(), "pid": os.getpid(), "boot": boot}


def refused(path: Path, error: OSError) -> WriteError:
    """``error`` as one line with its cure."""
    return WriteError(
        f"{path} could not be written ({error.strerror or error}); "
        "make room or mend the disk, then start again: what was recorded is safe"
    )


def unwritable(storage: Path, error: OSError) -> UsageError:
    """A storage that cannot be used at all, as one line with its cure."""
    return UsageError(
        f"storage {storage} cannot be written ({error.strerror}); give another --storage"
    )


def _make(folder: Path) -> None:
    """``folder`` and what is missing above it, each entered durably in its parent."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
    with suppress(PermissionError):  # a parent that may be crossed but not read
        sync(folder.parent)


def _settle(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY)
    try:
        os.fsync(fd)
        # After a failed fsync memory still shows the lines that never reached the disk.
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        shut(fd)


def _holder(fd: int) -> str:
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
        return f"host {holder['host']}, pid {holder['pid']}"
    except (ValueError, KeyError, TypeError):  # it has the lock, but has not signed yet
        return "another sweep"
