"""Underwriting table: a local ``train.csv`` read and checked, and its rows split."""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
import pandas as pd
from jaxtyping import Int
from sklearn.model_selection import train_test_split

from hedgecore.insurance.data.schema import COLUMNS, FEATURES, Column
from hedgecore.rng import numpy_stream

# Hashes of the competition's own files.
TRAIN_SHA256 = "706aba1fe697a3459ba1167077b8c4721ca67a5233d3d4505c33a2001d7a7d21"
TEST_SHA256 = "fef8c7b0d542d60dd271ff1c618cb46e3c0c4e3a27cc16ee2b20a16809b62844"

_LONGEST_HEADER = 100_000

Source = Literal["prudential", "own", "synthetic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Applicants and their assessments; immutable.

    Args:
        columns: the 126 features by name, in the order of the schema, one value per row: float64
            with NaN where missing, and text for Product_Info_2.
        response: class of every row, 1 to 8.
        source: "prudential" for the competition's unmodified train.csv.
        sha256: hash of the file; of the values, if synthetic.
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


def read(path: Path | str) -> Table:
    """Table in a local copy of the competition's ``train.csv``, or in a file of the same layout.

    Columns may be in any order. The file is read once, so the hashed bytes are the parsed ones.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: the file is empty, has a missing or extra column, or a value that the schema
            does not allow; the message names the first such column and its first row.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give the path of your own copy of train.csv")
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 == TEST_SHA256:
        raise ValueError(f"{path} is the competition's test.csv, without Response; give train.csv")
    try:
        frame = pd.read_csv(
            BytesIO(content),
            dtype={"Product_Info_2": str},
            keep_default_na=False,
            na_values=[""],
            skip_blank_lines=False,  # messages give the file's line numbers
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path} is empty; give your own copy of train.csv") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a CSV table: {error}") from error
    # pandas takes the extra column for an index.
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        raise ValueError(f"{path} has rows longer than its header; quote commas within values")
    _check_header(path, list(frame.columns))
    if frame.empty:
        raise ValueError(f"{path} has a header and no rows; give the whole train.csv")
    values = {name: _checked(path, frame[name], column) for name, column in COLUMNS.items()}
    if (duplicates := frame["Id"].duplicated().to_numpy()).any():
        _refuse(path, frame["Id"], duplicates, "is a duplicate; give every row its own Id")
    return Table(
        columns={name: values[name] for name in FEATURES},
        response=values["Response"].astype(np.int64),
        source="prudential" if sha256 == TRAIN_SHA256 else "own",
        sha256=sha256,
    )


def check_file(path: Path | str) -> None:
    """Reject a file that :func:`read` would reject by its header.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: it cannot be read, or has a missing or extra column.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give the path of your own copy of train.csv")
    try:
        with path.open("rb") as file:
            first = file.readline(_LONGEST_HEADER).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ValueError(f"{path} cannot be read ({reason}); give your own train.csv") from error
    if not first.strip():
        raise ValueError(f"{path} is empty; give your own copy of train.csv")
    _check_header(path, next(csv.reader([first])))


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


def _checked(path: Path, read: pd.Series, column: Column) -> np.ndarray:
    """The values of ``column``: float64 with NaN, or text."""
    empty = read.isna().to_numpy()
    if empty.any() and not column.missing:
        _refuse(path, read, empty, f"is required; it is {column.legal}")
    if column.text:
        matches = read.isin(list(column.levels)).to_numpy()
        if not matches.all():
            _refuse(path, read, ~matches, f"must be {column.legal}")
        return read.to_numpy(dtype=np.str_)
    values = pd.to_numeric(read, errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~column.allows(values) & ~empty
    if wrong.any():
        or_empty = " or empty" if column.missing else ""
        _refuse(path, read, wrong, f"must be {column.legal}{or_empty}")
    return values


def _refuse(path: Path, read: pd.Series, wrong: np.ndarray, problem: str) -> NoReturn:
    row = int(np.argmax(wrong))
    value = "nothing" if read.isna().iloc[row] else read.iloc[row]
    # Line 1 is the header.
    raise ValueError(f"{path}:{row + 2} {read.name} {problem}, got {value}")
