"""Files of a storage, verified against the digests in its ``SHA256SUMS``.

A path may be listed several times: while the driver replaces a file, both the old and the new
content are valid. Tables copied without ``SHA256SUMS`` are not verified.
"""

import hashlib
import re
import time
from collections.abc import Mapping
from pathlib import Path

from analysis import bounds
from analysis.files import StorageError, read, reason

NAME = "SHA256SUMS"
CURE = "run the same hedgesweep run command again, which writes it from the log"

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_PATIENCE = 2.0  # seconds: a driver replaces all files well within it
_PAUSE = 0.1


def genuine(storage: Path, name: str, *, most: int) -> bytes:
    """Bytes of the file ``name`` of ``storage``, verified against its digests.

    Args:
        storage: the directory of a sweep.
        name: of a file directly in it.
        most: size limit in bytes.
    Raises:
        FileNotFoundError: the file does not exist and has no digest.
        StorageError: it cannot be read, has a digest but is missing, does not match its digests,
            or ``SHA256SUMS`` itself cannot be read.
    """
    path, until = storage / name, time.monotonic() + _PATIENCE
    while True:
        digests = listed(storage)
        try:
            content = read(path, most=most)
        except FileNotFoundError:
            if name not in (digests or {}):
                raise
            problem = f"no {name} in '{storage}', though {NAME} has its digest"
        except OSError as error:
            raise StorageError(unread(path, error)) from error
        else:
            if digests is None or hashlib.sha256(content).hexdigest() in digests.get(name, ()):
                return content
            problem = f"'{path}' is not the file that {NAME} beside it lists"
        if time.monotonic() >= until:
            raise StorageError(f"{problem}: {CURE}")
        time.sleep(_PAUSE)


def unread(path: Path, error: Exception) -> str:
    """Message for a file at ``path`` that cannot be read: the reason and the cure, in one line."""
    cure = "ask its owner for the right to read it" if isinstance(error, PermissionError) else CURE
    return f"'{path}' cannot be read ({reason(error)}); {cure}"


def listed(storage: Path) -> Mapping[str, set[str]] | None:
    """Valid digests of every file by path; None without ``SHA256SUMS``.

    Raises:
        StorageError: the list cannot be read.
    """
    path = storage / NAME
    try:
        text = read(path, most=bounds.CHECKSUMS_BYTES).decode("ascii", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(unread(path, error)) from error
    digests: dict[str, set[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not (match := _LINE.fullmatch(line)):
            raise StorageError(
                f"'{path}', line {number}: not a SHA-256 digest, two spaces and a path; {CURE}"
            )
        digests.setdefault(match[2], set()).add(match[1])
    return digests
