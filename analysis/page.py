"""Page of a report: lines, sections and tables, printed as they come and kept for other uses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analysis import terminal, wording
from analysis.sweep import Sweep
from analysis.text_table import TextTable

_WHOLE = 10_000  # columns, more than any table needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Sentences under a ``title``, which is empty for those without one."""

    title: str
    lines: Sequence[str]


Block = Lines | TextTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Claims, figures (:mod:`analysis.figures.rendering`), tables and sweep of a report.

    ``tables`` are the file names of those written. The sweep has what the report derived from it;
    None if it derived nothing.
    """

    claims: pd.DataFrame = field(default_factory=pd.DataFrame)
    pictures: Sequence[Any] = ()
    tables: Sequence[str] = ()
    sweep: Sweep | None = None


class Page:
    """Writer of a report to ``console``.

    ``blocks`` has what was written, with tables as wide as they are.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.blocks: list[Block] = []

    def say(self, line: str) -> None:
        """Write one line."""
        terminal.say(self._console, line)
        self.blocks.append(Lines(title="", lines=[line]))

    def section(self, title: str, lines: Sequence[str]) -> None:
        """Write a heading and its lines; nothing without lines."""
        if lines:
            terminal.section(self._console, title, list(lines))
            self.blocks.append(Lines(title=title, lines=list(lines)))

    def show(self, table: TextTable) -> None:
        """Write a table after an empty line."""
        self.fit(lambda width: [table])

    def fit(self, tables: Callable[[int], Sequence[TextTable]]) -> None:
        """Write ``tables`` of a width in columns, after an empty line."""
        for number, table in enumerate(tables(self._console.width)):
            if not number:
                self._console.print()
            terminal.show(self._console, table)
        self.blocks += tables(_WHOLE)

    def opening(
        self,
        storage: Path,
        trials: pd.DataFrame,
        manifest: Mapping[str, Any],
        *,
        first: Sequence[str] = (),
    ) -> None:
        """Write the headline, the ``first`` lines and the cautions of a report."""
        self.say(wording.headline(trials, manifest, fallback=storage.resolve().name))
        for line in (*first, *wording.cautions(trials, manifest)):
            self.say(line)
