"""DataFrames loaded from a storage directory, even while its sweep is running."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis import bounds, checksums, schema
from analysis.escapes import printable
from analysis.files import StorageError, folder, reason
from analysis.manifest import NUMBER, SETTINGS, parsed
from analysis.parquet import decoded, expanded, opened, texts

__all__ = ["Storage", "StorageError", "load_epochs", "load_manifest", "load_trials"]

Storage = str | Path

# It is the name of a folder in models/.
_TRIAL_ID = r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,99}$"
_ASCII = r"^[ -~]*$"
_FEW_COLUMNS = 50
# Columns of the report's tables, which must not collide with names of axes.
_COMPUTED = (
    *("trials", "completed", "stopped", "failed", "unfinished", "whole", "rows", "converged"),
    *("epochs_to_95pct", "val_loss", "selection", "seeds", "seeds_awaited", "provisional"),
    *("remaining", "limit", "margin", "reference", "paired", "label", "network", "kind", "metric"),
    *("place", "value", "name", "problem", "rung", "stratum", "unit", "plain", "status", "mean"),
)


def load_trials(storage: Storage, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per trial, in order of creation, with the dtypes of :mod:`analysis.schema`.

    Control characters in texts and names are escaped as ``\\x1b``. Real numbers that are infinite
    or beyond 1e100 are null; ``attrs["infinite"]`` is their number. ``attrs["columns"]`` has unit,
    better end and meaning of the columns that the file describes.

    Args:
        storage: the directory of a sweep, finished or running.
        columns: read only these; all by default.
    Raises:
        StorageError: no such directory, no table yet, or a table that cannot be read.
        schema.ColumnError: one of ``columns`` is not in the table.
    """
    trials = _table(storage, "trials", columns)
    return _sorted(trials, ["index"])


