"""Table of an evaluation: its Parquet file, with the settings in its metadata."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hedgecore.experiment import Experiment
from sweeps.journal import bounds
from sweeps.journal.files import open_file
from sweeps.journal.storage import replaced

Metrics = Mapping[str, Any]
"""Values by column."""

_METADATA = b"evaluation"


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
