"""Published copy of a sweep: trials and manifest, without a trace of the machine that ran it.

``analysis`` reads a copy as any storage. Equal trials give equal bytes, because durations, dates,
commits and platforms are left out.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from analysis.files import write
from analysis.load import load_manifest, load_trials

TABLE, MANIFEST, SUMS = "trials.parquet", "manifest.json", "SHA256SUMS"
_DURATIONS = ("seconds",)
_SWEEP = ("name", "experiment", "trials", "space", "when", "study", "search", "scheduler", "rungs")
_SEEDS = ("seeds", "audit", "versions", "preparations")
_PREPARATION = ("seed", "theta_0_sha256", "data_sha256", "baselines", "warnings", "about")


class UnfinishedError(ValueError):
    """A sweep that must not be published: a trial has no result."""


def publish(storage: Path, folder: Path) -> None:
    """Write the tables of the sweep in ``storage`` that analysis needs to ``folder``.

    Raises:
        UnfinishedError: a trial has not completed.
        StorageError: ``storage`` cannot be read, or ``folder`` cannot be written.
    """
    trials, manifest = load_trials(storage), load_manifest(storage)
    completed, planned = int(trials["status"].eq("completed").sum()), int(manifest["trials"])
    if completed < planned:
        raise UnfinishedError(
            f"'{storage}' has {completed} completed of {planned} trials; run make study again, "
            "which trains the others"
        )
    files = {TABLE: _table(storage / TABLE), MANIFEST: _manifest(manifest)}
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    for name, content in {**files, SUMS: "".join(sums).encode()}.items():
        write(folder.parent, f"{folder.name}/{name}", content)


def _table(path: Path) -> bytes:
    table = pq.read_table(path).sort_by("index")
    table = table.drop_columns([name for name in _DURATIONS if name in table.column_names])
    empty = [name for name in table.column_names if table[name].null_count == len(table)]
    buffer = io.BytesIO()
    form: Any = {"compression": "zstd", "write_page_checksum": True, "write_statistics": False}
    pq.write_table(table.drop_columns(empty), buffer, **form)
    return buffer.getvalue()


def _manifest(manifest: dict[str, Any]) -> bytes:
    content = {name: manifest[name] for name in (*_SWEEP, *_SEEDS) if name in manifest}
    content["preparations"] = {
        key: {name: one[name] for name in _PREPARATION if name in one}
        for key, one in manifest["preparations"].items()
    }
    return (json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n").encode()
