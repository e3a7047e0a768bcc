"""Holder of a storage's lock, read without taking the lock."""

import os
from dataclasses import dataclass
from pathlib import Path

from sweeps.journal import bounds
from sweeps.journal.files import read_json
from sweeps.journal.storage import this_process

_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Process that took the lock last."""

    host: str
    pid: int
    since: float  # seconds since 1970
    alive: bool | None  # whether it holds the lock now; None if only ``host`` can determine that


def driver(storage: Path, *, closed: bool) -> Driver | None:
    """Last holder of the lock of ``storage``, if any; ``closed`` if it has closed its log."""
    path = storage / "log" / "lock"
    try:
        holder, lock_status = read_json(path, most=bounds.LOCK, root=storage), path.lstat()
        host, pid, boot = holder["host"], holder["pid"], holder["boot"]
    except (OSError, ValueError, KeyError, TypeError):  # not signed yet
        return None
    here = this_process()
    if host != here["host"]:
        alive = False if closed or holder.get("closed") else None
    elif "token" in holder:  # of an object store, without a lock of the kernel
        alive = not holder["closed"] and boot == here["boot"] and _exists(pid)
    else:
        alive = boot == here["boot"] and _holds(pid, lock_status.st_ino)
    return Driver(host=host, pid=pid, since=lock_status.st_mtime, alive=alive)


def _holds(pid: int, inode: int) -> bool:
    """True if the process holds a lock on the file, from the kernel's list of locks."""
    try:
        locks = [line.split()[4:6] for line in _LOCKS.read_text().splitlines()]
    except OSError:  # not Linux: a live process still holds its lock
        return _exists(pid)
    # Not the device, whose number here and in stat differ on layered file systems.
    return any(lock[0] == str(pid) and lock[1].endswith(f":{inode}") for lock in locks)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's process
    return True
