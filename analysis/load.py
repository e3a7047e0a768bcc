"""A storage directory becomes DataFrames, also while its sweep is running."""

import json
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis import schema

Storage = str | Path


class StorageError(Exception):
    """A storage directory cannot be read; the message is one line and names the cure."""


def load_trials(storage: Storage, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """One row a trial, in order of creation, with the dtypes of :mod:`analysis.schema`.

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
    """One row a trial and epoch, with the dtypes of :mod:`analysis.schema`.

    Raises:
        StorageError: no such directory, no table yet, or a table that cannot be read.
        schema.ColumnError: one of ``columns`` is not in the table.
    """
    return _table(storage, "epochs", columns)


def load_manifest(storage: Storage) -> dict[str, Any]:
    """What ``manifest.json`` says about the sweep; empty where there is none.

    Raises:
        StorageError: the manifest is not a JSON object.
    """
    path = Path(storage) / "manifest.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StorageError(f"{path} is not valid JSON ({error}); restore or remove it") from error
    if not isinstance(content, dict):
        raise StorageError(f"{path} must hold a JSON object; restore or remove it")
    return content


def _table(
    storage: Storage, table: Literal["trials", "epochs"], columns: Sequence[str] | None
) -> pd.DataFrame:
    path = _path(Path(storage), table)
    try:
        # An open file rather than a path: Arrow would read 'seed=1' in a path as a column.
        with path.open("rb") as file:
            content = pq.ParquetFile(file)
            known = content.schema_arrow.names
            if columns is not None and (absent := [c for c in columns if c not in known]):
                raise schema.ColumnError(
                    f"{path} has no column {absent[0]!r}; it has: {', '.join(known)}"
                )
            arrow = content.read(columns=None if columns is None else list(columns))
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(
            f"{path} cannot be read ({reason}); it is derived from the log: delete it and run "
            "the sweep again, which writes it anew"
        ) from error
    frame = arrow.to_pandas(types_mapper=_nullable)
    return _typed(frame, path)


def _path(storage: Path, table: str) -> Path:
    if not storage.is_dir():
        raise StorageError(
            f"no sweep at '{storage}': there is no such directory; check the path, or start one "
            f"with: hedgesweep run SPACE --storage {quote(str(storage))}"
        )
    path = storage / f"{table}.parquet"
    if path.is_file():
        return path
    if (storage / "manifest.json").is_file():
        raise StorageError(f"no {path.name} in '{storage}' yet: try again in a few seconds")
    raise StorageError(
        f"'{storage}' holds no sweep (neither manifest.json nor {path.name}); check the path, or "
        f"start one with: hedgesweep run SPACE --storage {quote(str(storage))}"
    )


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
            continue  # a newer writer may know more; schema.check names such columns
        if dtype == "any":
            continue
        try:
            if dtype == "category":
                frame[name] = _status(frame[name])
            else:
                frame[name] = frame[name].astype(dtype)
        except (TypeError, ValueError) as error:
            raise StorageError(
                f"{path}: column {name!r} should be {dtype} ({error}); the file was written by "
                "another version: run the sweep again, which writes it anew"
            ) from error
    return frame


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
