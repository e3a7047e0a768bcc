"""Rows as they happen: an append-only log, folded into two Parquet tables.

The log is the single source of truth. Every driver start appends to a file of its own; the tables
are derived from all files and replaced atomically, so whoever reads them at any moment sees a
whole table.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from hedgecore.hedging.train import epochs_to_criterion
from hedgecore.metrics import METRICS
from sweeps.errors import UsageError

FINISHED = ("completed", "stopped", "failed")

_INTEGER, _REAL, _TEXT, _FLAG = pa.int64(), pa.float64(), pa.string(), pa.bool_()
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
    "val_cvar_05": _REAL,
    "val_pnl_mean": _REAL,
    "val_pnl_std": _REAL,
    "y": _REAL,
    "lr": _REAL,
    "grad_norm": _REAL,
    "best": _FLAG,
    "seconds": _REAL,
}


@dataclass(slots=True)
class TrialLog:
    """What the log says of one trial."""

    about: dict[str, Any]
    epochs: dict[int, dict[str, Any]] = field(default_factory=dict)
    end: dict[str, Any] | None = None
    fresh: bool = False
    """Whether this driver ran it."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run; a trial that lost its worker is worth another try."""
        end = self.end
        return end is not None and end["status"] in FINISHED and not end.get("lost", False)

    @property
    def best(self) -> dict[str, Any] | None:
        """The last epoch that improved the validation risk."""
        improving = [row for row in self.epochs.values() if row["best"]]
        return improving[-1] if improving else None

    def row(self) -> dict[str, Any]:
        """Its line in the table of trials."""
        end = {"status": "running"} if self.end is None else self.end
        status, best, row = end["status"], self.best, dict(self.about)
        last = self.epochs[max(self.epochs)] if self.epochs else {}
        config = row.pop("config")
        losses = [self.epochs[epoch]["val_loss"] for epoch in sorted(self.epochs)]
        reached = epochs_to_criterion(losses, reference=self.about["dense_val_loss"])
        return {
            **row,
            **{f"config/{name}": _cell(value) for name, value in config.items()},
            "epochs": len(self.epochs),
            "best_epoch": best["epoch"] if best else None,
            "val_loss": best["val_loss"] if best else None,
            "epochs_to_95pct": reached,
            # What a trial that was cut off would have come to is not known.
            "converged": True if reached else (False if status == "completed" else None),
            "stopped_at": max(self.epochs, default=None) if status == "stopped" else None,
            "seconds": last.get("seconds"),
            **last.get("ticket", {}),
            **end,
        }


