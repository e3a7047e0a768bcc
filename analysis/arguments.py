"""Validation of the arguments of public functions, by name: one-line errors with the cure."""

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis import schema
from analysis.duplicates import without_duplicates
from analysis.escapes import excerpt
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles

_TABLES = ("trials", "epochs")

P = ParamSpec("P")
T = TypeVar("T")


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """``function`` with type checks of the arguments whose names are in ``_CHECKS``.

    Frames of trials and epochs are passed on without the rows that they hold twice.

    Raises (when called):
        TypeError: an argument has the wrong type; the message names it, its value and the cure.
        schema.ColumnError: a frame lacks the columns that identify it, or holds two results of one
            configuration and seed.
    """
    parameters = inspect.signature(function).parameters
    names = tuple(parameters)
    optional = {name for name, p in parameters.items() if p.default is None}
    unchecked: Callable[..., T] = function

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        # Arguments that fit no parameter are left to the call, whose message names them.
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            if name in _CHECKS and not (value is None and name in optional):
                _CHECKS[name](name, value)
        unnamed = args[len(names) :]
        first = (_unique(name, value) for name, value in zip(names, args, strict=False))
        return unchecked(*first, *unnamed, **{n: _unique(n, v) for n, v in kwargs.items()})

    return call


def numbers(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """``values`` as an array; missing values are NaN.

    Raises:
        TypeError: they are not numbers.
    """
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be numbers, such as [0.1, 0.2]; got {excerpt(values)}"
        ) from error


def _unique(name: str, value: Any) -> Any:
    if name in _TABLES and isinstance(value, pd.DataFrame):
        return without_duplicates(value, name)
    return value


def _frame(name: str, value: object, *, source: str, columns: tuple[str, ...]) -> None:
    if not isinstance(value, pd.DataFrame):
        raise TypeError(
            f"{name} must be a DataFrame, such as {source} gives; got {excerpt(value)}"
        )
    for column in columns:
        if column not in value:
            raise schema.ColumnError(
                f"no column {column!r} in {name}; pass the whole frame from {source}"
            )


def _trials(name: str, value: object) -> None:
    if not isinstance(value, Sweep | str | Path):
        schema.check_frame(value, name)


def _rows(name: str, value: object) -> None:
    _frame(name, value, source="analysis.audit(trials, epochs, manifest)", columns=("rung",))


def _table(name: str, value: object) -> None:
    columns = ("reference", "seeds")
    _frame(name, value, source="analysis.xnn.cells(trials)", columns=columns)


def _manifest(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        source = "analysis.load_manifest(storage)"
        raise TypeError(f"{name} must be a mapping, such as {source} gives; got {excerpt(value)}")


def _cell(name: str, value: object) -> None:
    if value is not None and not isinstance(value, pd.Series):
        raise TypeError(
            f"{name} must be a row of analysis.xnn.cells(trials), such as "
            f"analysis.xnn.best(table) gives, or None; got {excerpt(value)}"
        )


def _number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number; got {excerpt(value)}")


def _names(name: str, value: object) -> None:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise TypeError(f"{name} must be a list of columns; got {excerpt(value)}")


def _rng(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer | np.random.Generator):
        raise TypeError(
            f"{name} must be a whole number or a numpy.random.Generator; got {excerpt(value)}"
        )


def _files(name: str, value: object) -> None:
    if not isinstance(value, SweepFiles):
        source = "analysis.SweepFiles.of(storage, trials, manifest)"
        raise TypeError(f"{name} must be {source}; got {excerpt(value)}")


_CHECKS: Mapping[str, Callable[[str, Any], None]] = {
    "cell": _cell,
    "comparisons": _number,
    "confidence": _number,
    "effect": _number,
    "epochs": _trials,
    "files": _files,
    "level": _number,
    "manifest": _manifest,
    "metrics": _names,
    "other": _trials,
    "plain": _cell,
    "power": _number,
    "rng": _rng,
    "rows": _rows,
    "table": _table,
    "trials": _trials,
    "within": _number,
}
