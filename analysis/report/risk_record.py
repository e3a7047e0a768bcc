"""Model-risk record of a sweep: on its own, its open questions, and the file for answers."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analysis import bounds, object_stores
from analysis.claims import claims
from analysis.files import StorageError, folder, read, write
from analysis.html.importances import importances
from analysis.load import load_manifest, load_trials
from analysis.recommendations import recommendations
from analysis.record import FILE, Answers, Material, read_answers, record
from analysis.record.answers import check_keys, extended, template
from analysis.record.document import NOTICE, Question
from analysis.record.questions import questions
from analysis.record.summary import print_missing, print_record
from analysis.report.card import full_id
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles
from analysis.terminal import say

NAME = "record.json"


def show_record(
    storage: Path,
    to: Console,
    *,
    as_json: bool = False,
    text: Path | None = None,
    previous: Path | None = None,
) -> None:
    """Print the record of ``storage``, as lines or as JSON.

    Args:
        text: file of answers; that of the storage if None.
        previous: an earlier storage to compare with.
    Raises:
        StorageError: a storage cannot be read.
        AnswersError: the answers cannot be used.
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = _sweep(storage)
    answers = answers_of(storage, sweep, text)
    content = record(
        Material(
            sweep=sweep,
            claims=claims(sweep) if len(sweep.trials) else pd.DataFrame(),
            recommended=recommendations(sweep),
            importance=importances(sweep.trials),
            answers=answers,
            previous=None if previous is None else _earlier(previous),
        )
    )
    if as_json:
        to.file.write(content.json())
    else:
        print_record(content, to)


def check_record(storage: Path, to: Console, *, text: Path | None = None) -> bool:
    """Print the questions without an answer and how to answer them; True if there is none.

    Raises:
        StorageError: the storage cannot be read.
        AnswersError: the answers cannot be used.
    """
    sweep = _sweep(storage)
    answers = answers_of(storage, sweep, text)
    by_section = {n: answers.answered(some) for n, some in _questions(sweep).items()}
    print_missing(by_section, to)
    absent = any(one.answer is None for some in by_section.values() for one in some)
    if absent:
        path = text or folder(storage) / FILE
        option = f" --text {shlex.quote(str(text))}" if text else ""
        command = f"hedgesweep record {shlex.quote(str(storage))} --template{option}"
        say(to, f"Write them into '{path}', which this command makes or completes: {command}")
    say(to, NOTICE)
    return not absent


def write_template(storage: Path, to: Console, *, text: Path | None = None) -> None:
    """Write the file of answers with an empty text for every question that it lacks.

    Raises:
        StorageError: the storage cannot be read, or the file not written.
        AnswersError: the present file is not valid, or nothing can be appended to it.
    """
    sweep = _sweep(storage)
    url = object_stores.url_of(storage)
    if url and text is None:
        raise StorageError(f"{url} is only read; give a file for the texts: --text {FILE}")
    path = text or storage / FILE
    asked = [one for some in _questions(sweep).values() for one in some]
    answers_of(storage, sweep, path)
    try:
        before = read(path, most=bounds.ANSWERS_BYTES)
    except FileNotFoundError:
        before = b""
    after = extended(before, asked, path) if before.strip() else template(asked).encode()
    if after != before:
        write(path.parent, path.name, after)
    say(to, f"{'Nothing is missing in' if after == before else 'Texts to write in'} {path}")


def print_card(storage: Path, prefix: str, to: Console, *, source: str | None = None) -> None:
    """Print the model card of a trial as Markdown.

    Args:
        prefix: of the trial's id.
        source: see :func:`analysis.record.card.model_card`.
    Raises:
        StorageError: the storage cannot be read.
        TrialError: no trial or several trials have such an id.
        AnswersError: the texts of the storage cannot be used.
    """
    from analysis.record.card import model_card  # Jinja2

    sweep = _sweep(storage)
    ids = sweep.trials["trial_id"].astype(str)
    row = sweep.trials[ids.eq(full_id(ids, prefix))].iloc[0]
    material = Material(
        sweep=sweep,
        recommended=recommendations(sweep),
        answers=answers_of(storage, sweep),
    )
    to.file.write(model_card(material, row, source=source))


def answers_of(storage: Path, sweep: Sweep, text: Path | None = None) -> Answers:
    """Answers in ``text``, or in the file of the storage.

    Raises:
        AnswersError: it cannot be read, or has a key that answers nothing.
    """
    path = text or folder(storage) / FILE
    answers = read_answers(path)
    check_keys(answers, [one for some in _questions(sweep).values() for one in some], path)
    return answers


def _questions(sweep: Sweep) -> Mapping[str, list[Question]]:
    material = Material(sweep=sweep)
    return questions(material.experiment, material.axes)


def _sweep(storage: Path) -> Sweep:
    trials, manifest = load_trials(storage), load_manifest(storage)
    files = SweepFiles.of(storage, trials, manifest)
    return Sweep(trials=trials, manifest=manifest, files=files)


def _earlier(storage: Path) -> dict[str, Any]:
    """Manifest of an earlier storage."""
    manifest = load_manifest(storage)
    if not manifest:
        raise StorageError(
            f"no manifest.json in '{storage}', which --previous names; give the folder of a sweep"
        )
    return manifest
