"""The two Parquet tables of a sweep, derived from the log.

Columns are built for one batch of trials at a time, and a batch of epochs is a row group, so the
memory needed in addition to the state is that of one batch, for every size of sweep.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hedgecore.columns import Column, Columns
from hedgecore.experiment import Experiment
from sweeps.journal.checksums import Sums
from sweeps.journal.journal import CURE, LogError
from sweeps.journal.state import SweepState, TrialState, cell
from sweeps.journal.storage import Replica, replaced

ROW_GROUP = 2**15
"""Rows after which a row group ends, at the end of a trial."""
_TRIALS = 2**11  # rows of the table of trials that are held as dictionaries at a time

_INTEGER, _REAL, _TEXT, _FLAG = pa.int64(), pa.float64(), pa.string(), pa.bool_()
_TYPES = {int: _INTEGER, float: _REAL, str: _TEXT, bool: _FLAG}

_Trials = Sequence[tuple[str, TrialState]]


def write_tables(
    storage: Path,
    state: SweepState,
    experiment: Experiment[Any, Any],
    *,
    sums: Sums | None = None,
    replica: Replica | None = None,
) -> None:
    """``trials.parquet`` and ``epochs.parquet``, each replaced in one step.

    The same log always gives the same bytes.

    Their digests are announced in ``sums``, and ``replica`` receives them.

    Raises:
        LogError: a value is not of the type of its column.
    """
    trials = list(state.rows())
    configs = _config_columns(trials)
    columns = experiment.columns
    try:
        tables = [
            _trials(state, trials[i : i + _TRIALS], configs, columns)
            for i in range(0, len(trials), _TRIALS)
        ]
        open_names = sorted({n for table in tables for n in table.column_names if "@" in n})
        schema = _schema(columns.trials(configs, open_names), configs)
        _replace(storage / "trials.parquet", schema, tables, sums, replica)
        schema = _schema(columns.epochs(configs), configs)
        epochs = (_epochs(group, schema) for group in _groups(trials))
        _replace(storage / "epochs.parquet", schema, epochs, sums, replica)
    except (pa.ArrowException, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise LogError(
            f"log/: a value is not of the type of its column ({reason}); {CURE}"
        ) from error


def _replace(
    path: Path,
    schema: pa.Schema,
    tables: Iterable[pa.Table],
    sums: Sums | None,
    replica: Replica | None,
) -> None:
    # Only text and axes have few values; for other numbers a dictionary would be a second copy.
    few = [f.name for f in schema if f.type == _TEXT or f.name.startswith("config/")]
    announce = sums.announce(path.name) if sums else None
    with (
        replaced(path, announce=announce, replica=replica) as partial,
        pq.ParquetWriter(partial, schema, use_dictionary=few, write_page_checksum=True) as writer,
    ):
        for table in tables:
            writer.write_table(_complete(table, schema), row_group_size=max(1, table.num_rows))


def _complete(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """``table`` with every column of ``schema``, null where it has none."""
    names, rows = set(table.column_names), table.num_rows
    columns = [table[f.name] if f.name in names else pa.nulls(rows, type=f.type) for f in schema]
    return pa.table(columns, schema=schema)


def _trials(
    state: SweepState, trials: _Trials, configs: Mapping[str, pa.DataType], columns: Columns
) -> pa.Table:
    """One row per trial, with the columns of the open families that occur there."""
    rows = [{"trial_id": i, **trial.row(live=state.live(trial))} for i, trial in trials]
    open_names = sorted({name for row in rows for name in row if "@" in name})
    schema = _schema(columns.trials(configs, open_names), configs)
    return pa.Table.from_pylist(rows, schema=schema)


def _schema(columns: Iterable[Column], configs: Mapping[str, pa.DataType]) -> pa.Schema:
    """``columns`` as Arrow fields, with unit and meaning as metadata."""
    return pa.schema(
        [
            pa.field(
                column.name,
                configs.get(column.name) or _TYPES.get(column.type, _TEXT),
                metadata=_metadata(column) if column.meaning else None,
            )
            for column in columns
        ]
    )


def _metadata(column: Column) -> dict[str, str]:
    return {"unit": column.unit, "better": column.better or "", "meaning": column.meaning}


def _groups(trials: _Trials) -> Iterator[_Trials]:
    """The trials of each row group of epochs."""
    group: list[tuple[str, TrialState]] = []
    rows = 0
    for item in trials:
        group.append(item)
        rows += len(item[1].epochs)
        if rows >= ROW_GROUP:
            yield group
            group, rows = [], 0
    if rows:
        yield group


def _epochs(trials: _Trials, schema: pa.Schema) -> pa.Table:
    """Every epoch of ``trials``, in order."""
    trained = (item for item in trials if item[1].epochs)
    alike = groupby(trained, key=lambda item: item[1].columns)
    return pa.concat_tables([_uniform(names, list(run), schema) for names, run in alike])


def _uniform(names: Sequence[str], trials: _Trials, schema: pa.Schema) -> pa.Table:
    """Every epoch of ``trials``, whose rows have the columns ``names``."""
    order = [sorted(trial.epochs) for _, trial in trials]
    rows = (trial.epochs[n] for (_, trial), ns in zip(trials, order, strict=True) for n in ns)
    values: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
    # Values shared by all rows of a trial are converted once per trial.
    owner = pa.array(np.repeat(np.arange(len(trials)), list(map(len, order))))
    stops = (trial.stopped_at for _, trial in trials)
    values["audit"] = [
        stop is not None and n > stop for stop, ns in zip(stops, order, strict=True) for n in ns
    ]
    columns = []
    for field in schema:
        if field.name == "trial_id":
            columns.append(pa.array([i for i, _ in trials], field.type).take(owner))
        elif field.name.startswith("config/"):
            axis = field.name.removeprefix("config/")
            once = [cell(trial.config.get(axis)) for _, trial in trials]
            columns.append(pa.array(once, field.type).take(owner))
        elif field.name in values:
            columns.append(pa.array(values[field.name], field.type))
        else:
            columns.append(pa.nulls(len(owner), type=field.type))
    return pa.table(columns, schema=schema)


def _config_columns(trials: _Trials) -> dict[str, pa.DataType]:
    """A type for every axis: whole numbers and flags stay such if all values are."""
    kinds: dict[str, set[type]] = {}
    for _, trial in trials:
        for name, value in trial.config.items():
            value_types = kinds.setdefault(f"config/{name}", set())
            if value is not None:
                value_types.add(type(cell(value)))
    columns = {}
    common: type
    for name, value_types in kinds.items():
        common = str if str in value_types else float
        if len(value_types) == 1:
            (common,) = value_types
        columns[name] = _TYPES.get(common, _REAL)
    return columns
