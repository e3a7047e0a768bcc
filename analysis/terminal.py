"""Output on a terminal, and tables as files."""

import codecs
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from analysis.escapes import LINE, cells, printable
from analysis.files import write
from analysis.sparkline import BARS

# Files and pipes have no width; this is wide enough for the tables.
_PIPE_WIDTH = 120
_ASCII = {"–": "-", "−": "-", "±": "+-", "ε": "e", "²": "2", "·": ".", "…": "~", "√": "v"}
_ASCII |= dict(zip(BARS, "_.,-~=+#", strict=True))


def console() -> Console:
    """Console on stdout (terminal, file or pipe) in any encoding, without markup in texts.

    Characters that the encoding lacks are replaced by ASCII.
    """
    codecs.register_error("hedgesweep", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="hedgesweep")
    plain: Any = {"markup": False, "emoji": False, "highlight": False}
    terminal = Console(**plain)
    return terminal if terminal.is_terminal else Console(width=_PIPE_WIDTH, **plain)


def section(console: Console, title: str, lines: list[str]) -> None:
    """Print a heading and its lines; nothing without lines."""
    if not lines:
        return
    console.print()
    console.print(Text(printable(title), style="bold"), soft_wrap=True)
    for line in lines:
        say(console, f"  {line}")


def say(console: Console, line: str) -> None:
    """Print one plain line, without wrapping, colours or markup."""
    console.print(Text(printable(line, most=LINE)), soft_wrap=True)


def show(console: Console, table: RenderableType) -> None:
    """Print a table whose texts are untrusted."""
    console.print(_Printable(table))


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame], **more: str) -> list[Path]:
    """Write every table as CSV to ``folder``, each atomically.

    Texts that a spreadsheet would evaluate are prefixed with an apostrophe.

    Args:
        more: keyword arguments of :func:`analysis.files.write`.
    Raises:
        StorageError: ``folder`` cannot be written.
    """
    form: Any = {"index": False, "float_format": "%.10g", "lineterminator": "\n"}
    texts = {name: cells(frame).to_csv(**form) for name, frame in tables.items()}
    return [write(folder, f"{name}.csv", text.encode(), **more) for name, text in texts.items()]


class _Printable:
    """``table`` for rich, with all rendered text printable."""

    def __init__(self, table: RenderableType) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for text, style, control in console.render(self._table, options):
            lines = (printable(line) for line in text.split("\n"))
            yield Segment("\n".join(lines), style, control)


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler: ASCII replacement of characters that the encoding lacks."""
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(_ASCII.get(c, "?") for c in letters), error.end
