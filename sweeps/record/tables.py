"""The two Parquet tables of a sweep, derived from what the log says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hedgecore.metrics import METRICS
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
_TRIAL = {
    "epochs": _INTEGER,
    "best_epoch": _INTEGER,
    "val_loss": _REAL,
    "epochs_to_95pct": _INTEGER,
    "converged": _FLAG,
    "sparsity_achieved": _REAL,
    "weights_kept": _INTEGER,
    "weights_total": _INTEGER,
    "dead_units": _INTEGER,
    **dict.fromkeys(METRICS, _REAL),
}
_AFTER = {
    "cvar_05_minus_dense": _REAL,
    "cvar_05_minus_dense_se": _REAL,
    "dense_val_loss": _REAL,
    "dense_epochs_to_95pct": _INTEGER,
    "dense_cvar_05": _REAL,
    "dense_cvar_05_se": _REAL,
    "dense_cvar_01": _REAL,
    "dense_cvar_01_se": _REAL,
    "dense_cvar_50": _REAL,
    "dense_cvar_50_se": _REAL,
    "dense_sharpe_ratio": _REAL,
    "dense_pnl_mean": _REAL,
    "dense_pnl_std": _REAL,
    "dense_turnover": _REAL,
    "dense_cost_paid": _REAL,
    "theta_0_sha256": _TEXT,
    "data_sha256": _TEXT,
    "seconds": _REAL,
}
EPOCH_COLUMNS = {
    "train_loss": _REAL,
    "val_loss": _REAL,
    "val_clean_loss": _REAL,
    "val_attacked_loss": _REAL,
    "val_cvar_05": _REAL,
    "val_pnl_mean": _REAL,
    "val_pnl_std": _REAL,
    "y": _REAL,
    "lr": _REAL,
    "grad_norm": _REAL,
    "best": _FLAG,
    "seconds": _REAL,
    "audit": _FLAG,
}


def write_tables(storage: Path, book: Book) -> None:
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
        **_TRIAL,
        **dict.fromkeys(placed, _REAL),
        **_AFTER,
    }
    epoch_columns = {"trial_id": _TEXT, "epoch": _INTEGER, **configs, **EPOCH_COLUMNS}
    _replace(storage / "trials.parquet", rows, trial_columns)
    _replace(storage / "epochs.parquet", epochs, epoch_columns)


def _replace(path: Path, rows: list[dict[str, Any]], columns: Mapping[str, pa.DataType]) -> None:
    schema = pa.schema(list(columns.items()))
    with replaced(path) as partial:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial)


def _config_columns(rows: list[dict[str, Any]]) -> dict[str, pa.DataType]:
    """A type for every axis: whole numbers and flags stay such if all values are."""
    names = dict.fromkeys(name for row in rows for name in row if name.startswith("config/"))
    columns = {}
    for name in names:
        kinds = {type(row[name]) for row in rows if row.get(name) is not None}
        exact = {bool: _FLAG, int: _INTEGER, str: _TEXT}.get(next(iter(kinds), str), _REAL)
        columns[name] = exact if len(kinds) == 1 else (_TEXT if str in kinds else _REAL)
    return columns
