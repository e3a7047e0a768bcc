"""Report of a sweep of any other experiment: its trials, best first."""

from pathlib import Path
from typing import Any

import pandas as pd

from analysis.page import Page
from analysis.terminal import write_tables
from analysis.text_table import MOST_ROWS, TextTable

_OUTCOME = ("status", "epochs", "best_epoch", "val_loss")


def report(
    storage: Path,
    trials: pd.DataFrame,
    manifest: dict[str, Any],
    page: Page,
    *,
    folder: Path,
) -> None:
    """Print configuration, status and best validation loss of the trials.

    All trials are written to ``folder`` as a CSV table.
    """
    page.opening(storage, trials, manifest)
    if trials.empty:
        return
    axes = [name for name in map(str, trials.columns) if name.startswith("config/")]
    columns = ["trial_id", *axes, *_OUTCOME]
    ranked = trials.reindex(columns=columns).sort_values("val_loss", kind="stable")
    caption = "" if len(ranked) <= MOST_ROWS else f"the first {MOST_ROWS} of {len(ranked):,}"
    first = ranked.head(MOST_ROWS)
    cells = {name.removeprefix("config/"): list(map(_cell, first[name])) for name in columns}
    title = "Trials by their best validation loss"
    page.show(TextTable(cells=cells, title=title, caption=caption))
    page.say("Only tickets and X-NN have further tables and figures.")
    written = write_tables(folder, {"trials": ranked})
    page.section("Files", [str(path) for path in written])


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
