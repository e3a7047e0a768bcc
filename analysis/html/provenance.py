"""Origin of a sweep: versions, fingerprints, and the commands that reproduce it."""

import shlex
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.wording import plural


def provenance(manifest: Mapping[str, Any], trials: pd.DataFrame) -> list[tuple[str, str]]:
    """Terms and texts, without those that the manifest lacks."""
    git, versions = _object(manifest, "git"), _object(manifest, "versions")
    dirty = " with changes that were not committed" if git.get("dirty") else ""
    seconds = trials["seconds"].dropna().sum() if "seconds" in trials else 0.0
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
        "Trial time": f"{seconds / 3600:.3g} h in {plural(len(trials), 'trial')}",
    }
    return [(term, str(text)) for term, text in terms.items() if text]


def commands(manifest: Mapping[str, Any], storage: str) -> str:
    """Commands that repeat the sweep from its own space file, and check the result."""
    lines = []
    commit = _object(manifest, "git").get("commit")
    if isinstance(commit, str):
        lines.append(f"git checkout {shlex.quote(commit)}")
    lines += [
        f"hedgesweep run {shlex.quote(f'{storage}/space.yaml')} --storage NEW",
        f"hedgesweep verify {shlex.quote(storage)} --data",
        f"hedgesweep replay {shlex.quote(storage)} TRIAL_ID",
    ]
    return "\n".join(lines)


def _object(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    content = manifest.get(name)
    return content if isinstance(content, Mapping) else {}
