"""Digests of a storage's derived files, in the format of ``sha256sum``.

A digest is announced before its file is replaced, in addition to that of the old file, so that
readers at any moment, or after a crash at any moment, find the digest of the present file.
"""

import errno
import hashlib
import os
import re
from functools import partial
from pathlib import Path
from typing import BinaryIO

from sweeps.journal import bounds, files
from sweeps.journal.files import Announce
from sweeps.journal.storage import Replica, replace

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_.-]+)")


class Sums:
    """``SHA256SUMS`` of a storage; digests that its last driver announced stay genuine."""

    def __init__(self, storage: Path, replica: Replica | None = None) -> None:
        self._storage, self._replica = storage, replica
        self._digests = {name: list(digests) for name, digests in read(storage).items()}

    def announce(self, name: str) -> Announce:
        """Callback that announces the digest of the new content of the file ``name``."""
        return partial(self._announce, name)

    def settle(self) -> None:
        """Keep only the digests of present files, so that ``sha256sum -c`` passes."""
        last = {name: digests[-1:] for name, digests in self._digests.items()}
        if last != self._digests:
            self._digests = last
            self._write()

    def _announce(self, name: str, content: BinaryIO) -> None:
        digest = _digest(content)
        before = self._digests.get(name, [])[-1:]
        if before != [digest]:
            self._digests[name] = [*before, digest]
            self._write()

    def _write(self) -> None:
        items = sorted(self._digests.items())
        lines = [f"{digest}  {name}\n" for name, digests in items for digest in digests]
        replace(self._storage / NAME, "".join(lines).encode(), replica=self._replica)


def read(storage: Path) -> dict[str, list[str]]:
    """Digests (hex) by file name, the newest last; empty if the list is unreadable."""
    try:
        text = files.read(storage / NAME, most=bounds.JSON).decode("ascii", "replace")
    except OSError:
        return {}
    digests: dict[str, list[str]] = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            digests.setdefault(match[2], []).append(match[1])
    return digests


def check(storage: Path, *names: str) -> None:
    """Check files of ``storage`` against its list; a storage without a list is accepted.

    Raises:
        OSError: a file cannot be read.
        ValueError: its digest differs.
    """
    digests = read(storage)
    for name in names if digests else ():
        if sha256_of(storage / name) not in digests.get(name, ()):
            raise ValueError(f"{name} is not the file that {NAME} lists: run that sweep again")


def sha256_of(path: Path, *, root: Path | None = None, most: int = bounds.TABLE) -> str:
    """sha256 (hex) of a file, opened as by :func:`sweeps.journal.files.open_file`.

    Raises:
        OSError: it cannot be read, or has more than ``most`` bytes.
    """
    with files.open_file(path, root=root) as stream:
        if os.fstat(stream.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"over {most} bytes long", str(path))
        return _digest(stream)


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(2**20):
        digest.update(block)
    return digest.hexdigest()
