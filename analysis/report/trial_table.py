"""List of trials, for the terminal, for spreadsheets and for programs."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.console import Console

from analysis import schema, wording
from analysis.errors import AnalysisError
from analysis.escapes import cells as escaped
from analysis.json_values import plain_value
from analysis.load import load_manifest, load_trials
from analysis.report.card_table import narrowed, text
from analysis.terminal import say, show
from analysis.text_table import MOST_ROWS, TextTable
from analysis.trial_list import AXIS, resolved, short_columns, trial_list

Format = Literal["table", "csv", "json"]


_SHORTEST_ID = 8
_CAPTION = "One row per trial: differences between rows are not tested."


def show_trials(
    storage: Path,
    console: Console,
    *,
    where: Sequence[str] = (),
    sort: str | None = None,
    reverse: bool = False,
    columns: Sequence[str] = (),
    limit: int | None = None,
    form: Format = "table",
) -> None:
    """Print the trials of ``storage`` that meet all conditions.

    Args:
        columns: to print; a table has a short list by default, the other formats all.
        limit: most trials; :data:`MOST_ROWS` of a table by default, all in the other formats.
    Raises:
        StorageError: the storage cannot be read.
        AnalysisError: a column, a condition or a value is not one.
    """
    trials, manifest = load_trials(storage), load_manifest(storage)
    if not len(trials):  # without the columns of axes
        where, sort, columns = (), None, ()
    try:
        listed = trial_list(trials, where=where, sort=sort, reverse=reverse)
    except ValueError as error:
        raise AnalysisError(str(error)) from error
    names = [resolved(name, trials) for name in columns]
    most = limit if limit is not None or form != "table" else MOST_ROWS
    part = listed if most is None else listed.head(most)
    if form == "csv":
        frame = escaped(part[names] if names else part)
        frame.to_csv(console.file, index=False, lineterminator="\n")
        return
    if form == "json":
        frame = part[names] if names else part
        rows = [{str(k): plain_value(v) for k, v in r.items()} for r in frame.to_dict("records")]
        console.file.write(json.dumps(rows, indent=2, allow_nan=False) + "\n")
        return
    say(console, wording.headline(trials, manifest, fallback=storage.resolve().name))
    if not len(listed):
        say(console, "No trial meets the conditions." if len(trials) else "No trial yet.")
        return
    experiment = str(manifest.get("experiment", schema.experiment_of(trials)))
    cells = _cells(part, names or short_columns(trials, experiment), trials)
    cells, more_columns = narrowed(cells, console.width, fixed=2)
    show(console, TextTable(cells=cells, caption=_CAPTION))
    if more_columns:
        say(console, more_columns)
    failed = part.loc[part["status"].eq("failed"), "trial_id"]
    if len(failed):
        command = f"hedgesweep show {shlex.quote(str(storage))} {shlex.quote(str(failed.iloc[0]))}"
        say(console, f"The error of a failed trial: {command}")
    if (more := len(listed) - len(part)) > 0:
        say(console, f"{wording.plural(more, 'more trial')}; --limit {len(listed)} prints all.")


def _cells(part: pd.DataFrame, names: Sequence[str], trials: pd.DataFrame) -> dict[str, list[str]]:
    ids = trials["trial_id"].astype(str)
    length = _id_length(ids)
    return {
        name.removeprefix(AXIS): [
            value[:length] if name == "trial_id" else text(value) for value in part[name]
        ]
        for name in names
    }


def _id_length(ids: pd.Series) -> int:
    """Fewest characters, from eight on, that tell all ``ids`` apart."""
    longest = int(ids.str.len().max())
    lengths = range(_SHORTEST_ID, longest)
    return next((n for n in lengths if ids.str[:n].is_unique), longest)
