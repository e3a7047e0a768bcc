"""Table of the trials in the page: all rows as data, the best ones as text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import schema
from analysis.attacks import PARAMETER, spoken
from analysis.trial_list import AXIS, short_columns, trial_list

SHOWN = 200
"""Rows that are readable without scripts."""
_ORDER = "val_loss"
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """Column of the table; ``numeric`` if it is compared by number.

    Args:
        words: texts of values that the page spells out, by value; conditions take the values.
    """

    name: str
    unit: str
    meaning: str
    numeric: bool
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTable:
    """Trials, the best by validation loss first; ``ids`` by row."""

    headings: Sequence[Heading]
    rows: Sequence[Sequence[Any]]

    @property
    def first(self) -> list[list[str]]:
        """Texts of the first rows."""
        words = [one.words for one in self.headings]
        return [
            [texts.get(value) or cell(value) for texts, value in zip(words, row, strict=True)]
            for row in self.rows[:SHOWN]
        ]

    def json(self) -> str:
        """Headings and rows for the script, safe in an element of HTML."""
        headings = [
            {"name": one.name, "numeric": one.numeric, "words": dict(one.words)}
            for one in self.headings
        ]
        content = json.dumps(
            {"headings": headings, "rows": self.rows}, separators=(",", ":"), allow_nan=False
        )
        return content.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def table_of(trials: pd.DataFrame, experiment: str) -> TrialTable:
    """Table of all ``trials``: ids, statuses, axes that vary, losses and test metrics."""
    trials = ordered(trials)
    names = short_columns(trials, experiment)
    names += [n for n in ("reason", "error") if n in trials and trials[n].notna().any()]
    headings = [_heading(name, trials) for name in names]
    columns = [[_plain(value) for value in trials[name]] for name in names]
    return TrialTable(headings=headings, rows=[list(row) for row in zip(*columns, strict=True)])


def ordered(trials: pd.DataFrame) -> pd.DataFrame:
    """``trials`` in the order of the page: the lowest validation loss first."""
    return trial_list(trials, sort=_ORDER) if _ORDER in trials else trials


def cell(value: Any) -> str:
    """Text of a ``value``, a dash if it is missing."""
    if value is None:
        return "–"
    return f"{value:.5g}".replace("-", "−") if isinstance(value, float) else str(value)


def _heading(name: str, trials: pd.DataFrame) -> Heading:
    column = schema.column(name, frame=trials)
    values = trials[name]
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    attacks = values.dropna().astype(str).unique() if name == f"{AXIS}{PARAMETER}" else ()
    return Heading(
        name=name.removeprefix(AXIS),
        unit=column.unit,
        meaning=column.meaning,
        numeric=numeric,
        words={attack: spoken(attack) for attack in attacks if spoken(attack) != attack},
    )


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    plain = value.item() if hasattr(value, "item") else value
    return float(f"{plain:.{_DIGITS}g}") if isinstance(plain, float) else plain
