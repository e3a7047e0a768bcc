"""What must hold of a storage after any crash, as checkers that raise AssertionError.

I1  acknowledged is durable: what was said to be recorded is in the log.
I2  prefix: of every writer's records the log holds the first ones, none lost between, none twice.
I3  readable: the log reads without an error, and a derived file is the old or the new one, whole.
I4  same answer: a resumed sweep ends with the rows of one that was never cut.
I5  no zombie: no lock, temporary file or process of ours is left.
I6  said so: a failure has an exit status and one clear line.
I7  bounded loss: no more than one rung is computed again after a kill.
I8  theta_0: every row still has the hash of the initial point it was trained from.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from sweeps.errors import UsageError
from sweeps.journal.journal import read
from sweeps.journal.storage import Lock

Record = Mapping[str, Any]


def readable(storage: Path) -> list[dict[str, Any]]:
    """I3: the records of the log."""
    try:
        return list(read(storage))
    except UsageError as error:
        raise AssertionError(f"I3: the log cannot be read: {error}") from error


def acknowledged_is_durable(acknowledged: Iterable[Record], storage: Path) -> None:
    """I1, for records as they were appended."""
    found = readable(storage)
    for record in acknowledged:
        assert record in found, f"I1: acknowledged, but lost: {record}"


def is_prefix(found: Sequence[Record], written: Sequence[Record]) -> None:
    """I2, for the records of one writer."""
    assert len(found) <= len(written), f"I2: {len(found)} records from {len(written)} appended"
    for place, (got, sent) in enumerate(zip(found, written, strict=False)):
        assert got == sent, f"I2: record {place} is {got}, appended was {sent}"


def old_or_new(path: Path, contents: Collection[bytes | None]) -> None:
    """I3, for a derived file; None stands for a file that is not there."""
    held = path.read_bytes() if path.exists() else None
    assert held in contents, f"I3: {path.name} holds neither the old nor the new content: {held!r}"


def leaves_nothing(storage: Path) -> None:
    """I5: the lock is free and no temporary file is left."""
    left = sorted(file.name for file in storage.rglob("*.partial"))
    assert not left, f"I5: left behind: {left}"
    try:
        Lock(storage).close()
    except UsageError as error:
        raise AssertionError(f"I5: {error}") from error


def said_so(ended: CompletedProcess[str], match: str) -> None:
    """I6: the process failed with one line that has ``match`` in it."""
    assert ended.returncode > 0, f"I6: ended with {ended.returncode}"
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, f"I6: not one line but {len(lines)}: {ended.stderr}"
    assert re.search(match, lines[0]), f"I6: nothing about {match!r} in: {lines[0]}"
