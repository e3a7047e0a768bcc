"""Private folder of a Ray session, short enough for its sockets and removed afterwards.

Ray makes world-writable session folders in a shared place, where another user could replace a
socket; and a Unix socket's path must not exceed 107 bytes, which SLURM's TMPDIR often does.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sweeps.errors import UsageError

_LONGEST_SOCKET = 107 if sys.platform != "darwin" else 103  # bytes, of the kernel
_PREFIX = "hs-"  # mkdtemp adds 8 characters
INNER_FOLDER = "r"  # made by Ray, world-writable
_SHORT = ("/tmp", "/var/tmp")  # with room for an object store that spills


@contextmanager
def session_folder() -> Iterator[str]:
    """A new folder that only this user can enter, for Ray's ``INNER_FOLDER``.

    It is in RAY_TMPDIR or TMPDIR, or, if the latter is too long, in a folder with a short path.

    Raises:
        UsageError: RAY_TMPDIR is too long, or no folder can be made there.
    """
    folder = _new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def longest_parent() -> int:
    """Maximum length of RAY_TMPDIR and TMPDIR in bytes."""
    session = f"session_2000-01-01_00-00-00_000000_{os.getpid()}"
    return _LONGEST_SOCKET - len(
        f"/{_PREFIX}{'x' * 8}/{INNER_FOLDER}/{session}/sockets/plasma_store"
    )


def _new_folder() -> str:
    name = next((n for n in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(n)), None)
    parent = os.path.abspath(os.environ[name]) if name else _SHORT[0]
    length, most = len(os.fsencode(parent)), longest_parent()
    if name == "RAY_TMPDIR" and length > most:
        raise UsageError(
            f"RAY_TMPDIR is {length} bytes long, which leaves Ray's sockets more than the "
            f"{_LONGEST_SOCKET} that the kernel allows; give one of at most {most}, such as /tmp"
        )
    try:
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    except OSError as error:
        cure = f"make it, or unset {name}" if name else "set TMPDIR to a folder that can"
        where = f"{name}={parent}" if name else parent
        raise UsageError(f"{where} cannot be written ({error.strerror}); {cure}") from error
    if length <= most:
        return folder
    os.rmdir(folder)
    for short in (*_SHORT, os.environ.get("XDG_RUNTIME_DIR", "")):
        if short and len(os.fsencode(short)) <= most:
            with suppress(OSError):
                return tempfile.mkdtemp(prefix=_PREFIX, dir=short)
    raise UsageError(
        f"TMPDIR is {length} bytes long, which leaves Ray's sockets more than the "
        f"{_LONGEST_SOCKET} that the kernel allows; set RAY_TMPDIR to one of at most {most}"
    )
