"""Checks of the files derived from the log: the tables, manifest.json and space.yaml.

Every function returns a summary and a list of faults.
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
    """Check manifest.json and space.yaml against the log."""
    record = ManifestRecord(content=sweep.manifest, space=sweep.space_text)
    faults = []
    for name, data in copies(record).items():
        fault = _difference(sweep.storage / name, data) or _unnamed(sweep.storage, name)
        faults += [f"{name} {fault}"] if fault else []
    if faults and sweep.driver:
        return f"behind the log (a driver is running: {sweep.driver})", []
    return "manifest.json and space.yaml as the log gives them", faults


def _unnamed(storage: Path, name: str) -> str:
    """Fault if the digest of a correct file is not published; empty if it is."""
    if not (storage / checksums.NAME).exists():
        return f"is not listed: {checksums.NAME} is missing"
    digests = checksums.read(storage).get(name, [])
    try:
        named = checksums.sha256_of(storage / name) in digests
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if named else f"has a content that {checksums.NAME} does not name"


def _difference(path: Path, content: bytes) -> str:
    """Fault of the file at ``path`` that should hold ``content``; empty if correct."""
    try:
        stored = read(path, most=bounds.JSON)
        return "" if stored == content else "is not what the log gives"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def tables(sweep: StoredSweep) -> tuple[str, list[str]]:
    """Check both tables against those derived from the log."""
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
    """Fault of the table at ``path``, and a note if there is none."""
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
        if error.strerror:  # of the system, not of the Parquet reader
            return f"cannot be read ({error.strerror})", ""
    except pa.ArrowInvalid:
        pass  # damaged, or with more rows than the log has
    return "is not what the log gives", ""


def _equal(stored: Table, expected: Table) -> bool:
    """True if two tables have the same rows; dictionaries of text may differ."""
    if (stored.columns, stored.rows) != (expected.columns, expected.rows):
        return False
    pairs = zip(stored.records(stored.columns), expected.records(expected.columns), strict=True)
    equal = stored.schema.equals(expected.schema, check_metadata=stored.described)
    return equal and all(repr(a) == repr(b) for a, b in pairs)
