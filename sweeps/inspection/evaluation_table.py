"""Table of an evaluation: its Parquet file, with the settings in its metadata."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hedgecore.experiment import Experiment
from sweeps.journal import bounds
from sweeps.journal.files import open_file
from sweeps.journal.storage import WriteError, replaced

Metrics = Mapping[str, Any]
"""Values by column."""

_METADATA = b"evaluation"
_PAUSE = 10.0  # seconds between two files of a draft


def write_rows(
    path: Path,
    rows: Iterable[Metrics],
    about: Metrics,
    experiment: Experiment[Any, Any],
    *,
    root: Path | None,
) -> None:
    """Write the table of ``rows`` with ``about``, all that determines it, as metadata.

    Args:
        root: folder below which missing ones are made; None if that of ``path`` must exist.
    Raises:
        WriteError: the file system refused.
    """
    table = pa.Table.from_pylist([dict(row) for row in rows])
    names = {name for name in table.column_names if "@" in name}
    known = {c.name: c for c in experiment.columns.trials((), sorted(names))}
    described = pa.schema(
        [
            field.with_metadata(
                {"unit": known[field.name].unit, "meaning": known[field.name].meaning}
            )
            if field.name in known
            else field
            for field in table.schema
        ],
        metadata={_METADATA: json.dumps(about).encode()},
    )
    with replaced(path, root=root, make=root is not None) as stream:
        pq.write_table(table.cast(described), stream, write_page_checksum=True)


def stored_rows(path: Path, about: Metrics) -> tuple[Metrics, ...] | None:
    """Rows of the table at ``path``; None if it is missing, or of another evaluation."""
    try:
        with open_file(path) as stream:
            if stream.seek(0, 2) > bounds.TABLE:
                return None
            table = pq.read_table(stream, page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return None
    written = (table.schema.metadata or {}).get(_METADATA, b"")
    if written != json.dumps(about).encode():
        return None
    return tuple(table.to_pylist())


class Draft:
    """Rows of an evaluation that is under way, by trial id, and their file.

    The file is written every few seconds and when the evaluation is interrupted, and another
    evaluation with the same ``about`` continues from it. Without a ``path``, or in a folder that
    cannot be written, there is none.
    """

    def __init__(
        self, path: Path | None, about: Metrics, experiment: Experiment[Any, Any], *, root: Path
    ) -> None:
        self._path = path
        self._write = partial(write_rows, about=about, experiment=experiment, root=root)
        stored = (stored_rows(path, about) if path else None) or ()
        self.rows = {str(row.get("trial_id")): row for row in stored}
        self._due = time.monotonic() + _PAUSE

    def add(self, row: Metrics) -> None:
        """Add the row of a further trial."""
        self.rows[row["trial_id"]] = row
        if time.monotonic() >= self._due:
            self._keep()
            self._due = time.monotonic() + _PAUSE

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the rows if the block raises, and remove their file if it does not."""
        try:
            yield
        except BaseException:
            self._keep()
            raise
        if self._path:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _keep(self) -> None:
        if self._path and self.rows:
            with suppress(WriteError):
                self._write(self._path, self.rows.values())
