"""Origin of a sweep: versions, fingerprints, and the commands that reproduce it."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import bounds, checksums
from analysis.errors import AnalysisError
from analysis.escapes import printable
from analysis.wording import duration, plural


def provenance(manifest: Mapping[str, Any], trials: pd.DataFrame) -> list[tuple[str, str]]:
    """Terms and texts, without those that the manifest lacks."""
    git, versions = _object(manifest, "git"), _object(manifest, "versions")
    dirty = " with changes that were not committed" if git.get("dirty") else ""
    data = sorted(trials["data_sha256"].dropna().unique()) if "data_sha256" in trials else []
    terms = {
        "Experiment": manifest.get("experiment"),
        "Started": manifest.get("started"),
        "Code": manifest.get("core_sha256"),
        "Commit": f"{git['commit']}{dirty}" if git.get("commit") else None,
        "Python": manifest.get("python"),
        "Platform": manifest.get("platform"),
        "Device": manifest.get("device"),
        "Versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "Arithmetic": ", ".join(map(str, _object(manifest, "arithmetic"))),
        "Data": ", ".join(text[:16] for text in data[:8]) + (" .." if len(data) > 8 else ""),
        "Trial time": trial_time(trials),
    }
    return [(term, str(text)) for term, text in terms.items() if text]


def trial_time(trials: pd.DataFrame) -> str:
    """Time of all trials together, in words."""
    seconds = float(trials["seconds"].dropna().sum()) if "seconds" in trials else 0.0
    return f"{duration(seconds)} of training in {plural(len(trials), 'trial')}"


def space_text(storage: Path) -> str | None:
    """Text of the space file in ``storage``; None if it cannot be read or is not text."""
    try:
        content = checksums.genuine(storage, "space.yaml", most=bounds.MANIFEST_BYTES)
        return "\n".join(map(printable, content.decode().splitlines()))
    except (AnalysisError, OSError, ValueError):
        return None


def commands(manifest: Mapping[str, Any], storage: str) -> str:
    """Commands that repeat the sweep from its own space file, and check the result."""
    lines = []
    commit = _object(manifest, "git").get("commit")
    if isinstance(commit, str):
        lines.append(f"git checkout {shlex.quote(commit)}")
    audit = manifest.get("audit")
    share = f" --audit {audit:g}" if isinstance(audit, int | float) and audit else ""
    lines += [
        f"hedgesweep run {shlex.quote(f'{storage}/space.yaml')} --storage NEW{share}",
        f"hedgesweep verify {shlex.quote(storage)} --data",
        f"hedgesweep replay {shlex.quote(storage)} TRIAL_ID",
    ]
    return "\n".join(lines)


def _object(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    content = manifest.get(name)
    return content if isinstance(content, Mapping) else {}
