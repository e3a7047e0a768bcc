"""Flipped bits in the files of a storage: what readers and the next driver make of them."""

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pandas as pd
from local_sweep import run_locally
from spaces import TINY

import analysis
from analysis import StorageError, checksums
from sweeps.errors import PreparationError, SweepError, UsageError
from sweeps.inspection.verify import verify

SMALL = 4096
"""Bytes of a file that is small enough to flip every byte of it."""
ASHA = "{asha: {metric: val_loss, mode: min, grace_period: 1, reduction_factor: 2}}"
SPACE = TINY.replace("scheduler: null", f"scheduler: {ASHA}")
TIMING = ("seconds",)


@dataclass(slots=True)
class Tally:
    """Flips by what became of them, and those that gave another number or a traceback."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def storages(folder: Path) -> dict[str, Path]:
    """A finished storage of two driver starts, and one that was killed in its second."""
    finished, killed = folder / "finished", folder / "killed"
    for storage, last in ((finished, None), (killed, 4)):
        run_locally(SPACE, storage, stop_after=4)
        run_locally(SPACE, storage, stop_after=last)
    log = killed / "log" / "0002.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    return {"finished": finished, "killed": killed}


def places(path: Path, drawn: random.Random, most: int, small: int) -> Iterator[tuple[int, int]]:
    """Byte and bit of each flip: every byte of a small file, ``most`` others of a larger one."""
    size = path.stat().st_size
    chosen = range(size) if size <= max(small, most) else sorted(drawn.sample(range(size), most))
    for place in chosen:
        yield place, drawn.randrange(8)


def tables(storage: Path) -> list[pd.DataFrame]:
    """Both tables, without what a clock has measured."""
    frames = (analysis.load_trials(storage), analysis.load_epochs(storage))
    return [frame.drop(columns=[c for c in TIMING if c in frame]) for frame in frames]


def equal(one: list[pd.DataFrame], other: list[pd.DataFrame]) -> bool:
    return all(a.equals(b) for a, b in zip(one, other, strict=True))


def examine(
    storage: Path, reference: Path, scratch: Path, *, most: int, small: int = 0, seed: int = 0
) -> Tally:
    """Flip bits of every file of ``storage``, one at a time, and let all read it and run again.

    Args:
        storage: a sweep's directory; worked on in copies.
        reference: the same sweep, undisturbed and finished.
        scratch: a folder for the copies.
        most: flips in a file of more than ``small`` bytes.
        small: size of a file of which every byte is flipped.
        seed: of the places.
    """
    drawn, tally = random.Random(seed), Tally()
    before, after = tables(storage), tables(reference)
    copy = scratch / "copy"
    for path in sorted(p for p in storage.rglob("*") if p.is_file()):
        name = path.relative_to(storage)
        for place, bit in places(path, drawn, most, small):
            shutil.copytree(storage, copy)
            content = bytearray(path.read_bytes())
            content[place] ^= 1 << bit
            (copy / name).write_bytes(content)
            flip = f"{name}:{place} bit {bit}"
            try:
                with patch.object(checksums, "_PATIENCE", 0.0):  # no driver replaces files here
                    tally.outcomes[_outcome(copy, name, bytes(content), before, after)] += 1
            except Exception as error:  # noqa: BLE001 - what is wrong is counted
                tally.wrong.append(f"{flip}: {type(error).__name__}: {error}")
            shutil.rmtree(copy)
    return tally


def _outcome(
    storage: Path,
    name: Path,
    flipped: bytes,
    before: list[pd.DataFrame],
    after: list[pd.DataFrame],
) -> str:
    """What became of a flip.

    Raises:
        AssertionError: another number was given.
        Exception: whatever is not a line for the user.
    """
    refused = False
    try:
        assert equal(tables(storage), before), "the tables give other numbers"
    except StorageError:
        refused = True
    try:
        run_locally(SPACE, storage)
    except (UsageError, SweepError, PreparationError) as error:
        if "\n" in str(error):
            raise
        return "refused"
    assert equal(tables(storage), after), "the sweep goes on to other numbers"
    if (storage / name).is_file() and (storage / name).read_bytes() != flipped:
        return "repaired"
    if not verify(storage).ok:
        return "named by verify"
    return "repaired" if refused or not (storage / name).is_file() else "harmless"
