"""Lock of a storage, which never becomes stale, and durable writes under it."""

import errno
import fcntl
import json
import os
import platform
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

from hedgecore.errors import HedgesweepError
from sweeps.errors import UsageError
from sweeps.journal import bounds, files
from sweeps.journal.files import Announce, shut, sync
from sweeps.journal.layout import LOG_FILE

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class WriteError(HedgesweepError):
    """The storage cannot be written; records committed before are safe, later ones are not."""


class Replica(Protocol):
    """Second place of every durable write of a driver; each method may raise `WriteError`."""

    @property
    def url(self) -> str:
        """URL of the storage."""

    def commit(self, lines: bytes) -> None:
        """Append ``lines`` to the log of this driver start."""

    def put(self, path: Path) -> None:
        """Copy the file at ``path``."""

    def read(self, path: Path) -> bytes | None:
        """Content of the file at ``path``, which exists here only; None if it does not."""

    def remove(self, paths: Collection[Path]) -> None:
        """Remove the copies of files that were removed."""

    def check(self) -> None:
        """Check that no other driver has taken over."""

    def close(self, *, complete: bool) -> None:
        """Release the storage, whose log is ``complete`` or broke off."""


class Lock:
    """Exclusive lock on writing to a storage, until it is closed or this process ends.

    The kernel holds it, so a killed driver leaves no stale lock; the file only names the holder.
    Taking it first makes the files of earlier drivers durable, so that they are then read from
    the disk, not from memory.

    A missing storage is made.

    Raises:
        UsageError: another process holds the lock, or ``storage`` cannot be written.
    """

    def __init__(self, storage: Path) -> None:
        log = storage / "log"
        self._storage, self._path = storage, log / "lock"
        try:
            _make(storage)
            with files.folder(log, root=storage, make=True) as at:
                sync(storage)  # an earlier driver may have created only the folder
                self._fd = files.open_plain("lock", at, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise unwritable(storage, error) from error
        try:
            if os.fstat(self._fd).st_nlink > 1:
                raise UsageError(f"{log}/lock is another file's hard link; remove it")
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(this_process()).encode() + b"\n", 0)
            with files.folder(log, root=storage) as at:
                for name in sorted(filter(LOG_FILE.fullmatch, os.listdir(at))):
                    _settle(name, at)
                os.fsync(at)
            tidy(storage, root=storage)
            tidy(storage / "checkpoints", root=storage)
            for name in _names(storage / "study", root=storage):
                tidy(storage / "study" / name, root=storage)
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
        """Check that the storage is still the one that was locked.

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
        """Release the lock; harmless when repeated."""
        if self._fd >= 0:
            shut(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def is_at(path: Path, fd: int) -> bool:
    """True if the open file ``fd`` is still the one at ``path``."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return os.path.samestat(status, os.fstat(fd))


def replace(
    path: Path,
    content: bytes,
    *,
    root: Path | None = None,
    make: bool = False,
    announce: Announce | None = None,
    replica: Replica | None = None,
) -> None:
    """Replace the file at ``path`` by ``content`` atomically; see `replaced`."""
    with replaced(path, root=root, make=make, announce=announce, replica=replica) as stream:
        stream.write(content)


@contextmanager
def replaced(
    path: Path,
    *,
    root: Path | None = None,
    make: bool = False,
    announce: Announce | None = None,
    replica: Replica | None = None,
) -> Iterator[BinaryIO]:
    """A file that replaces ``path``; see :func:`sweeps.journal.files.replacement`.

    Args:
        replica: receives the new file.
    Raises:
        WriteError: the file system, or the replica, refused.
    """
    try:
        with files.replacement(path, root=root, make=make, announce=announce) as stream:
            yield stream
    except OSError as error:
        raise refused(path, error) from error
    if replica:
        replica.put(path)


def tidy(folder: Path, *, root: Path) -> None:
    """Remove temporary files that crashes left in ``folder``, if it exists.

    Raises:
        WriteError: the file system refused, or there is a link in its place.
    """
    try:
        for name in filter(files.PARTIAL.fullmatch, _names(folder, root=root)):
            with files.folder(folder, root=root) as at:
                files.remove(at, name)
    except OSError as error:
        raise refused(folder, error) from error


def this_process() -> dict[str, Any]:
    """Host, pid and boot, which together identify a process permanently."""
    boot = _BOOT.read_text().strip() if _BOOT.exists() else None
    return {"host": platform.node(), "pid": os.getpid(), "boot": boot}


def refused(path: Path, error: OSError) -> WriteError:
    """``error`` as one line with its cure."""
    obstacle = error.errno in (errno.ELOOP, errno.EISDIR, errno.ENOTDIR)
    cure = "remove what is in its place" if obstacle else "make room or mend the disk"
    return WriteError(
        f"{path} could not be written ({error.strerror or error}); "
        f"{cure}, then start again; recorded results are safe"
    )


def unwritable(storage: Path, error: OSError) -> UsageError:
    """Error on a storage that cannot be used at all, as one line with its cure."""
    return UsageError(
        f"storage {storage} cannot be written ({error.strerror}); give another --storage"
    )


def _make(folder: Path) -> None:
    """Create ``folder`` and its missing parents, each durably."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
    with suppress(PermissionError):  # a parent with search but without read permission
        sync(folder.parent)


def _settle(name: str, at: int) -> None:
    """Sync the file ``name`` in the open folder ``at`` to disk."""
    fd = files.open_plain(name, at)
    try:
        os.fsync(fd)
        # After a failed fsync the page cache still shows lines that never reached the disk.
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        shut(fd)


def _names(folder: Path, *, root: Path) -> list[str]:
    try:
        return files.names(folder, root=root)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _holder(fd: int) -> str:
    try:
        holder = json.loads(os.pread(fd, bounds.LOCK, 0))
        return f"host {holder['host']}, pid {holder['pid']}"
    except (ValueError, KeyError, TypeError, RecursionError):  # not signed yet
        return "another sweep"
