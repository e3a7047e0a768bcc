"""Files derived from the log, compared with it: the tables, and the copies for people.

Every function here returns what there is to say if nothing is wrong, and everything that is wrong.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from sweeps.journal import bounds, checksums
from sweeps.journal.files import open_file, read
from sweeps.journal.manifest import copies
from sweeps.journal.parquet import Table, table
from sweeps.journal.records import ManifestRecord
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.journal.tables import write_tables


def manifest(sweep: StoredSweep) -> tuple[str, list[str]]:
    """The files for people against what the log says."""
    record = ManifestRecord(content=sweep.manifest, space=sweep.space_text)
    faults = []
    for name, data in copies(record).items():
        fault = _difference(sweep.storage / name, data) or _unnamed(sweep.storage, name)
        faults += [f"{name} {fault}"] if fault else []
    if faults and sweep.driver:
        return f"behind the log (a driver is running: {sweep.driver})", []
    return "manifest.json and space.yaml as the log gives them", faults


def _unnamed(storage: Path, name: str) -> str:
    """That a file is right but its digest is not published; empty if it is."""
    if not (storage / checksums.NAME).exists():
        return f"is not listed: {checksums.NAME} is missing"
    digests = checksums.read(storage).get(name, [])
    try:
        named = checksums.sha256_of(storage / name) in digests
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if named else f"has a content that {checksums.NAME} does not name"


def _difference(path: Path, content: bytes) -> str:
    """What is wrong with the file at ``path`` that should hold ``content``; empty if nothing."""
    try:
        stored = read(path, most=bounds.JSON)
        return "" if stored == content else "is not what the log gives"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def tables(sweep: StoredSweep) -> tuple[str, list[str]]:
    """Both tables against those that the log gives."""
    faults, notes = [], ["as the log gives them"]
    with TemporaryDirectory() as folder:
        write_tables(Path(folder), sweep.state, sweep.experiment)
        for expected in sorted(Path(folder).iterdir()):
            fault, note = _compared(sweep.storage / expected.name, expected)
            fault = fault or _unnamed(sweep.storage, expected.name)
            faults += [f"{expected.name} {fault}"] if fault else []
            notes += [f"{expected.name} {note}"] if note else []
    if faults and sweep.driver:
        return f"behind the log (a driver is running: {sweep.driver})", []
    return "; ".join(notes), faults


def _compared(path: Path, derived: Path) -> tuple[str, str]:
    """What is wrong with the table at ``path``, and what is worth saying if nothing is."""
    try:
        with open_file(path) as stream, derived.open("rb") as other:
            size = os.fstat(other.fileno()).st_size
            if os.fstat(stream.fileno()).st_size == size and stream.read(size) == other.read():
                return "", ""
        with (
            table(derived, rows=sys.maxsize) as expected,
            table(path, rows=expected.rows) as stored,
        ):
            if stored.writer != expected.writer and _equal(stored, expected):
                return "", f"was written by {stored.writer} and is equal by value"
            if not stored.described and _equal(stored, expected):
                note = "describes no columns, as those of older versions, and is equal by value"
                return "", note
    except FileNotFoundError:
        return "is missing", ""
    except OSError as error:
        if error.strerror:  # of the system, not of what reads Parquet
            return f"cannot be read ({error.strerror})", ""
    except pa.ArrowInvalid:
        pass  # damaged, or with more rows than the log has
    return "is not what the log gives", ""


def _equal(stored: Table, expected: Table) -> bool:
    """Whether two tables have the same rows; text may lie in other dictionaries."""
    if (stored.columns, stored.rows) != (expected.columns, expected.rows):
        return False
    pairs = zip(stored.records(stored.columns), expected.records(expected.columns), strict=True)
    equal = stored.schema.equals(expected.schema, check_metadata=stored.described)
    return equal and all(repr(a) == repr(b) for a, b in pairs)