class Sink:
    """The log of one storage, open for appending, and the tables derived from it.

    Args:
        storage: the sweep's directory.
        core: version of hedgecore; trials that other code computed stay in the log but enter no
            table.
        clock: seconds, for the pace of snapshots.
    Raises:
        UsageError: ``storage`` cannot be written.
    """

    def __init__(
        self, storage: Path, *, core: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.storage = storage
        self.core = core
        self.trials: dict[str, TrialLog] = {}
        self._clock = clock
        self._due = -float("inf")
        self._changed = False
        self._folding = False
        self._lock = _locked(storage)
        for record in records(storage):
            self._fold(record)
        self._file = _new_log(storage)
        self.append({"type": "start", "core": core, "time": datetime.now(UTC).isoformat()})

    def append(self, record: dict[str, Any]) -> None:
        """Write ``record`` and fold it in; refresh the tables if they are due."""
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
        self._file.flush()
        if record["type"] == "end":
            os.fsync(self._file.fileno())
        self._fold(record)
        if record["type"] == "end":
            self.trials[record["trial_id"]].fresh = True
        self._changed = True
        if self._clock() >= self._due:
            self.snapshot()

    def snapshot(self) -> None:
        """Rewrite both tables if anything changed; due again after 20 times what that took."""
        if not self._changed:
            return
        began = self._clock()
        write_tables(self.storage, self.trials)
        self._changed = False
        self._due = self._clock() + max(2.0, 20 * (self._clock() - began))

    def close(self) -> None:
        """Bring the tables up to date and close the log."""
        self._changed = True
        self.snapshot()
        self._file.close()
        self._lock.close()

    def _fold(self, record: Mapping[str, Any]) -> None:
        kind = record["type"]
        fields = {name: value for name, value in record.items() if name != "type"}
        if kind == "start":
            self._folding = fields["core"] == self.core
        elif not self._folding:
            return
        elif kind == "trial":
            trial_id, starts = fields.pop("trial_id"), fields.pop("starts", False)
            known = self.trials.get(trial_id)
            if known is None or starts or not known.finished:
                self.trials[trial_id] = TrialLog(fields)
            else:
                known.about = fields  # its place in a space that has grown
        elif kind == "epoch":
            self.trials[fields.pop("trial_id")].epochs[fields["epoch"]] = fields
        elif kind == "end":
            self.trials[fields.pop("trial_id")].end = fields


def records(storage: Path) -> Iterator[dict[str, Any]]:
    """Every whole record of every log file, in the order of driver starts."""
    for path in sorted((storage / "log").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                break  # the driver died while it wrote its last line


def write_tables(storage: Path, trials: Mapping[str, TrialLog]) -> None:
    """``trials.parquet`` and ``epochs.parquet``, each replaced atomically."""
    logs = sorted(trials.items(), key=lambda item: (item[1].about["index"], item[0]))
    rows = [{"trial_id": trial_id, **log.row()} for trial_id, log in logs]
    epochs = [
        {
            "trial_id": trial_id,
            **{f"config/{name}": _cell(value) for name, value in log.about["config"].items()},
            **log.epochs[epoch],
        }
        for trial_id, log in logs
        for epoch in sorted(log.epochs)
    ]
    configs = _config_columns(rows)
    attacked = sorted({name for row in rows for name in row if name.startswith("attacked_")})
    head = {"trial_id": _TEXT, "index": _INTEGER, "status": _TEXT, "stopped_at": _INTEGER}
    trial_columns = {
        **head,
        "error": _TEXT,
        **configs,
        **_TRIAL,
        **dict.fromkeys(attacked, _REAL),
        **_AFTER,
    }
    epoch_columns = {"trial_id": _TEXT, "epoch": _INTEGER, **configs, **EPOCH_COLUMNS}
    _replace(storage / "trials.parquet", rows, trial_columns)
    _replace(storage / "epochs.parquet", epochs, epoch_columns)


def _locked(storage: Path) -> IO[str]:
    """The storage's lock, held until it is closed or this process ends."""
    try:
        (storage / "log").mkdir(parents=True, exist_ok=True)
        lock = (storage / "log" / "lock").open("a")
    except OSError as error:
        raise _unwritable(storage, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise UsageError(
            f"another sweep is writing to {storage}; wait for it, or give another --storage"
        ) from error
    return lock


def _new_log(storage: Path) -> IO[str]:
    try:
        number = len(list((storage / "log").glob("*.jsonl"))) + 1
        return (storage / "log" / f"{number:04d}.jsonl").open("x")
    except OSError as error:
        raise _unwritable(storage, error) from error


def _unwritable(storage: Path, error: OSError) -> UsageError:
    return UsageError(
        f"storage {storage} cannot be written ({error.strerror}); give another --storage"
    )


def _replace(path: Path, rows: list[dict[str, Any]], columns: Mapping[str, pa.DataType]) -> None:
    schema = pa.schema(list(columns.items()))
    partial = path.with_suffix(".parquet.partial")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial)
    os.replace(partial, path)


def _config_columns(rows: list[dict[str, Any]]) -> dict[str, pa.DataType]:
    """A type for every axis: whole numbers and flags stay such if all values are."""
    names = dict.fromkeys(name for row in rows for name in row if name.startswith("config/"))
    columns = {}
    for name in names:
        kinds = {type(row[name]) for row in rows if row.get(name) is not None}
        exact = {bool: _FLAG, int: _INTEGER, str: _TEXT}.get(next(iter(kinds), str), _REAL)
        columns[name] = exact if len(kinds) == 1 else (_TEXT if str in kinds else _REAL)
    return columns


def _cell(value: Any) -> Any:
    """A list-valued axis, such as hidden widths, is text in a table."""
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else value
