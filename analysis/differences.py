"""Differences between configurations that were trained at the same seeds, with verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.configurations import groups, parameters, typed
from analysis.contrast import DIFFERENCE, contrast, corrected, verdict
from analysis.frames import Frame, frame_of

EQUAL = "equal results"
"""Reason of two configurations whose results agree to the last bit at every seed."""
_SEED, _DATA = "config/seed", "data_sha256"


@checked
def differences(
    trials: Frame,
    other: Frame,
    metrics: Sequence[str],
    *,
    by: Sequence[str] | None = None,
    level: float = 0.05,
) -> pd.DataFrame:
    """One row per configuration of both frames and metric: ``other`` less ``trials``.

    ``difference`` is the mean over the ``seeds`` that both have, with the 95 % Student interval
    ``difference_low`` to ``difference_high``, not corrected, in the unit of the metric; ``first``
    and ``second`` are the means. ``p_holm`` is corrected over all rows, and ``verdict`` "better"
    (``other`` is), "worse" or "not shown" at ``level``. Without an interval, ``reason`` says why:
    fewer than three common seeds, a seed without a result (stopped, failed, unfinished), equal
    results, or test data that are not known to be equal.

    A verdict generalises over training noise, for the test data of these trials; it is that of
    two configurations chosen before their results were seen.

    Args:
        trials: from :func:`analysis.load_trials`, or a storage.
        other: the same, of this sweep or of another.
        metrics: columns of both with a better end.
        by: parameters that define a configuration; those of ``trials`` if None, which ``other``
            must have too. Of an empty list, each frame is one configuration.
    Raises:
        schema.ColumnError: a metric or parameter is missing.
    """
    trials, other = frame_of(trials), frame_of(other)
    names = parameters(trials) if by is None else list(by)
    for frame in (trials, other):
        for column in (*metrics, *(f"config/{name}" for name in names)):
            if column not in frame.columns:
                raise schema.ColumnError(f"trials have no column {column!r}; choose another")
    rows: list[dict[str, Any]] = []
    for values, first, second in _common(trials, other, names):
        rows += [{**values, **_difference(first, second, metric)} for metric in metrics]
    ends = {metric: schema.column(metric, frame=trials).direction for metric in metrics}
    for row in (judged := corrected(rows)):
        larger = ends[row["metric"]] != "lower"
        row["verdict"] = verdict(row, larger_is_better=larger, level=level)
    return typed(judged, {**dict.fromkeys(names, "any"), **_DTYPES})


def matched_settings(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    """Dotted keys of two nested mappings whose values differ, with both; None where absent."""
    one, two = dict(_flat(first)), dict(_flat(second))
    keys = dict.fromkeys([*one, *two])
    return [(k, one.get(k), two.get(k)) for k in keys if one.get(k) != two.get(k)]


def _common(
    trials: pd.DataFrame, other: pd.DataFrame, names: Sequence[str]
) -> Iterator[tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]]:
    """Configurations of both frames, with their trials in each."""
    if not len(trials) or not len(other):
        return
    parts = {_key(values): part for values, part in groups(other, names)}
    for values, part in groups(trials, names):
        if (second := parts.get(_key(values))) is not None:
            yield values, part, second


def _key(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Values as a key in which a missing one equals itself."""
    return tuple(None if pd.isna(value) else value for value in values.values())


def _difference(first: pd.DataFrame, second: pd.DataFrame, metric: str) -> dict[str, Any]:
    one, two = _by_seed(first), _by_seed(second)
    seeds = one.index.intersection(two.index)
    one, two = one.loc[seeds], two.loc[seeds]
    paired = contrast(_numbers(two, metric), _numbers(one, metric))
    row: dict[str, Any] = {"metric": metric, "seeds": paired.pairs}
    row |= {"first": _numbers(one, metric).mean(), "second": _numbers(two, metric).mean()}
    row |= paired.columns()
    if not _same_data(one, two):
        unknown = dict.fromkeys((*DIFFERENCE, "p", "p_equivalent"), float("nan"))
        return row | unknown | {"reason": "their test data are not known to be equal"}
    return row | {"reason": _reason(paired.pairs, paired.gaps, row)}


def _reason(pairs: int, gaps: int, row: Mapping[str, Any]) -> str:
    """Reason for the absence of an interval; empty with one."""
    if pd.notna(row["p"]):
        return ""
    if gaps:
        return "a seed has no result"
    if pairs and row["difference"] == 0.0:
        return EQUAL
    return "fewer than three common seeds" if pairs < 3 else "equal differences at every seed"


def _by_seed(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials by seed; those that no column distinguishes count once."""
    seeds = trials[_SEED] if _SEED in trials.columns else pd.Series(0, index=trials.index)
    indexed = trials.set_index(pd.Index(seeds.fillna(0).astype(int), name="seed"))
    return indexed[~indexed.index.duplicated()].sort_index()


def _numbers(trials: pd.DataFrame, metric: str) -> pd.Series:
    values = trials[metric].to_numpy(dtype=float, na_value=np.nan)
    completed = trials["status"].eq("completed").to_numpy()
    return pd.Series(np.where(completed & np.isfinite(values), values, np.nan), trials.index)


def _same_data(one: pd.DataFrame, two: pd.DataFrame) -> bool:
    """True if the recorded test data are equal at every seed."""
    if _DATA not in one.columns or _DATA not in two.columns:
        return False
    return bool(one[_DATA].astype("string").eq(two[_DATA].astype("string")).fillna(False).all())


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


_DTYPES = {
    "metric": "string",
    "seeds": "int64",
    "first": "float64",
    "second": "float64",
    **dict.fromkeys(DIFFERENCE, "float64"),
    "p": "float64",
    "p_holm": "float64",
    "verdict": "string",
    "reason": "string",
}
