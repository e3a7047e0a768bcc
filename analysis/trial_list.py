"""Trials of a sweep that meet conditions, in the order of a column."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import schema
from analysis.frames import Frame
from analysis.load import load_trials

AXIS = "config/"
"""Prefix of the columns of parameters."""
HEADLINE: Mapping[str, tuple[str, ...]] = {
    "tickets": ("cvar_05", "cvar_05_minus_dense", "sharpe_ratio", "turnover"),
    "xnn": ("cross_entropy", "kappa", "explanation_gain", "r2_mean"),
}
"""Test metrics of a short list, by experiment."""

_CONDITION = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")
_ORDERED: Mapping[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_NULL = "none"
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def trial_list(
    trials: Frame,
    *,
    where: Iterable[str] = (),
    sort: str | None = None,
    reverse: bool = False,
) -> pd.DataFrame:
    """Trials that meet all conditions, the best first.

    Args:
        trials: from :func:`analysis.load_trials`, or a storage.
        where: conditions such as ``"sparsity>=0.9"`` or ``"status=failed"``: a column, one of
            < <= > >= = !=, and a value, of which ``none`` is a missing one. An axis of the space
            needs no prefix. A trial without a value meets only ``= none`` and ``!=``.
        sort: column of the order: its better end first, ascending if it has none, trials without
            a value last. None keeps the order of creation.
        reverse: the worst first; trials without a value stay last.
    Raises:
        schema.ColumnError: no such column.
        ValueError: text that is no condition, or a value that the column cannot have.
    """
    if isinstance(trials, str | Path):
        trials = load_trials(trials)
    schema.check_frame(trials)
    for condition in where:
        trials = trials[_met(condition, trials)]
    if sort is None:
        return trials.iloc[::-1] if reverse else trials
    name = resolved(sort, trials)
    descending = schema.column(name, frame=trials).direction == "higher"
    values = trials[name]
    if values.dtype == object:  # an axis of numbers and texts
        trials, values = trials.assign(**{name: values.astype("string")}), values.astype("string")
    order = values.sort_values(ascending=descending == reverse, kind="stable").index
    return trials.loc[order]


def resolved(name: str, trials: pd.DataFrame) -> str:
    """Column of ``trials`` called ``name``, which for an axis may lack its prefix.

    Raises:
        schema.ColumnError: there is none; the message names the nearest.
    """
    names = list(map(str, trials.columns))
    for candidate in (f"{AXIS}{name}", name):
        if candidate in names:
            return candidate
    short = [one.removeprefix(AXIS) for one in names]
    near = get_close_matches(name, short, n=1) or get_close_matches(name, short, n=1, cutoff=0.0)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise schema.ColumnError(f"trials have no column {name!r}{hint}")


def short_columns(trials: pd.DataFrame, experiment: str) -> list[str]:
    """Columns of a short list: id, status, axes with several values, epochs, losses, metrics.

    Columns without any value are left out.
    """
    axes = [n for n in map(str, trials.columns) if n.startswith(AXIS)]
    varied = [n for n in axes if trials[n].nunique(dropna=False) > 1]
    metrics = ("epochs", "val_loss", *HEADLINE.get(experiment, ()))
    present = [n for n in metrics if n in trials.columns and trials[n].notna().any()]
    return ["trial_id", "status", *varied, *present]


def _met(condition: str, trials: pd.DataFrame) -> pd.Series:
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise ValueError(
            f"{condition!r} is no condition; write a column, one of < <= > >= = !=, and a value, "
            "such as 'sparsity>=0.9' or 'status=failed'"
        )
    name, sign, text = match.groups()
    values = trials[resolved(name, trials)]
    if sign in _ORDERED:
        met = _ORDERED[sign](_numbers(values, condition), _number(text, condition))
        return met.fillna(False).astype(bool)
    equal = values.isna() if text == _NULL else _equal(values, text, condition)
    return ~equal if sign == "!=" else equal


def _equal(values: pd.Series, text: str, condition: str) -> pd.Series:
    if pd.api.types.is_bool_dtype(values):
        if text not in _BOOLEANS:
            raise ValueError(f"{condition!r}: the values of this column are yes and no")
        return values.eq(_BOOLEANS[text]).fillna(False).astype(bool)
    if pd.api.types.is_numeric_dtype(values):
        return values.eq(_number(text, condition)).fillna(False).astype(bool)
    texts = values.astype("string")
    return texts.eq(text).fillna(False).astype(bool)


def _numbers(values: pd.Series, condition: str) -> pd.Series:
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        raise ValueError(f"{condition!r}: this column has no numbers to compare; use = or !=")
    return values.astype("float64")


def _number(text: str, condition: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"{condition!r}: {text!r} is no number")
    return number