def load_epochs(storage: Storage, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per trial and epoch; otherwise like :func:`load_trials`.

    Raises:
        StorageError: no such directory, no table yet, or a table that cannot be read.
        schema.ColumnError: one of ``columns`` is not in the table.
    """
    return _table(storage, "epochs", columns)


def load_manifest(storage: Storage) -> dict[str, Any]:
    """Contents of ``manifest.json``; empty if the file does not exist.

    Control characters are escaped as in :func:`load_trials`.

    Raises:
        StorageError: the manifest cannot be read or is not valid.
    """
    storage = folder(storage)
    try:
        content = checksums.genuine(storage, "manifest.json", most=bounds.MANIFEST_BYTES)
    except FileNotFoundError:
        return {}
    except NotADirectoryError as error:
        raise StorageError(f"'{storage}' is no directory; check the path") from error
    try:
        return parsed(content)
    except ValueError as error:
        path = storage / "manifest.json"
        raise StorageError(f"'{path}' {reason(error)}; {checksums.CURE}") from error


def _table(
    storage: Storage, table: Literal["trials", "epochs"], columns: Sequence[str] | None
) -> pd.DataFrame:
    storage = folder(storage)
    path = storage / f"{table}.parquet"
    try:
        content = checksums.genuine(storage, path.name, most=bounds.TABLE_BYTES)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StorageError(_missing(storage, path.name)) from error
    try:
        file = opened(content, rows=bounds.ROWS[table])
        names = file.schema_arrow.names
        if columns is not None and (absent := [c for c in columns if c not in names]):
            raise schema.ColumnError(
                f"{path} has no column {absent[0]!r}; it has: {', '.join(names)}"
            )
        fields = file.schema_arrow
        arrays, infinite = _arrays(content, file, columns)
    except schema.ColumnError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StorageError(f"'{path}' cannot be read ({reason(error)}); {_REWRITE}") from error
    frame = _typed(pd.DataFrame(arrays, copy=False), path)
    frame.attrs["infinite"] = infinite
    frame.attrs["columns"] = _descriptions(fields)
    return frame


_REWRITE = (
    "it is derived from the log: delete it and run the same hedgesweep run command again, "
    "which writes it anew"
)


def _missing(storage: Path, name: str) -> str:
    """Message for a missing table: the reason, judged by the other files, and the cure."""
    beginning = f"start one with: hedgesweep run SPACE --storage {quote(str(storage))}"
    if not storage.is_dir():
        return (
            f"no sweep at '{storage}': there is no such directory; check the path, or {beginning}"
        )
    other = {"trials.parquet": "epochs.parquet", "epochs.parquet": "trials.parquet"}[name]
    logged = (storage / "log").is_dir()
    if (storage / other).is_file() and logged:
        return f"no {name} in '{storage}', but {other}: {checksums.CURE}"
    if logged:
        return (
            f"no {name} in '{storage}': a sweep that runs writes it within seconds, so try again "
            f"then; if none runs, {checksums.CURE}"
        )
    if (storage / other).is_file() or (storage / "manifest.json").is_file():
        return (
            f"no {name} in '{storage}', nor a log to write it from: copy it, or the folder log, "
            "from where the sweep ran"
        )
    return (
        f"'{storage}' holds no sweep (neither manifest.json nor {name}); check the path, or "
        f"{beginning}"
    )


def _arrays(
    content: bytes, file: pq.ParquetFile, columns: Sequence[str] | None
) -> tuple[dict[str, Any], int]:
    """Values by column, and the number of real ones beyond the limit."""
    arrays: dict[str, Any] = {}
    number = 0
    for decoded_column in decoded(content, file, columns):
        table, beyond = _finite(_bounded(_escaped(decoded_column)))
        ((name, values),) = zip(table.column_names, table.columns, strict=True)
        if name in arrays:
            raise ValueError("two columns have the same name")
        arrays[name], number = _array(values), number + beyond
    return arrays, number


def _array(values: pa.ChunkedArray) -> Any:
    """``values`` as an array of pandas or NumPy."""
    values = expanded(values)
    if pa.types.is_floating(values.type):
        return np.array(values.to_numpy())  # a copy, since Arrow's memory is read-only
    return values.to_pandas(types_mapper=_nullable).array


def _escaped(table: pa.Table) -> pa.Table:
    """``table`` with printable names and texts."""
    table = table.rename_columns([printable(name) for name in table.column_names])
    for place, field in enumerate(table.schema):
        if (distinct := texts(table.column(place))) is None:
            continue
        if pc.all(pc.match_substring_regex(distinct, _ASCII)).as_py() not in (True, None):
            plain = [None if t is None else _plain(t) for t in table.column(place).to_pylist()]
            table = table.set_column(place, field.name, pa.array(plain, pa.large_string()))
    return table


def _descriptions(fields: pa.Schema) -> schema.Descriptions:
    """Unit, better end and meaning of columns, from metadata within the size limits."""
    descriptions = schema.Descriptions()
    for field in fields:
        metadata = field.metadata or {}
        texts = [metadata.get(key, b"") for key in (b"unit", b"better", b"meaning")]
        if not texts[2] or max(map(len, texts)) > bounds.DESCRIPTION_LENGTH:
            continue
        try:
            unit, better, meaning = (printable(text.decode()) for text in texts)
        except UnicodeDecodeError:
            continue
        if better in ("higher", "lower", ""):
            description = {"unit": unit, "better": better, "meaning": meaning}
            descriptions[printable(field.name)] = description
    return descriptions


def _plain(text: str) -> str:
    """``text`` with printable lines; errors have several lines."""
    return "\n".join(map(printable, text.split("\n")))


def _bounded(table: pa.Table) -> pa.Table:
    """``table`` after checks of its texts, epochs, ids and names of axes."""
    for name in table.column_names:
        values = table.column(name)
        if name.startswith("config/") and name.removeprefix("config/") in ("", *_COMPUTED):
            raise ValueError(f"column {name!r} is no axis of a space")
        if (distinct := texts(values)) is not None:
            axis = name.startswith("config/")
            most = bounds.VALUE_LENGTH if axis else bounds.TEXT_LENGTH
            if axis and SETTINGS.get(name.removeprefix("config/")) == NUMBER:
                raise ValueError(f"column {name!r} is text and not a number")
            longest = pc.max(pc.utf8_length(distinct)).as_py() or 0
            if longest > most:
                raise ValueError(f"a text of {longest} characters in {name!r}, at most {most}")
        elif pa.types.is_integer(values.type) and _counts_epochs(name):
            ends = pc.min_max(values).as_py()
            if (ends["max"] or 0) > bounds.EPOCHS or (ends["min"] or 0) < 0:
                raise ValueError(f"column {name!r} lies outside of 0 to {bounds.EPOCHS}")
    if "trial_id" in table.column_names and (ids := texts(table["trial_id"])) is not None:
        fits = pc.all(pc.match_substring_regex(ids, _TRIAL_ID), skip_nulls=False).as_py()
        if len(table) and not (fits and table["trial_id"].null_count == 0):
            raise ValueError("a trial_id is not one")
    return table


def _finite(table: pa.Table) -> tuple[pa.Table, int]:
    """``table`` with real numbers beyond the limit set to null, and their number."""
    number = 0
    for place, field in enumerate(table.schema):
        if not pa.types.is_floating(field.type):
            continue
        values = table.column(place).cast(pa.float64())
        beyond = pc.greater(pc.abs(values), bounds.REAL)  # null and NaN are not
        if excess := pc.sum(beyond).as_py():
            number += excess
            values = pc.if_else(beyond, pa.scalar(None, pa.float64()), values)
        table = table.set_column(place, field.name, values)
    return table, number


def _counts_epochs(name: str) -> bool:
    try:
        return schema.column(name).unit in ("epoch", "epochs")
    except schema.ColumnError:
        return False


def _nullable(kind: pa.DataType) -> Any:
    # Integers and booleans with gaps would otherwise become floats and objects.
    if pa.types.is_integer(kind):
        return pd.Int64Dtype()
    if pa.types.is_boolean(kind):
        return pd.BooleanDtype()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pd.StringDtype()
    return None


def _typed(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    for name in frame.columns:
        try:
            dtype = schema.column(name).dtype
        except schema.ColumnError:
            continue  # a newer version may write more columns; schema.check lists them
        if dtype == "any":
            continue
        try:
            if dtype == "category":
                frame[name] = _status(frame[name])
            elif frame[name].dtype != dtype:
                frame[name] = frame[name].astype(dtype)
        except (TypeError, ValueError) as error:
            raise StorageError(
                f"'{path}': column {name!r} should be {dtype} ({reason(error)}); the file was "
                f"written by another version: {checksums.CURE}"
            ) from error
    # Columns are blocks of their own, of which pandas warns if they are more than a hundred; a
    # copy merges them, which takes as long as all the rest for a million epochs.
    return frame.copy() if len(frame.columns) > _FEW_COLUMNS else frame


def _status(values: pd.Series) -> pd.Series:
    text = values.astype("string")
    strange = set(text.dropna()) - set(schema.STATUSES)
    if strange:
        raise ValueError(f"unknown status {min(strange)!r}; known: {', '.join(schema.STATUSES)}")
    return text.astype(pd.CategoricalDtype(list(schema.STATUSES)))


def _sorted(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    if not set(by) <= set(frame.columns):
        return frame
    return frame.sort_values(by, kind="stable").reset_index(drop=True)
