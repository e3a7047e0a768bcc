"""Values that the shell completes: shipped spaces, and ids of the trials of a storage."""

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

_MOST = 200


def spaces(context: click.Context, parameter: click.Parameter, text: str) -> list[CompletionItem]:
    """Names of shipped spaces, and files."""
    from search_spaces.space_files import shipped

    names = [CompletionItem(name) for name in shipped() if name.startswith(text)]
    return [*names, CompletionItem(text, type="file")]


def trial_ids(context: click.Context, parameter: click.Parameter, text: str) -> list[Any]:
    """Ids of trials in the table of the storage that was typed before."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(str(context.params.get("storage") or "")) / "trials.parquet"
    try:
        table = pq.read_table(path, columns=["trial_id", "status"])
    except (OSError, pa.ArrowException):  # no table yet, or a damaged one: nothing to complete
        return []
    rows = zip(table["trial_id"].to_pylist(), table["status"].to_pylist(), strict=True)
    found = [(str(i), str(status)) for i, status in rows if str(i).startswith(text)]
    return [CompletionItem(i, help=status) for i, status in found[:_MOST] if i.isalnum()]
