"""Underwriting table: a local ``train.csv`` read and checked, and its rows split."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
import pandas as pd
from jaxtyping import Int
from sklearn.model_selection import train_test_split

from hedgecore.insurance.data.files import TableFile, read_file, read_header
from hedgecore.insurance.data.schema import COLUMNS, FEATURES, Column
from hedgecore.rng import numpy_stream

# Hashes of the competition's own files.
TRAIN_SHA256 = "706aba1fe697a3459ba1167077b8c4721ca67a5233d3d4505c33a2001d7a7d21"
TEST_SHA256 = "fef8c7b0d542d60dd271ff1c618cb46e3c0c4e3a27cc16ee2b20a16809b62844"

Source = Literal["prudential", "own", "synthetic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Applicants and their assessments; immutable.

    Args:
        columns: the 126 features by name, in the order of the schema, one value per row: float64
            with NaN where missing, and text for Product_Info_2.
        response: class of every row, 1 to 8.
        source: "prudential" for the competition's unmodified train.csv.
        sha256: hash of the unpacked file; of the values, if synthetic.
    """

    columns: Mapping[str, np.ndarray]
    response: Int[np.ndarray, " rows"]
    source: Source
    sha256: str

    @property
    def rows(self) -> int:
        """Number of applicants."""
        return len(self.response)

    @property
    def labels(self) -> Int[np.ndarray, " rows"]:
        """Response minus 1, the index of the output of networks and softprob."""
        return self.response - 1

    def missing(self) -> dict[str, int]:
        """Number of rows without a value, by column, if positive."""
        numeric = {name: c for name, c in self.columns.items() if c.dtype == np.float64}
        counts = {name: int(np.isnan(column).sum()) for name, column in numeric.items()}
        return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Row indices of the parts of a table."""

    train: Int[np.ndarray, " train"]
    validation: Int[np.ndarray, " validation"]
    test: Int[np.ndarray, " test"]


def read(path: Path | str, content: bytes | None = None) -> Table:
    """Table in a local copy of the competition's ``train.csv``, or in a file of the same columns.

    Columns may be in any order; for formats see :func:`.files.read_file`. The file is read once,
    so the hashed bytes are the parsed ones.

    Args:
        path: the file.
        content: its bytes, if they were read before, such as on another machine.
    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: the file is empty, has a missing or extra column, a value that the schema
            does not allow, or a single class; the message names the first such column and row.
    """
    path = Path(path)
    file = read_file(path, content=content)
    frame = file.frame
    if file.sha256 == TEST_SHA256:
        raise ValueError(f"{path} is the competition's test.csv, without Response; give train.csv")
    _check_header(path, list(frame.columns))
    if frame.empty:
        raise ValueError(f"{path} has a header and no rows; give the whole train.csv")
    values = {name: _checked(path, file, column) for name, column in COLUMNS.items()}
    if (duplicates := frame["Id"].duplicated().to_numpy()).any():
        _refuse(path, file, "Id", duplicates, "is a duplicate; give every row its own Id")
    response = values["Response"].astype(np.int64)
    if len(response) > 1 and (response == response[0]).all():
        raise ValueError(
            f"{path} has Response {response[0]} in all {len(response):,} rows, and a classifier "
            "needs at least two classes; give rows of others too"
        )
    return Table(
        columns={name: values[name] for name in FEATURES},
        response=response,
        source="prudential" if file.sha256 == TRAIN_SHA256 else "own",
        sha256=file.sha256,
    )


def check_file(path: Path | str) -> None:
    """Reject a file that :func:`read` would reject by its header.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: it cannot be read, or has a missing or extra column.
    """
    try:
        _check_header(Path(path), read_header(Path(path)))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}); give your own train.csv"
        ) from error


def digest(columns: Mapping[str, np.ndarray], response: Int[np.ndarray, " rows"]) -> str:
    """sha256 (hex) of a table's values: names, types and bytes, in order."""
    sha256 = hashlib.sha256()
    for name, column in [*columns.items(), ("Response", response)]:
        sha256.update(f"{name} {column.dtype.str}\n".encode())
        sha256.update(np.ascontiguousarray(column).tobytes())
    return sha256.hexdigest()


def split(table: Table, *, seed: int) -> Split:
    """Split into 64 % training, 16 % validation and 20 % test rows.

    The test rows depend on the length of the table alone, so no selection under one seed can use
    test rows of another.

    Raises:
        ValueError: fewer than 10 rows.
    """
    _require_rows(table)
    order = numpy_stream(0, "insurance", "test rows").permutation(table.rows)
    test, remainder = np.split(order, [round(0.2 * table.rows)])
    remainder = numpy_stream(seed, "insurance", "validation rows").permutation(np.sort(remainder))
    validation, train = np.split(remainder, [round(0.2 * len(remainder))])
    return Split(train=np.sort(train), validation=np.sort(validation), test=np.sort(test))


def published_split(table: Table) -> Split:
    """The notebook's split: 80 % training rows, and 20 % both for selection and for reporting.

    It has no separate test rows, so ``test`` equals ``validation``: figures on it are selected.

    Raises:
        ValueError: fewer than 10 rows.
    """
    _require_rows(table)
    train, validation = train_test_split(np.arange(table.rows), test_size=0.2, random_state=42)
    return Split(train=train, validation=validation, test=validation)


def _require_rows(table: Table) -> None:
    if table.rows < 10:
        raise ValueError(f"a table of {table.rows} rows cannot be split; give at least 10")


def _check_header(path: Path, header: Sequence[str]) -> None:
    if "Response" not in header:
        raise ValueError(f"{path} has no column Response; give train.csv with its header")
    for name in COLUMNS:
        if name not in header:
            raise ValueError(f"{path} lacks column {name}; give all {len(COLUMNS)} of train.csv")
    for name in header:
        if name not in COLUMNS:
            raise ValueError(f"{path} has a column {name!r} that is not in train.csv; remove it")


def _checked(path: Path, file: TableFile, column: Column) -> np.ndarray:
    """The values of ``column``: float64 with NaN, or text."""
    name, read = column.name, file.frame[column.name]
    empty = read.isna().to_numpy()
    if empty.any() and not column.missing:
        _refuse(path, file, name, empty, f"is required; it is {column.legal}")
    if column.text:
        matches = read.isin(list(column.levels)).to_numpy()
        if not matches.all():
            _refuse(path, file, name, ~matches, f"must be {column.legal}")
        return read.to_numpy(dtype=np.str_)
    values = pd.to_numeric(read, errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~column.allows(values) & ~empty
    if wrong.any():
        or_empty = " or empty" if column.missing else ""
        _refuse(path, file, name, wrong, f"must be {column.legal}{or_empty}")
    return values


def _refuse(path: Path, file: TableFile, name: str, wrong: np.ndarray, problem: str) -> NoReturn:
    row, read = int(np.argmax(wrong)), file.frame[name]
    value = "nothing" if read.isna().iloc[row] else read.iloc[row]
    raise ValueError(f"{path}{file.place(row)} {name} {problem}, got {value}")
