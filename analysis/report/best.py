"""Recommended networks of a sweep on their own."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis import schema, wording
from analysis.json_values import plain_value
from analysis.load import load_manifest, load_trials
from analysis.recommendations import Recommendation, heading, loading, recommendations, sentence
from analysis.sweep import Sweep
from analysis.terminal import say, section
from analysis.tickets.decisions import standings
from analysis.tickets.opponents import dense_against_hedges

_NONE = "No configuration has completed at every seed, so none is recommended."


def show_best(storage: Path, console: Console, *, as_json: bool = False) -> None:
    """Print the recommended networks of ``storage``, with the lines that load them.

    Raises:
        StorageError: the storage cannot be read.
        schema.ColumnError: a column is missing although trials have completed.
    """
    trials, manifest = load_trials(storage), load_manifest(storage)
    recommended = recommendations(Sweep(trials=trials, manifest=manifest))
    if as_json:
        rows = [_plain(asdict(one)) for one in recommended]
        console.file.write(json.dumps(rows, indent=2, allow_nan=False) + "\n")
        return
    say(console, wording.headline(trials, manifest, fallback=storage.resolve().name))
    for line in wording.provisional(trials, manifest):
        say(console, line)
    experiment = str(manifest.get("experiment") or schema.experiment_of(trials))
    if experiment == "tickets" and recommended:
        for line in standings(dense_against_hedges(Sweep(trials=trials, manifest=manifest))):
            say(console, line)
    for one in recommended:
        section(console, heading(one), _lines(one, experiment, str(storage)))
    if not recommended:
        say(console, _NONE)


def _lines(one: Recommendation, experiment: str, storage: str) -> list[str]:
    seed = one.configuration.get("seed")
    which = f", seed {seed}, the lowest validation loss of {one.seeds}" if one.seeds > 1 else ""
    code = [f"  {line}" for line in loading(one.trial_id, experiment, storage)]
    return [f"trial {one.trial_id}{which}", sentence(one), f"Weak point: {one.weakness}", *code]


def _plain(content: Any) -> Any:
    """``content`` for JSON; undefined numbers are null."""
    if isinstance(content, Mapping):
        return {str(name): _plain(value) for name, value in content.items()}
    return plain_value(content)
