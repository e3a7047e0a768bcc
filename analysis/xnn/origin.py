"""Table of applicants that a sweep was computed on: generated, or a file by name and hash."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import pandas as pd

from analysis.wording import plural, thousands

GENERATED_SEED = 0
"""Seed of the generated applicants, the same in every study."""
_SHORT = 12  # hex digits of a fingerprint in a sentence


def origin(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> list[str]:
    """Sentence that names every table the ``trials`` were computed on; empty if unknown.

    A table is generated if the study has no path; its figures then hold for no other table.
    ``data_sha256`` of a seed is of its encoded rows and labels, after the split.
    """
    names = sorted(set(map(table_name, _data(trials, manifest))))
    if not names:
        return []
    return [f"Table of applicants: {'; '.join(names)}{_fingerprint(trials)}."]


def table_name(data: Mapping[str, Any]) -> str:
    """Table of a study's part ``data``, in words: "generated (seed 0, 4,000 rows)"."""
    if data.get("path") is None:
        rows = f", {thousands(data['rows'])} rows" if data.get("rows") is not None else ""
        return f"generated (seed {GENERATED_SEED}{rows})"
    return f"file {PurePath(str(data['path'])).name}"


def _data(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the settings that define a table."""
    fixed = (manifest.get("study") or {}).get("data")
    swept = [f"config/data.{name}" for name in ("path", "rows")]
    names = [name for name in swept if name in trials]
    if not isinstance(fixed, Mapping) and not names:
        return []
    base = dict(fixed) if isinstance(fixed, Mapping) else {}
    if not names:
        return [base]
    parts = trials[names].drop_duplicates().to_dict("records")
    return [
        base | {n.removeprefix("config/data."): v for n, v in part.items() if pd.notna(v)}
        for part in ({str(k): v for k, v in record.items()} for record in parts)
    ]


def _fingerprint(trials: pd.DataFrame) -> str:
    """sha256 of the encoded rows, if all seeds have the same; else the number of them."""
    if "data_sha256" not in trials:
        return ""
    hashes = sorted(map(str, trials["data_sha256"].dropna().unique()))
    if not hashes:
        return ""
    more = f" and {plural(len(hashes) - 1, 'more split')}" if len(hashes) > 1 else ""
    return f"; sha256 of the encoded rows {hashes[0][:_SHORT]}{more}"
