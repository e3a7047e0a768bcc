"""SQL on the tables of a sweep, by DuckDB."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from rich.console import Console

from analysis import wording
from analysis.errors import AnalysisError
from analysis.escapes import cells as escaped
from analysis.json_values import plain_value
from analysis.load import load_epochs, load_trials
from analysis.report.card_table import narrowed, text
from analysis.report.trial_table import Format
from analysis.terminal import say, show
from analysis.text_table import MOST_ROWS, TextTable
from analysis.trial_list import AXIS

TABLES = ("trials", "epochs")
# The statement is the user's, the tables may be a stranger's: neither has business with files.
_CONFIG: Any = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "threads": "1",
}


def show_query(storage: Path, statement: str, console: Console, *, form: Format = "table") -> None:
    """Print the result of an SQL ``statement`` on the tables ``trials`` and ``epochs``.

    An axis of the space is a column without its prefix: ``sparsity``. No file is read or written.

    Raises:
        StorageError: the storage cannot be read.
        AnalysisError: DuckDB is missing, or the statement is wrong.
    """
    result = query(storage, statement)
    if form == "csv":
        escaped(result).to_csv(console.file, index=False, lineterminator="\n")
        return
    if form == "json":
        rows = [{str(k): plain_value(v) for k, v in r.items()} for r in result.to_dict("records")]
        console.file.write(json.dumps(rows, indent=2, allow_nan=False, default=str) + "\n")
        return
    part = result.head(MOST_ROWS)
    cells = {str(name): [text(plain_value(v)) for v in part[name]] for name in part.columns}
    cells, more_columns = narrowed(cells, console.width, fixed=1)
    show(console, TextTable(cells=cells))
    if more_columns:
        say(console, more_columns)
    more = len(result) - len(part)
    rest = f"; {wording.plural(more, 'more row')} with --format csv" if more > 0 else ""
    say(console, f"{wording.plural(len(result), 'row')}{rest}")


def query(storage: Path, statement: str) -> pd.DataFrame:
    """Result of an SQL ``statement``; see :func:`show_query`."""
    try:
        import duckdb
    except ImportError as error:
        raise AnalysisError("duckdb is not installed; pip install 'hedgesweep[query]'") from error
    with duckdb.connect(":memory:", config=_CONFIG) as connection:
        for name, frame in zip(TABLES, (load_trials(storage), load_epochs(storage)), strict=True):
            connection.register(name, _arrow(frame))
        connection.execute("SET lock_configuration = true")
        try:
            relation = connection.sql(statement)
            result = pd.DataFrame() if relation is None else relation.df()
        except duckdb.Error as error:
            first = str(error).partition("\n")[0].rstrip("!. ")
            raise AnalysisError(
                f"{first}; tables are {' and '.join(TABLES)}, and 'describe trials' lists columns"
            ) from error
    result.columns = pd.Index(_unique(map(str, result.columns)))
    return result


def _arrow(frame: pd.DataFrame) -> pa.Table:
    """``frame`` with short names of axes, and texts where a column has several types."""
    mixed = [name for name in frame.columns if frame[name].dtype == object]
    frame = frame.astype(dict.fromkeys(mixed, "string")).set_axis(_names(frame), axis=1)
    return pa.Table.from_pandas(frame, preserve_index=False)


def _names(frame: pd.DataFrame) -> list[str]:
    """Names of the columns, without the prefix of an axis where that is free."""
    names = list(map(str, frame.columns))
    return [n if (s := n.removeprefix(AXIS)) in names else s for n in names]


def _unique(names: Iterator[str]) -> list[str]:
    """``names``, a repeated one with its place appended."""
    taken: dict[str, Any] = {}
    for place, name in enumerate(names):
        taken[name if name not in taken else f"{name}_{place}"] = None
    return list(taken)
