"""Trials that differ only in their seed become one configuration.

A trial stopped early is censored: it has no test metrics, and its validation risk is that of an
unfinished training. So only completed trials enter a mean, and every row carries the counts of the
others.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import pandas as pd

from analysis import schema

COUNTS = ("trials", "completed", "stopped", "failed", "unfinished")
LOTTERY = "lottery"

_KINDS = ("config/ticket", "config/pruning.ticket")


def kinds(trials: pd.DataFrame) -> pd.Series:
    """What every trial trained: "lottery", the ticket itself, or one of its controls by name.

    It is the ticket itself, too, where the trial has no such axis.
    """
    labels = pd.Series(None, index=trials.index, dtype="string")
    for axis in _KINDS:
        if axis in trials.columns:
            labels = labels.fillna(trials[axis].astype("string"))
    return labels.fillna(LOTTERY)


def of_kind(trials: pd.DataFrame, kind: str = LOTTERY) -> pd.DataFrame:
    """The trials of one of their :func:`kinds`, without the axis that told it."""
    axes = [axis for axis in _KINDS if axis in trials.columns]
    if not axes and kind == LOTTERY:
        return trials
    return trials[kinds(trials).eq(kind)].drop(columns=axes)


def parameters(trials: pd.DataFrame) -> list[str]:
    """The parameters that make a configuration, the known axes first.

    They are all but the seed, and but the kind, whose values never compete: see :func:`of_kind`.
    """
    schema.check_frame(trials)
    axes = [a for a in schema.AXES if a != "seed" and f"config/{a}" in trials.columns]
    all_of_them = [
        name.removeprefix("config/")
        for name in map(str, trials.columns)
        if name.startswith("config/") and name not in _KINDS
    ]
    return axes + [p for p in all_of_them if p not in schema.AXES]


def check_parameters(choices: Iterable[str], names: Sequence[str]) -> None:
    """Nothing where all ``choices`` are among the parameters ``names``.

    Raises:
        schema.ColumnError: one is not; the message gives the nearest.
    """
    for name in choices:
        if name not in names:
            suggestions = get_close_matches(name, names, n=1)
            hint = f"did you mean {suggestions[0]!r}? " if suggestions else ""
            raise schema.ColumnError(
                f"unknown parameter {name!r}; {hint}known: {', '.join(names)}"
            )


def problem_axes(names: Iterable[str]) -> list[str]:
    """Those of the parameters ``names`` that change what is hedged or how it is measured.

    Their values never compete: the easiest market would win.
    """
    return [name for name in names if name.startswith(schema.PROBLEM)]


def groups(
    trials: pd.DataFrame, by: Sequence[str]
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The trials of every combination of the parameters ``by``, with that combination.

    A parameter without a value is NaN, whatever its kind: pandas' NA cannot be compared.
    """
    yield from _parts(trials, by, [f"config/{name}" for name in by])


def problem_parts(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The rows of a ``table`` by problem, with the values of the parameters that make it."""
    axes = problem_axes(map(str, table.columns))
    yield from _parts(table, axes, axes)


def counts(trials: pd.DataFrame) -> dict[str, int]:
    """How many trials there are by outcome; ``unfinished`` are running or interrupted."""
    status = trials["status"].astype("string")
    by_name = {name: int((status == name).sum()) for name in ("completed", "stopped", "failed")}
    return {"trials": len(trials), **by_name, "unfinished": len(trials) - sum(by_name.values())}


def seed_count(trials: pd.DataFrame) -> int:
    """How many seeds the trials have; 0 where the space has none."""
    name = "config/seed"
    return int(trials[name].nunique()) if name in trials.columns else 0


def configurations(trials: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """One row a configuration: its parameters, counts, mean ``val_loss`` and speed over its seeds.

    ``whole`` says that it completed at every seed found in ``trials``; a mean that lacks one, say
    because seeds were stopped independently, is not comparable. ``converged`` says that, moreover,
    every seed met the criterion; only then is there an ``epochs_to_95pct``, because a mean over
    the seeds that happened to converge would be a mean over survivors. ``rows`` holds the labels
    of the completed trials.

    Args:
        trials: the trials of one group.
        names: the parameters that make a configuration.
    """
    rows = []
    seeds = trials["config/seed"].nunique(dropna=False)
    for values, group in groups(trials, names):
        tally = counts(group)
        runs = group[group["status"] == "completed"]
        met = runs["converged"].fillna(False).astype(bool) & runs["epochs_to_95pct"].notna()
        everywhere = runs["config/seed"].nunique(dropna=False) == seeds
        whole = 0 < tally["completed"] == tally["trials"] and everywhere
        converged = whole and bool(met.all())
        rows.append(
            {
                **values,
                **tally,
                "whole": whole,
                "converged": converged,
                "epochs_to_95pct": _mean(runs["epochs_to_95pct"]) if converged else float("nan"),
                "val_loss": _mean(runs["val_loss"]),
                "rows": list(runs.index),
            }
        )
    fixed = [*COUNTS, "whole", "converged", "epochs_to_95pct", "val_loss", "rows"]
    return pd.DataFrame(rows, columns=[*names, *fixed])


def shared_paths(trials: pd.DataFrame) -> bool:
    """Whether all ``trials`` were tested on the same paths; assumed, to be careful, if unknown."""
    if "data_sha256" not in trials.columns:
        return True
    return trials["data_sha256"].nunique(dropna=True) <= 1


def typed(rows: list[dict[str, Any]], dtypes: dict[str, str]) -> pd.DataFrame:
    """A frame of ``rows`` with the columns and dtypes named, also where there are no rows."""
    frame = pd.DataFrame(rows, columns=list(dtypes))
    return frame.astype({name: dtype for name, dtype in dtypes.items() if dtype != "any"})


def parameter_dtypes(names: Iterable[str]) -> dict[str, str]:
    """Parameters the dictionary knows keep their dtype; others keep what they have."""
    return {n: "float64" if n in schema.AXES else "any" for n in names}


def _parts(
    frame: pd.DataFrame, names: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    if not columns:
        yield {}, frame
        return
    for values, part in frame.groupby(list(columns), dropna=False, sort=True):
        combination = dict(zip(names, values, strict=True))
        yield {n: float("nan") if v is pd.NA else v for n, v in combination.items()}, part


def _mean(values: pd.Series) -> float:
    numbers = values.dropna().astype("float64")
    return float(numbers.mean()) if len(numbers) else float("nan")
