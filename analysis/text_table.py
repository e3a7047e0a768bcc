"""Tables of texts, for a terminal or a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from analysis import wording

MOST_ROWS = 40
"""Largest number of rows of a printed table; all are in its file."""
TEXTS = ("hedge", "model", "rows", "group", "measure", "subject", "metric", "unit")
"""Headings of columns of words, which are aligned to the left; others are numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """Table of untrusted texts, a column for each heading of ``cells``."""

    cells: Mapping[str, Sequence[str]]
    title: str = ""
    caption: str = ""

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Texts by row."""
        return list(zip(*self.cells.values(), strict=True))

    def __rich__(self) -> Table:
        """The table in the style of the terminal."""
        look: Any = {"title_justify": "left", "caption_justify": "left", "box": box.SIMPLE_HEAD}
        styled = Table(
            title=self.title, caption=self.caption, pad_edge=False, collapse_padding=True, **look
        )
        for heading in self.cells:
            side: Any = "left" if heading in TEXTS else "right"
            styled.add_column(heading, justify=side, no_wrap=True)
        for texts in self.rows:
            styled.add_row(*texts)
        return styled


def more_rows(number: int, file: str) -> str:
    """Sentence on ``number`` more rows in ``file``, with a leading space; empty for none."""
    return f" {wording.plural(number, 'more row')} in {file}." if number > 0 else ""


def outcomes(rows: pd.DataFrame) -> list[str]:
    """Numbers of trials by outcome, as one text per row of ``rows``."""
    names = ["completed", "stopped", "failed", "unfinished"]
    return ["/".join(map(str, tally)) for tally in rows[names].astype(int).to_numpy()]


def breadth(cells: Mapping[str, Sequence[str]]) -> int:
    """Width of a table of ``cells``, in terminal columns."""
    widest = [max(map(len, [*name.splitlines(), *texts])) for name, texts in cells.items()]
    return sum(widest) + 2 * (len(widest) - 1)


def or_dash(value: float, text: str) -> str:
    """``text``, or a dash if ``value`` is null."""
    return "–" if pd.isna(value) else text
