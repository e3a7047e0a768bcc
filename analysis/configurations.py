"""Configurations: groups of trials that differ only in their seed.

A trial stopped early is censored: it has no test metrics, and its validation risk is that of an
unfinished training. So means are over completed trials only, and every row has the counts of the
others.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis import schema

COUNTS = ("trials", "completed", "stopped", "failed", "unfinished")
LOTTERY = "lottery"

_KINDS = ("config/ticket", "config/pruning.ticket")


def kinds(trials: pd.DataFrame) -> pd.Series:
    """Kind of network of every trial: "lottery" for the ticket, or the name of a control.

    Trials without such an axis are tickets.
    """
    labels = pd.Series(None, index=trials.index, dtype="string")
    for axis in _KINDS:
        if axis in trials.columns:
            labels = labels.fillna(trials[axis].astype("string"))
    return labels.fillna(LOTTERY)


def of_kind(trials: pd.DataFrame, kind: str = LOTTERY) -> pd.DataFrame:
    """Trials of one of the :func:`kinds`, without the axis of the kind."""
    axes = [axis for axis in _KINDS if axis in trials.columns]
    if not axes and kind == LOTTERY:
        return trials
    return trials[kinds(trials).eq(kind)].drop(columns=axes)


def parameters(trials: pd.DataFrame) -> list[str]:
    """Parameters that define a configuration, those of :data:`analysis.schema.AXES` first.

    All except the seed and the kind, whose values never compete: see :func:`of_kind`.
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
    """Check that all ``choices`` are among the parameters ``names``.

    Raises:
        schema.ColumnError: one is not; the message suggests the nearest.
    """
    for name in choices:
        if name not in names:
            suggestions = get_close_matches(name, names, n=1)
            hint = f"did you mean {suggestions[0]!r}? " if suggestions else ""
            raise schema.ColumnError(
                f"unknown parameter {name!r}; {hint}known: {', '.join(names)}"
            )


def problem_axes(names: Iterable[str]) -> list[str]:
    """Parameters among ``names`` that change what is hedged or how it is measured.

    Their values never compete, because the easiest market would win.
    """
    return [name for name in names if name.startswith(schema.PROBLEM)]


def groups(
    trials: pd.DataFrame, by: Sequence[str]
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Trials of every combination of the parameters ``by``, with that combination.

    A missing value is NaN for every dtype, because pandas' NA cannot be compared.
    """
    yield from _parts(trials, by, [f"config/{name}" for name in by])


def problem_parts(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Rows of a ``table`` by problem, with the values of the parameters that define it."""
    axes = problem_axes(map(str, table.columns))
    yield from _parts(table, axes, axes)


def counts(trials: pd.DataFrame) -> dict[str, int]:
    """Number of trials by outcome; ``unfinished`` are running or interrupted."""
    return _tally(trials["status"].astype("string").fillna("").to_numpy())


def seed_count(trials: pd.DataFrame) -> int:
    """Number of seeds of the trials; 0 if the space has no seed axis."""
    name = "config/seed"
    return int(trials[name].nunique()) if name in trials.columns else 0


def configurations(trials: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """One row per configuration: parameters, counts, mean ``val_loss`` and speed over seeds.

    ``whole``: it completed at every seed in ``trials``; a mean that lacks one, for example because
    seeds were stopped independently, is not comparable. ``converged``: in addition, every seed met
    the criterion; otherwise ``epochs_to_95pct`` is NaN, because a mean over converged seeds only
    would have survivorship bias. ``rows`` holds the labels of the completed trials, one per seed:
    trials that no column distinguishes count once, and those without a seed are one seed.

    Args:
        trials: the trials of one group.
        names: the parameters that define a configuration.
    """
    seeds = trials["config/seed"].factorize(use_na_sentinel=False)[0]
    seed_total = len(set(seeds))
    status = trials["status"].astype("string").fillna("").to_numpy()
    met = trials["converged"].fillna(False).astype(bool).to_numpy()
    speed, loss = (trials[n].astype("float64").to_numpy() for n in ("epochs_to_95pct", "val_loss"))
    met = met & ~np.isnan(speed)
    rows = []
    # Frames of thousands of configurations would take minutes.
    for values, places in _places(trials, names):
        tally = _tally(status[places])
        completed = places[status[places] == "completed"]
        _, first = np.unique(seeds[completed], return_index=True)
        runs = completed[np.sort(first)]
        whole = 0 < tally["completed"] == tally["trials"] and len(runs) == seed_total
        converged = whole and bool(met[runs].all())
        rows.append(
            {
                **values,
                **tally,
                "whole": whole,
                "converged": converged,
                "epochs_to_95pct": _mean(speed[runs]) if converged else float("nan"),
                "val_loss": _mean(loss[runs]),
                "rows": list(trials.index[runs]),
            }
        )
    fixed = [*COUNTS, "whole", "converged", "epochs_to_95pct", "val_loss", "rows"]
    return pd.DataFrame(rows, columns=[*names, *fixed])


def shared_paths(trials: pd.DataFrame) -> bool:
    """True if all ``trials`` were tested on the same paths, or (conservatively) if unknown."""
    if "data_sha256" not in trials.columns:
        return True
    return trials["data_sha256"].nunique(dropna=True) <= 1


def typed(rows: list[dict[str, Any]], dtypes: dict[str, str]) -> pd.DataFrame:
    """Frame of ``rows`` with the columns and dtypes of ``dtypes``, even without rows."""
    frame = pd.DataFrame(rows, columns=list(dtypes))
    cast = frame.astype({name: dtype for name, dtype in dtypes.items() if dtype != "any"})
    # Every cast column is a block of its own; pandas warns of more than a hundred.
    return cast.copy()


def parameter_dtypes(names: Iterable[str]) -> dict[str, str]:
    """Dtypes of parameters: float64 for :data:`analysis.schema.AXES`, unchanged for others."""
    return {n: "float64" if n in schema.AXES else "any" for n in names}


def _parts(
    frame: pd.DataFrame, names: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    if not columns:
        yield {}, frame
        return
    for values, part in frame.groupby(list(columns), dropna=False, sort=True):
        yield _combination(names, values), part


def _places(
    trials: pd.DataFrame, names: Sequence[str]
) -> Iterator[tuple[dict[str, Any], npt.NDArray[np.intp]]]:
    """Positions of the trials of every combination, as in :func:`groups`."""
    if not names:
        yield {}, np.arange(len(trials))
        return
    columns = [f"config/{name}" for name in names]
    grouped = trials[columns].groupby(columns, dropna=False, sort=True)
    sizes = grouped.size()
    order = np.argsort(grouped.ngroup().to_numpy(), kind="stable")
    for values, places in zip(
        sizes.index, np.split(order, sizes.to_numpy().cumsum()[:-1]), strict=False
    ):
        yield _combination(names, values if len(names) > 1 else (values,)), places


def _combination(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {n: float("nan") if v is pd.NA else v for n, v in zip(names, values, strict=True)}


def _tally(status: npt.NDArray[Any]) -> dict[str, int]:
    by_name = {name: int((status == name).sum()) for name in ("completed", "stopped", "failed")}
    return {"trials": len(status), **by_name, "unfinished": len(status) - sum(by_name.values())}


def _mean(values: npt.NDArray[np.float64]) -> float:
    finite = values[~np.isnan(values)]
    return float(finite.mean()) if len(finite) else float("nan")
