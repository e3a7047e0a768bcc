"""Text of strangers, escaped for where it goes: a terminal, a figure, a spreadsheet."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

LINE = 4_000
"""Characters of a line in a terminal."""

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def excerpt(value: object) -> str:
    """Beginning of ``value`` as Python writes it, on one line."""
    return printable(repr(value)[:60].partition("\n")[0])


def printable(text: str, *, most: int | None = None) -> str:
    """``text`` on one line, control characters and the like as ``\\x1b``, cut after ``most``.

    Escaped is what a terminal obeys rather than shows, and what is not seen: control characters,
    marks that turn the direction of writing, surrogates.
    """
    text = shortened(text, most=most) if most else text
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def shortened(text: str, *, most: int) -> str:
    """``text`` of at most ``most`` characters, the last of which says that some are left out."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def cell(text: str) -> str:
    """``text`` as a cell of a spreadsheet: printable, an apostrophe before what is a formula.

    A spreadsheet computes a cell that begins with = + - @, a tab or a carriage return, even where
    it came as text from a CSV file; numbers are harmless and stay.
    """
    content = printable(text)
    formula = _FORMULA.match(text) and not _NUMBER.fullmatch(text)
    return f"'{content}" if formula else content


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with its texts and headings as :func:`cell`."""
    texts = {
        str(name): column.map(lambda v: cell(v) if isinstance(v, str) else v)
        for name, column in frame.items()
        if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))
    }
    escaped = frame.assign(**texts) if texts else frame
    return escaped.set_axis([cell(str(name)) for name in frame.columns], axis=1)


def within(value: Any) -> Any:
    """``value`` of JSON with every text in it printable, keys too."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(k)): within(v) for k, v in value.items()}
    if isinstance(value, list):
        return [within(v) for v in value]
    return value


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
