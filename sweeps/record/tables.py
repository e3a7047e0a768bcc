"""The two Parquet tables of a sweep, derived from what the log says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hedgecore.experiment import Experiment
from sweeps.record.book import Book, cell
from sweeps.record.storage import replaced

_INTEGER, _REAL, _TEXT, _FLAG = pa.int64(), pa.float64(), pa.string(), pa.bool_()
_HEAD = {
    "trial_id": _TEXT,
    "index": _INTEGER,
    "status": _TEXT,
    "stopped_at": _INTEGER,
    "reason": _TEXT,
    "error": _TEXT,
    "audited": _FLAG,
    "audit_val_loss": _REAL,
}
# Timing aside, two runs of one sweep give equal tables.
_TYPES = {int: _INTEGER, float: _REAL, str: _TEXT, bool: _FLAG}


def write_tables(storage: Path, book: Book, experiment: Experiment[Any, Any]) -> None:
    """``trials.parquet`` and ``epochs.parquet``, each replaced in one step.

    They are functions of the log: written again from the same log they have the same bytes.
    """
    logs = book.rows()
    rows = [{"trial_id": trial_id, **log.row(live=book.live(log))} for trial_id, log in logs]
    epochs = [
        {
            "trial_id": trial_id,
            **{f"config/{name}": cell(value) for name, value in log.config.items()},
            **row,
            "audit": log.stopped_at is not None and row["epoch"] > log.stopped_at,
        }
        for trial_id, log in logs
        for row in log.rows(audit=True)
    ]
    configs = _config_columns(rows)
    placed = sorted({name for row in rows for name in row if "@" in name})
    trial_columns = {
        **_HEAD,
        **configs,
        **_typed(experiment.trial_columns),
        **dict.fromkeys(placed, _REAL),
        **_typed(experiment.after),
    }
    epoch_columns = {
        "trial_id": _TEXT,
        "epoch": _INTEGER,
        **configs,
        **_typed(experiment.epoch_columns),
    }
    _replace(storage / "trials.parquet", rows, trial_columns)
    _replace(storage / "epochs.parquet", epochs, epoch_columns)


def _typed(columns: Mapping[str, type]) -> dict[str, pa.DataType]:
    return {name: _TYPES[kind] for name, kind in columns.items()}


def _replace(path: Path, rows: list[dict[str, Any]], columns: Mapping[str, pa.DataType]) -> None:
    schema = pa.schema(list(columns.items()))
    with replaced(path) as stream:
        table = pa.Table.from_pylist(rows, schema=schema)
        pq.write_table(table, stream, write_page_checksum=True)


def _config_columns(rows: list[dict[str, Any]]) -> dict[str, pa.DataType]:
    """A type for every axis: whole numbers and flags stay such if all values are."""
    names = dict.fromkeys(name for row in rows for name in row if name.startswith("config/"))
    columns = {}
    for name in names:
        kinds = {type(row[name]) for row in rows if row.get(name) is not None}
        exact = {bool: _FLAG, int: _INTEGER, str: _TEXT}.get(next(iter(kinds), str), _REAL)
        columns[name] = exact if len(kinds) == 1 else (_TEXT if str in kinds else _REAL)
    return columns
