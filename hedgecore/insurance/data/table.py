"""The underwriting table: a user's own ``train.csv`` read and checked, and its rows divided."""

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

# The competition's own files, byte for byte.
TRAIN_SHA256 = "706aba1fe697a3459ba1167077b8c4721ca67a5233d3d4505c33a2001d7a7d21"
TEST_SHA256 = "fef8c7b0d542d60dd271ff1c618cb46e3c0c4e3a27cc16ee2b20a16809b62844"

_LONGEST_HEADER = 100_000

Source = Literal["prudential", "own", "synthetic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Applicants and how they were assessed; nothing in it is ever written to.

    Args:
        columns: the 126 features by name, in the order of the schema, one value a row: float64
            with NaN where missing, and text for Product_Info_2.
        response: the class of every row, 1 to 8.
        source: "prudential" is the competition's train.csv itself.
        sha256: of the file as read; of the values, where they are synthetic.
    """

    columns: Mapping[str, np.ndarray]
    response: Int[np.ndarray, " rows"]
    source: Source
    sha256: str

    @property
    def rows(self) -> int:
        """How many applicants there are."""
        return len(self.response)

    @property
    def labels(self) -> Int[np.ndarray, " rows"]:
        """Response counted from 0, as networks and softprob number their outputs."""
        return self.response - 1

    def missing(self) -> dict[str, int]:
        """Rows without a value, by column, where there are any."""
        numeric = {name: c for name, c in self.columns.items() if c.dtype == np.float64}
        counts = {name: int(np.isnan(column).sum()) for name, column in numeric.items()}
        return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Row numbers of the parts of a table."""

    train: Int[np.ndarray, " train"]
    validation: Int[np.ndarray, " validation"]
    test: Int[np.ndarray, " test"]


def read(path: Path | str) -> Table:
    """The table in a user's own copy of the competition's ``train.csv``, or one laid out like it.

    Columns may come in any order. The file is read once: the bytes that are hashed are the bytes
    that are parsed.

    Raises:
        FileNotFoundError: there is no file at ``path``.
        ValueError: the file is empty, lacks a column or has one too many, or holds a value that
            the schema does not allow; the message names the first such column and its first row.
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
            skip_blank_lines=False,  # so that the line numbers of messages are those of the file
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path} is empty; give your own copy of train.csv") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no table of comma-separated values: {error}") from error
    # pandas takes the surplus column for an index.
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        raise ValueError(f"{path} has rows longer than its header; quote commas within values")
    _check_header(path, list(frame.columns))
    if frame.empty:
        raise ValueError(f"{path} has a header and no rows; give the whole train.csv")
    values = {name: _checked(path, frame[name], column) for name, column in COLUMNS.items()}
    if (duplicates := frame["Id"].duplicated().to_numpy()).any():
        _refuse(path, frame["Id"], duplicates, "is there already; give every row an Id of its own")
    return Table(
        columns={name: values[name] for name in FEATURES},
        response=values["Response"].astype(np.int64),
        source="prudential" if sha256 == TRAIN_SHA256 else "own",
        sha256=sha256,
    )


def check_file(path: Path | str) -> None:
    """Refuse a file whose header already says that :func:`read` will.

    Raises:
        FileNotFoundError: there is no file at ``path``.
        ValueError: it cannot be read, or lacks a column or has one too many.
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
    """sha256 (hex) of a table's values: of names, types and bytes, in order."""
    sha256 = hashlib.sha256()
    for name, column in [*columns.items(), ("Response", response)]:
        sha256.update(f"{name} {column.dtype.str}\n".encode())
        sha256.update(np.ascontiguousarray(column).tobytes())
    return sha256.hexdigest()


def split(table: Table, *, seed: int) -> Split:
    """64 % of the rows to train on, 16 % to choose by, 20 % to test on.

    The test rows depend on the length of the table alone: no choice made under one seed can have
    seen what is tested under another.

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
    """The notebook's own split: 80 % to train on, and 20 % to choose by and to report on.

    It holds out no third part, so ``test`` repeats ``validation``: a figure on it was selected.

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
        raise ValueError(f"{path} has no column Response; give train.csv, header and all")
    for name in COLUMNS:
        if name not in header:
            raise ValueError(f"{path} lacks column {name}; give all {len(COLUMNS)} of train.csv")
    for name in header:
        if name not in COLUMNS:
            raise ValueError(f"{path} has a column {name!r} that train.csv has not; take it out")


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
