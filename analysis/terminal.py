"""What every report does: lines in the terminal, and tables as files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analysis import words


def opening(
    storage: Path, trials: pd.DataFrame, manifest: Mapping[str, Any], console: Console
) -> None:
    """The headline, and what a reader must know before trusting what follows."""
    say(console, words.headline(trials, manifest, fallback=storage.resolve().name))
    for line in words.cautions(trials, manifest):
        say(console, line)


def section(console: Console, title: str, lines: list[str]) -> None:
    """A heading and its lines; nothing at all where there are no lines."""
    if not lines:
        return
    console.print()
    console.print(title, style="bold", markup=False)
    for line in lines:
        say(console, f"  {line}")


def say(console: Console, line: str) -> None:
    """One plain line: paths are neither wrapped nor coloured, brackets are text."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Every table as CSV in ``folder``, each put in place in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in tables.items():
        path, partial = folder / f"{name}.csv", folder / f".{name}.csv.partial"
        frame.to_csv(partial, index=False, float_format="%.10g", lineterminator="\n")
        os.replace(partial, path)
        written.append(path)
    return written
