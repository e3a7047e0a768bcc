"""Digests of a storage's derived files, in the format of ``sha256sum``.

A digest is announced before the file takes its place, beside that of the file which it replaces:
whoever reads at any moment, or after a crash at any moment, finds the digest of what is there.
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
from sweeps.journal.storage import replace

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_.-]+)")


class Sums:
    """``SHA256SUMS`` of a storage; digests that its last driver announced stay genuine."""

    def __init__(self, storage: Path) -> None:
        self._storage = storage
        self._digests = {name: list(digests) for name, digests in read(storage).items()}

    def announce(self, name: str) -> Announce:
        """What tells readers of the content that is about to become the file ``name``."""
        return partial(self._announce, name)

    def settle(self) -> None:
        """Keep the digests of the files that are in place, so that ``sha256sum -c`` passes."""
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
        replace(self._storage / NAME, "".join(lines).encode())


def read(storage: Path) -> dict[str, list[str]]:
    """Digests (hex) by name of file, the newest last; none where none can be read."""
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
    """Refuse files of ``storage`` that are not those it lists; one without a list is accepted.

    Raises:
        OSError: a file cannot be read.
        ValueError: it has another digest.
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
