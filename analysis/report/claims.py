"""Claims of a sweep on their own."""

from pathlib import Path

import click
from rich.console import Console

from analysis.claims import claims, sentences, sequential_sentence
from analysis.load import load_manifest, load_trials
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles
from analysis.terminal import say


def claims_of(storage: Path, console: Console, *, as_json: bool = False) -> None:
    """Print the page of claims, as lines or as a JSON list of its rows.

    Raises:
        StorageError: the storage cannot be read.
    """
    trials, manifest = load_trials(storage), load_manifest(storage)
    files = SweepFiles.of(storage, trials, manifest)
    page = claims(Sweep(trials=trials, manifest=manifest, files=files))
    if as_json:
        click.echo(page.to_json(orient="records"))
        return
    for line in (*sequential_sentence(manifest), *sentences(page)):
        say(console, line)
