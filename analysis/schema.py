"""Columns of trials and epochs: type, unit, better end and meaning, by experiment.

Loaded frames are described by the metadata of their file, all others by the dictionary in
:mod:`analysis.columns`. Parameters have the prefix ``config/``, metrics none. Three families are
open, because their members depend on the space: ``config/<dotted path>``;
``<metric>@<where>:<size>``, a metric of a hedge under an attack
(``attacked_cvar_05@path_pgd:0.1``) or in another market (``cvar_05@regime:high_vol``), with the
prefix ``val_`` for validation paths and ``dense_`` for the dense network; and
``<rate>@<column>:<level>``, a rate of an X-NN in a group of insured
(``selection_rate@InsuredInfo_6:1``), with suffixes ``_low`` and ``_high`` for its interval.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Literal, cast

import pandas as pd

from analysis.columns import EXPERIMENTS, FAMILIES, STATUSES, Column, Direction, Dtype
from analysis.errors import AnalysisError
from analysis.escapes import excerpt

__all__ = [
    "AXES",
    "EPOCHS",
    "EXPERIMENTS",
    "PROBLEM",
    "STATUSES",
    "TABLES",
    "TRIALS",
    "Column",
    "ColumnError",
    "Descriptions",
    "Direction",
    "Dtype",
    "Tables",
    "best",
    "check",
    "column",
    "describe",
    "experiment_of",
    "tables",
]

AXES = ("sparsity", "lr", "epsilon", "seed")
PROBLEM = ("market.", "option.", "cost.", "risk.", "data.", "evaluation.")

LATER = ("model_sha256", "arithmetic", "attacks_not_finite")
"""Columns of trials that tables of older sweeps lack."""

Tables = Mapping[str, Mapping[str, Column]]

TABLES: Tables = EXPERIMENTS["tickets"]
"""Tables of a tickets sweep; see :func:`tables` for other experiments."""

TRIALS, EPOCHS = TABLES["trials"], TABLES["epochs"]


class Descriptions(dict[str, dict[str, str]]):
    """``unit``, ``better`` and ``meaning`` of columns by name, from the metadata of a file.

    Stored in ``frame.attrs["columns"]``, which pandas deep-copies with every operation; a copy is
    therefore the same object.
    """

    def __deepcopy__(self, memo: Any) -> "Descriptions":
        return self


class ColumnError(AnalysisError, ValueError):
    """A column is unknown or absent; the message is one line with the cure."""


def check_frame(frame: object, table: str = "trials") -> None:
    """Check that ``frame`` is a DataFrame, whatever its columns.

    Raises:
        TypeError: it is not; the message is one line with the cure.
    """
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
            f"{table} must be a DataFrame, such as analysis.load_{table}(storage) gives; "
            f"got {excerpt(frame)}"
        )


def tables(experiment: str) -> Tables:
    """Columns of the trials and epochs of an ``experiment``, by table and name.

    Raises:
        ColumnError: unknown ``experiment``.
    """
    if experiment not in EXPERIMENTS:
        raise ColumnError(_unknown(experiment, EXPERIMENTS, kind="experiment"))
    return EXPERIMENTS[experiment]


def experiment_of(frame: pd.DataFrame) -> str:
    """Experiment whose tables share most columns with ``frame``; tickets in a tie."""
    names = set(map(str, frame.columns))

    def overlap(of: str) -> int:
        return max(len(names & columns.keys()) for columns in EXPERIMENTS[of].values())

    return max(EXPERIMENTS, key=overlap)


def column(
    name: str, experiment: str | None = None, *, frame: pd.DataFrame | None = None
) -> Column:
    """Description of column ``name``, trials first, with the open families resolved.

    Args:
        name: of the column.
        experiment: to search; None takes the first that has the column, in the order of
            :data:`EXPERIMENTS`. Dtypes agree among them; units, as of ``val_loss``, may differ.
        frame: that contains the column; the metadata of a loaded frame takes precedence.
    Raises:
        ColumnError: unknown ``name`` or ``experiment``; the message suggests the nearest.
    """
    searched = EXPERIMENTS if experiment is None else {experiment: tables(experiment)}
    descriptions = None if frame is None else frame.attrs.get("columns")
    described = descriptions.get(name) if isinstance(descriptions, Descriptions) else None
    entry = _entry(name, searched)
    if described is None:
        if entry is None:
            names = (n for of in searched.values() for columns in of.values() for n in columns)
            raise ColumnError(_unknown(name, names))
        return entry
    return replace(
        entry or Column(name=name, dtype="any", unit="", direction=None, meaning=""),
        unit=described["unit"],
        direction=cast(Direction | None, described["better"] or None),
        meaning=described["meaning"],
    )


def describe() -> pd.DataFrame:
    """One row per column: experiment, table, name, dtype, unit, direction, meaning."""
    rows = [
        (experiment, table, c.name, c.dtype, c.unit, c.direction, c.meaning)
        for experiment, of in EXPERIMENTS.items()
        for table, columns in of.items()
        for c in columns.values()
    ]
    names = ["experiment", "table", "name", "dtype", "unit", "direction", "meaning"]
    return pd.DataFrame(rows, columns=names)


def check(
    frame: pd.DataFrame, table: Literal["trials", "epochs"], experiment: str | None = None
) -> list[str]:
    """Problems of the columns of ``frame``, one line each; empty if there are none.

    Parameters (``config/...``) are never missing, because they depend on the space.

    Args:
        frame: from :func:`analysis.load_trials` or :func:`analysis.load_epochs`.
        table: which of the two.
        experiment: None takes that of :func:`experiment_of`.
    Raises:
        ColumnError: unknown ``table`` or ``experiment``.
    """
    if table not in TABLES:
        raise ColumnError(_unknown(table, TABLES, kind="table"))
    experiment = experiment or experiment_of(frame)
    columns, problems = tables(experiment)[table], []
    for name in columns:
        if name not in (*frame.columns, *LATER) and not name.startswith("config/"):
            problems.append(f"{table}: column {name!r} is missing")
    for name in map(str, frame.columns):
        try:
            entry = columns.get(name) or column(name, experiment, frame=frame)
        except ColumnError as error:
            problems.append(f"{table}: {error}")
            continue
        if entry.name not in columns and not name.startswith("config/") and table != "trials":
            problems.append(f"{table}: column {name!r} belongs to another table")
        dtype = str(frame[name].dtype)
        if entry.dtype not in ("any", dtype):
            problems.append(f"{table}: column {name!r} should be {entry.dtype}, got {dtype}")
    return problems


def best(frame: pd.DataFrame, metric: str) -> Hashable | None:
    """Index label of the best row by ``metric``, in its direction; None if all values are null.

    Raises:
        ColumnError: ``metric`` is unknown or has no better end.
    """
    direction = column(metric, frame=frame).direction
    if direction is None:
        raise ColumnError(f"column {metric!r} has no better end; choose one with a direction")
    values = frame[metric].dropna()
    if values.empty:
        return None
    return values.idxmax() if direction == "higher" else values.idxmin()


def _entry(name: str, searched: Mapping[str, Tables]) -> Column | None:
    """Description of column ``name`` in the dictionary."""
    for of in searched.values():
        for columns in of.values():
            if name in columns:
                return columns[name]
    if name.startswith("config/") and len(name) > len("config/"):
        path = name.removeprefix("config/")
        return Column(name=name, dtype="any", unit="", direction=None, meaning=f"parameter {path}")
    members = (family.column(name) for of in searched for family in FAMILIES[of])
    return next(filter(None, members), None)


def _unknown(name: str, names: Iterable[str], *, kind: str = "column") -> str:
    suggestions = get_close_matches(str(name), list(names), n=1)
    hint = f"did you mean {suggestions[0]!r}? " if suggestions else ""
    return f"unknown {kind} {name!r}; {hint}analysis.schema.describe() lists all"
