"""Wording of X-NN configurations and their numbers."""

import re
from collections.abc import Callable, Sequence

import pandas as pd

from analysis.contrast import BETTER, EQUIVALENT, WORSE, Verdict
from analysis.wording import value
from analysis.xnn.selection import pulled
from analysis.xnn.verdicts import CLAIMS, COST, GAIN, R2_OVER_PLAIN

_SPELLED = {"method": "{}", "adj_weight": "weight {}", "clusters": "K = {}"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z\s]+")
_WORDS = {"Info": "information", "Hist": "history", "Med": "medical", "Ins": "insured"}
_NAMES = {
    "Ht": "height",
    "Wt": "weight",
    "Ins_Age": "age",
    "BMI_Age": "BMI times age",
    "Med_Keywords_Count": "number of medical keywords",
}
NOT_FINITE = "no completed X-NN has a finite loss less that of its plain network"
"""Reason without a choice: losses that are infinite or missing cannot be ranked."""


def cell_name(cell: pd.Series, names: Sequence[str]) -> str:
    """Axes ``names`` of a cell without nulls: "alignment, weight 0.3, K = 6, lr 0.001"."""
    if not cell["reference"]:
        return spelled(cell, names)
    description = spelled(cell, [name for name in names if name not in ("method", "adj_weight")])
    return ", ".join(filter(None, ["plain network", description]))


def explains(verdict: Verdict) -> str:
    """Verdict on R2 over a trained network, as a predicate: "explains more"."""
    words = {BETTER: "explains more", WORSE: "explains less"}
    words[EQUIVALENT] = f"explains as much within {CLAIMS[R2_OVER_PLAIN].margin:g}"
    return words.get(verdict, "is not shown to explain more or less")


def spelled(cell: pd.Series, names: Sequence[str], *, words: Callable[[str], str] = str) -> str:
    """Axes ``names`` of a cell by their full names, without nulls.

    Args:
        words: name of an axis other than method, weight and K as it is to be printed.
    """
    axes = [name for name in names if pd.notna(cell[name])]
    texts = {name: number(cell[name]) for name in axes}
    return ", ".join(
        _SPELLED[n].format(text) if n in _SPELLED else f"{words(n)} {text}"
        for n, text in texts.items()
    )


def spoken(column: str) -> str:
    """Name of an input of the applicants' table in words: "medical history 23 = 3".

    Underscores and joined words are split, and abbreviations of the table are written out; a
    level after "=" stays as it is.
    """
    name, equals, level = column.partition(" = ")
    words = _WORD.findall(name.replace("_", " ")) or [name]
    text = " ".join(_WORDS.get(word, word if word.isupper() else word.lower()) for word in words)
    return f"{_NAMES.get(name, text)}{equals}{level}"


def telling(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Axes among ``names`` that vary within ``table``, and the three main ones."""
    return [name for name in names if name in _SPELLED or name in varied(table, names)]


def varied(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Axes among ``names`` that vary between cells with a weight above 0."""
    rivals = pulled(table)
    either = {"method": rivals, "adj_weight": table}
    return [n for n in names if either.get(n, table)[n].nunique(dropna=False) > 1]


def over_rows(table: pd.DataFrame) -> str:
    """Sources of the intervals of cost and gain: " over seeds and test rows"."""
    names = [f"{name}_se" for name in (COST, GAIN)]
    rows = all(name in table and table[name].notna().any() for name in names)
    return " over seeds and test rows" if rows else " over seeds alone"


def number(content: object) -> str:
    """Value of an axis: a number without trailing zeros, or its text."""
    return value(content.item() if hasattr(content, "item") else content)
