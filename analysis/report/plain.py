"""Report of a sweep of any other experiment: its trials, best first."""

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analysis import terminal
from analysis.terminal import MOST_ROWS, opening, say, section, show, write_tables

_OUTCOME = ("status", "epochs", "best_epoch", "val_loss")


def report(
    storage: Path,
    trials: pd.DataFrame,
    manifest: dict[str, Any],
    console: Console,
    *,
    folder: Path,
) -> None:
    """Print configuration, status and best validation loss of the trials.

    All trials are written to ``folder`` as a CSV table.
    """
    opening(storage, trials, manifest, console)
    if trials.empty:
        return
    axes = [name for name in map(str, trials.columns) if name.startswith("config/")]
    columns = ["trial_id", *axes, *_OUTCOME]
    ranked = trials.reindex(columns=columns).sort_values("val_loss", kind="stable")
    caption = "" if len(ranked) <= MOST_ROWS else f"the first {MOST_ROWS} of {len(ranked)}"
    table = terminal.table({}, title="Trials by their best validation loss", caption=caption)
    for name in columns:
        table.add_column(name.removeprefix("config/"))
    for row in ranked.head(MOST_ROWS).itertuples(index=False):
        table.add_row(*map(_cell, row))
    console.print()
    show(console, table)
    say(console, "Only tickets and X-NN have further tables and figures.")
    written = write_tables(folder, {"trials": ranked})
    section(console, "Files", [str(path) for path in written])


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
