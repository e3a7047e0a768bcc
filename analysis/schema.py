"""The dictionary of all columns: type, unit, direction and meaning, by experiment.

Parameters carry the prefix ``config/``; metrics are bare. Three families are open, because the
space decides which of them there are: ``config/<dotted path>``; ``<metric>@<where>:<size>``, a
metric of a hedge under an attack (``attacked_cvar_05@path_pgd:0.1``) or in another market
(``cvar_05@regime:high_vol``), with the prefix ``val_`` of the validation paths, with ``dense_`` of
the dense network; and ``<rate>@<column>:<level>``, a rate of an X-NN among a group of insured
(``selection_rate@InsuredInfo_6:1``), with ``_low`` and ``_high`` behind the rate for its interval.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from difflib import get_close_matches
from typing import Literal

import pandas as pd

from analysis import columns_tickets, columns_xnn
from analysis.columns import LATER, STATUSES, Column, Direction, Dtype
from analysis.columns_tickets import EPOCHS, TEST_METRICS, TRIALS
from analysis.errors import AnalysisError
from analysis.escapes import excerpt

__all__ = [
    "AXES",
    "EPOCHS",
    "EXPERIMENTS",
    "PROBLEM",
    "STATUSES",
    "TABLES",
    "TEST_METRICS",
    "TRIALS",
    "Column",
    "ColumnError",
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

Tables = Mapping[str, Mapping[str, Column]]

TABLES: Tables = {"trials": TRIALS, "epochs": EPOCHS}
"""Those of a tickets sweep; :func:`tables` gives those of any."""

EXPERIMENTS: Mapping[str, Tables] = {
    "tickets": TABLES,
    "xnn": {"trials": columns_xnn.TRIALS, "epochs": columns_xnn.EPOCHS},
}


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


def column(name: str, experiment: str | None = None) -> Column:
    """The entry of column ``name``, trials first, with the open families resolved.

    Args:
        name: of the column.
        experiment: whose column it is; None takes the first that has one, in the order of
            :data:`EXPERIMENTS`. Dtypes agree among them; units, say of ``val_loss``, need not.
    Raises:
        ColumnError: unknown ``name`` or ``experiment``; the message gives the nearest known one.
    """
    searched = EXPERIMENTS if experiment is None else {experiment: tables(experiment)}
    for of in searched.values():
        for columns in of.values():
            if name in columns:
                return columns[name]
    if name.startswith("config/") and len(name) > len("config/"):
        path = name.removeprefix("config/")
        return Column(name=name, dtype="any", unit="", direction=None, meaning=f"parameter {path}")
    for each in searched:
        if entry := _FAMILIES[each](name):
            return entry
    names = (n for of in searched.values() for columns in of.values() for n in columns)
    raise ColumnError(_unknown(name, names))


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
            entry = columns.get(name) or column(name, experiment)
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

    The direction comes from the dictionary, so nobody takes the minimum of a negative CVaR.

    Raises:
        ColumnError: ``metric`` unknown, or without a better end.
    """
    direction = column(metric).direction
    if direction is None:
        raise ColumnError(f"column {metric!r} has no better end; choose one with a direction")
    values = frame[metric].dropna()
    if values.empty:
        return None
    return values.idxmax() if direction == "higher" else values.idxmin()


def _unknown(name: str, names: Iterable[str], *, kind: str = "column") -> str:
    near = get_close_matches(str(name), list(names), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}; {hint}analysis.schema.describe() lists all"


_FAMILIES: Mapping[str, Callable[[str], Column | None]] = {
    "tickets": columns_tickets.placed,
    "xnn": columns_xnn.grouped,
}
