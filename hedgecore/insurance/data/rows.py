"""Rows to be classified: applicants without an assessment, from a file or a data frame."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool

from hedgecore.insurance.data.files import Frame, TableFile, read_file, same_names
from hedgecore.insurance.data.schema import COLUMNS, FEATURES, Column

_ID = "Id"
_LISTED = 5  # names in a message


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Applicants whose class is not known.

    Args:
        source: path of their file, or "the frame"; for messages.
        ids: value of the column Id as in the file, or numbers from 1 without one.
        columns: the 126 features as in :class:`.table.Table`; but a nominal column may have any
            level, NaN or "" where it is empty, and a number may lie beyond the schema.
        notes: one line per peculiarity of the file that a reader of the predictions should see.
    """

    source: str
    ids: pd.Series
    columns: Mapping[str, np.ndarray]
    notes: Sequence[str] = field(default=())


def read_rows(path: Path | str) -> Rows:
    """Rows of a file in any format of :func:`.files.read_file`.

    A column Response and columns that are not in the schema are ignored, as ``notes`` tell.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: it is no table, lacks a column, or has a value that no encoding can read; one
            line with the cure.
    """
    path = Path(path)
    if path.exists() or path.is_symlink():
        return _rows(str(path), read_file(path, text=[_ID]))
    raise FileNotFoundError(f"no file {path}; give the path of the rows to classify")


def rows_of(frame: Frame) -> Rows:
    """Rows of a data frame; see :func:`read_rows`.

    Raises:
        ValueError: see :func:`read_rows`.
    """
    name = "the frame"
    renamed = same_names(Path(name), frame).reset_index(drop=True)
    return _rows(name, TableFile(frame=renamed, sha256="", first_line=None))


def listed(names: Sequence[str]) -> str:
    """The first of ``names``, and the number of the others."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _rows(path: str, file: TableFile) -> Rows:
    frame = file.frame
    missing = [name for name in FEATURES if name not in frame]
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of {len(FEATURES)} columns ({listed(missing)}); "
            "add them under these names, empty where they have no value"
        )
    if frame.empty:
        raise ValueError(f"{path} has no rows; give at least one")
    columns = {name: _values(path, file, COLUMNS[name]) for name in FEATURES}
    ids = frame[_ID] if _ID in frame else pd.Series(np.arange(1, len(frame) + 1))
    return Rows(source=path, ids=ids, columns=columns, notes=tuple(_notes(frame, columns)))


def _values(path: str, file: TableFile, column: Column) -> np.ndarray:
    """The values of ``column``: text, or float64 with NaN."""
    read = file.frame[column.name]
    empty = read.isna().to_numpy()
    if column.text:
        # Longer texts would take the memory of the longest in every row.
        return read.astype("str").where(~empty, "").str[:8].to_numpy(dtype=np.str_)
    values = pd.to_numeric(read, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if column.kind == "nominal":
        return np.where(np.isfinite(values), values, np.nan)
    wrong = ~np.isfinite(values) & ~empty
    legal = "a number"
    if column.kind == "dummy":
        wrong, legal = ~column.allows(values) & ~empty, column.legal
    if wrong.any():
        row = int(np.argmax(wrong))
        problem = f"{column.name} must be {legal}, got {read.iloc[row]}"
        raise ValueError(f"{path}{file.place(row)} {problem}; correct it, or leave it empty")
    return values


def _notes(frame: Frame, columns: Mapping[str, np.ndarray]) -> Iterator[str]:
    if _ID not in frame:
        yield "no column Id: rows are numbered from 1"
    if extra := [str(name) for name in frame if name not in columns and name != _ID]:
        yield f"columns ignored: {listed(extra)}"
    beyond = {name: _beyond(COLUMNS[name], values) for name, values in columns.items()}
    if counts := [f"{name} {rows.sum():,}" for name, rows in beyond.items() if rows.any()]:
        rows = np.logical_or.reduce(list(beyond.values())).sum()
        yield f"numbers beyond those of train.csv: {rows:,} rows ({listed(counts)}); extrapolated"


def _beyond(column: Column, values: np.ndarray) -> Bool[np.ndarray, " rows"]:
    """Numbers that are legal in no training table."""
    if column.kind == "nominal":
        return np.zeros(len(values), dtype=bool)
    return ~column.allows(values) & ~np.isnan(values)
