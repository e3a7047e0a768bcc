"""Escaping of untrusted text for terminals, figures and spreadsheets."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

LINE = 4_000
"""Characters of a line in a terminal."""

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def excerpt(value: object) -> str:
    """First characters of ``repr(value)``, on one line."""
    return printable(repr(value)[:60].partition("\n")[0])


def printable(text: str, *, most: int | None = None) -> str:
    """``text`` on one line, non-printable characters as ``\\x1b``, cut after ``most``.

    Escapes characters that a terminal would interpret or not display: control characters,
    marks that change the direction of writing, surrogates.
    """
    text = shortened(text, most=most) if most else text
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def shortened(text: str, *, most: int) -> str:
    """``text`` cut to ``most`` characters, with an ellipsis at the end if cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def cell(text: str) -> str:
    """``text`` as a spreadsheet cell: printable, with an apostrophe before a formula.

    A spreadsheet evaluates a cell that begins with = + - @, a tab or a carriage return, even if
    it is text in a CSV file; numbers are harmless and unchanged.
    """
    content = printable(text)
    formula = _FORMULA.match(text) and not _NUMBER.fullmatch(text)
    return f"'{content}" if formula else content


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with :func:`cell` applied to its texts and headings."""
    texts = {
        str(name): column.map(lambda v: cell(v) if isinstance(v, str) else v)
        for name, column in frame.items()
        if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))
    }
    escaped = frame.assign(**texts) if texts else frame
    return escaped.set_axis([cell(str(name)) for name in frame.columns], axis=1)


def within(value: Any) -> Any:
    """JSON ``value`` with every text in it printable, including keys."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(k)): within(v) for k, v in value.items()}
    if isinstance(value, list):
        return [within(v) for v in value]
    return value


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
