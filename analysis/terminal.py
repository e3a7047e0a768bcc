"""Lines and tables of a report in the terminal, and tables as files."""

import codecs
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from analysis import wording
from analysis.escapes import LINE, cells, printable
from analysis.files import write

MOST_ROWS = 40
"""Rows of a table at most; the rest is in its file."""
_TEXTS = ("hedge", "model", "rows", "group")
# Wide enough for the table where the output is a file or a pipe, which have no width of their own.
_PIPE_WIDTH = 120
_ASCII = {"–": "-", "−": "-", "±": "+-", "ε": "e", "²": "2", "·": ".", "…": "~", "√": "v"}


def console() -> Console:
    """The terminal, or the file or pipe in its place, in whatever encoding it has.

    Square brackets and colons in texts are text, no markup.
    """
    codecs.register_error("hedgesweep", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="hedgesweep")
    plain: Any = {"markup": False, "emoji": False, "highlight": False}
    terminal = Console(**plain)
    return terminal if terminal.is_terminal else Console(width=_PIPE_WIDTH, **plain)


def opening(
    storage: Path, trials: pd.DataFrame, manifest: Mapping[str, Any], console: Console
) -> None:
    """The headline, and what a reader must know before trusting what follows."""
    say(console, wording.headline(trials, manifest, fallback=storage.resolve().name))
    for line in wording.cautions(trials, manifest):
        say(console, line)


def section(console: Console, title: str, lines: list[str]) -> None:
    """A heading and its lines; nothing at all where there are no lines."""
    if not lines:
        return
    console.print()
    console.print(Text(printable(title), style="bold"), soft_wrap=True)
    for line in lines:
        say(console, f"  {line}")


def say(console: Console, line: str) -> None:
    """One plain line: paths are neither wrapped nor coloured, brackets are text."""
    console.print(Text(printable(line, most=LINE)), soft_wrap=True)


def show(console: Console, table: RenderableType) -> None:
    """A table, whose texts may hold anything."""
    console.print(_Printable(table))


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Every table as CSV in ``folder``, each put in place in one step.

    Texts that a spreadsheet would compute have an apostrophe before them.

    Raises:
        StorageError: ``folder`` cannot be written.
    """
    form: Any = {"index": False, "float_format": "%.10g", "lineterminator": "\n"}
    texts = {name: cells(frame).to_csv(**form) for name, frame in tables.items()}
    return [write(folder, f"{name}.csv", text.encode()) for name, text in texts.items()]


class _Printable:
    """What rich draws of ``table``, with every text of it printable."""

    def __init__(self, table: RenderableType) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for text, style, control in console.render(self._table, options):
            lines = (printable(line) for line in text.split("\n"))
            yield Segment("\n".join(lines), style, control)


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """What a terminal of few characters gets in place of one that it lacks."""
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(_ASCII.get(c, "?") for c in letters), error.end


def table(cells: Mapping[str, Sequence[str]], *, title: str = "", caption: str = "") -> Table:
    """A table of the report's make, with a column a heading of ``cells``."""
    look: Any = {"title_justify": "left", "caption_justify": "left", "box": box.SIMPLE_HEAD}
    built = Table(title=title, caption=caption, pad_edge=False, collapse_padding=True, **look)
    for heading in cells:
        built.add_column(heading, justify="left" if heading in _TEXTS else "right", no_wrap=True)
    for texts in zip(*cells.values(), strict=True):
        built.add_row(*texts)
    return built


def more_rows(number: int, file: str) -> str:
    """That ``number`` more rows are in a ``file``, behind another sentence; empty for none."""
    return f" {wording.plural(number, 'more row')} in {file}." if number > 0 else ""


def outcomes(rows: pd.DataFrame) -> list[str]:
    """Numbers of trials by outcome, in a text each of ``rows``."""
    names = ["completed", "stopped", "failed", "unfinished"]
    return ["/".join(map(str, tally)) for tally in rows[names].astype(int).to_numpy()]


def breadth(cells: Mapping[str, Sequence[str]]) -> int:
    """Columns of a terminal that a table of ``cells`` takes."""
    widest = [max(map(len, [*name.splitlines(), *texts])) for name, texts in cells.items()]
    return sum(widest) + 2 * (len(widest) - 1)


def or_dash(value: float, text: str) -> str:
    """``text``, or a dash where there is no ``value``."""
    return "–" if pd.isna(value) else text
