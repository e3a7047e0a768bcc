"""Columns of trials and epochs: type, unit, better end and meaning, by experiment.

A frame that was loaded is described by its own file, all others by the dictionary in
:mod:`analysis.columns`. Parameters carry the prefix ``config/``; metrics are bare. Three families
are open, because the space decides which of them there are: ``config/<dotted path>``;
``<metric>@<where>:<size>``, a metric of a hedge under an attack
(``attacked_cvar_05@path_pgd:0.1``) or in another market (``cvar_05@regime:high_vol``), with the
prefix ``val_`` of the validation paths, with ``dense_`` of the dense network; and
``<rate>@<column>:<level>``, a rate of an X-NN among a group of insured
(``selection_rate@InsuredInfo_6:1``), with ``_low`` and ``_high`` behind the rate for its interval.
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

LATER = ("model_sha256", "arithmetic")
"""Columns of trials that tables of older sweeps lack."""

Tables = Mapping[str, Mapping[str, Column]]

TABLES: Tables = EXPERIMENTS["tickets"]
"""Those of a tickets sweep; :func:`tables` gives those of any."""

TRIALS, EPOCHS = TABLES["trials"], TABLES["epochs"]


class Descriptions(dict[str, dict[str, str]]):
    """``unit``, ``better`` and ``meaning`` of columns by name, as the file of a table gives them.

    They stand in ``frame.attrs["columns"]``, which pandas copies with every operation: a copy of
    these is the same object.
    """

    def __deepcopy__(self, memo: Any) -> "Descriptions":
        return self


class ColumnError(AnalysisError, ValueError):
    """A column is unknown or absent; the message is one line and names the cure."""


def check_frame(frame: object, table: str = "trials") -> None:
    """Return if ``frame`` is one; its columns are no matter.

    Raises:
        TypeError: it is something else; the message is one line and names the cure.
    """
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
            f"{table} must be a DataFrame, such as analysis.load_{table}(storage) gives; "
            f"got {excerpt(frame)}"
        )


def tables(experiment: str) -> Tables:
    """The columns of the trials and epochs of an ``experiment``, by table and name.

    Raises:
        ColumnError: unknown ``experiment``.
    """
    if experiment not in EXPERIMENTS:
        raise ColumnError(_unknown(experiment, EXPERIMENTS, kind="experiment"))
    return EXPERIMENTS[experiment]


def experiment_of(frame: pd.DataFrame) -> str:
    """The experiment whose tables know most columns of ``frame``; tickets where none leads."""
    names = set(map(str, frame.columns))

    def overlap(of: str) -> int:
        return max(len(names & columns.keys()) for columns in EXPERIMENTS[of].values())

    return max(EXPERIMENTS, key=overlap)


def column(
    name: str, experiment: str | None = None, *, frame: pd.DataFrame | None = None
) -> Column:
    """The entry of column ``name``, trials first, with the open families resolved.

    Args:
        name: of the column.
        experiment: whose column it is; None takes the first that has one, in the order of
            :data:`EXPERIMENTS`. Dtypes agree among them; units, say of ``val_loss``, need not.
        frame: where it is; what the file of a loaded frame says of the column comes first.
    Raises:
        ColumnError: unknown ``name`` or ``experiment``; the message gives the nearest known one.
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
    """One row a column: experiment, table, name, dtype, unit, direction, meaning."""
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
    """What is wrong with the columns of ``frame``, one line each; an empty list when all is well.

    Parameters (``config/...``) are never missing, because the space decides which there are.

    Args:
        frame: from :func:`analysis.load_trials` or :func:`analysis.load_epochs`.
        table: which of the two.
        experiment: whose; None takes the one that fits, see :func:`experiment_of`.
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
    """The index label of the best row by ``metric``; None where every value is null.

    The direction is that of the column, so nobody takes the minimum of a negative CVaR.

    Raises:
        ColumnError: ``metric`` unknown, or without a better end.
    """
    direction = column(metric, frame=frame).direction
    if direction is None:
        raise ColumnError(f"column {metric!r} has no better end; choose one with a direction")
    values = frame[metric].dropna()
    if values.empty:
        return None
    return values.idxmax() if direction == "higher" else values.idxmin()


def _entry(name: str, searched: Mapping[str, Tables]) -> Column | None:
    """The column ``name`` by the dictionary."""
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
