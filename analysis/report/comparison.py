"""Comparison of two trials of a sweep, or of two sweeps."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analysis import schema, wording
from analysis.configurations import parameters
from analysis.contrast import bracketed
from analysis.differences import EQUAL, differences, matched_settings
from analysis.errors import AnalysisError
from analysis.files import StorageError
from analysis.json_values import plain_value
from analysis.load import load_manifest, load_trials
from analysis.recommendations import heading, recommendations, sentence
from analysis.report.card import full_id
from analysis.report.card_table import fitted, text
from analysis.sweep import Sweep
from analysis.terminal import say, section, show
from analysis.text_table import MOST_ROWS, TextTable
from analysis.trial_list import AXIS, HEADLINE

_SETTINGS = ("experiment", "study", "space", "scheduler", "search", "core_sha256", "versions")
_VERDICTS = (
    "Verdicts: 5 % after Holm over the rows of this table, for training noise on these test data, "
    "and for two chosen before their results were seen. Intervals are 95 % each, not corrected."
)
_ENDINGS = {
    "completed": "has completed without a finite one",
    "failed": "failed",
    "interrupted": "was interrupted",
    "running": "still runs",
    "stopped": "was stopped",
}
_NOWHERE = "no seed has a result of both"
_EITHER = "give two trials of the storage, or one other storage"


def show_comparison(
    storage: Path, others: Sequence[str], console: Console, *, as_json: bool = False
) -> None:
    """Compare two trials of ``storage``, or the sweep of ``storage`` with that of another.

    Args:
        others: beginnings of two trial ids, or one storage.
    Raises:
        StorageError: a storage cannot be read.
        AnalysisError: no such trial, neither two ids nor one storage, or no common experiment.
    """
    if len(others) == 2:
        content = _trials(storage, others[0], others[1])
    elif len(others) == 1:
        try:
            content = _sweeps(storage, Path(others[0]))
        except StorageError as error:
            raise AnalysisError(f"{error}; or {_EITHER}") from error
    else:
        raise AnalysisError(f"compare needs two of a kind; {_EITHER}")
    if as_json:
        table = content["differences"].to_dict("records")
        rows = [{str(k): plain_value(v) for k, v in row.items()} for row in table]
        text_ = json.dumps({**content, "differences": rows}, indent=2, allow_nan=False)
        console.file.write(text_ + "\n")
        return
    _print(content, console)


def _trials(storage: Path, one: str, two: str) -> dict[str, Any]:
    """Two trials, and their configurations over the seeds that both have."""
    trials, manifest = load_trials(storage), load_manifest(storage)
    ids = trials["trial_id"].astype(str)
    first, second = (trials.loc[ids.eq(full_id(ids, prefix))].iloc[0] for prefix in (one, two))
    names = [f"{AXIS}{name}" for name in (*parameters(trials), "ticket", "pruning.ticket")]
    names = [name for name in names if name in trials.columns]
    parts = [_alike(trials, row, names) for row in (first, second)]
    axes = [name for name in map(str, trials.columns) if name.startswith(AXIS)]
    settings = [
        (name.removeprefix(AXIS), plain_value(first[name]), plain_value(second[name]))
        for name in axes
        if plain_value(first[name]) != plain_value(second[name])
    ]
    metrics = _metrics(trials, manifest)
    values = [[n, plain_value(first[n]), plain_value(second[n])] for n in metrics]
    values = [[n, a, b] for n, a, b in values if a is not None or b is not None]
    notes = [
        f"{name} has no result: it {_ending(row)}."
        for name, row in (("A", first), ("B", second))
        if all(plain_value(row[n]) is None for n in metrics)
    ]
    if values and all(a == b for _, a, b in values):
        notes.append("All metrics above are equal to the last bit.")
    judged = differences(parts[0], parts[1], metrics, by=[])
    if parts[0].index.equals(parts[1].index):
        both = "one trial" if first["trial_id"] == second["trial_id"] else "of one configuration"
        notes.append(f"Both are {both}, which has no difference to itself.")
        judged = judged.iloc[:0]
    elif not judged["seeds"].gt(0).any():
        notes.append(f"No difference is shown: {_NOWHERE}.")
    return {
        "first": f"trial {first['trial_id']} ({first['status']})",
        "second": f"trial {second['trial_id']} ({second['status']})",
        "settings": settings,
        "values": values,
        "notes": notes,
        "differences": judged,
    }


def _ending(trial: pd.Series) -> str:
    """Reason why ``trial`` has no result, as a verb."""
    status = str(trial["status"])
    causes = [trial.get(name) for name in ("error", "reason")]
    cause = next((f" ({one})" for one in causes if isinstance(one, str) and one), "")
    return f"{_ENDINGS.get(status, f'is {status}')}{cause}"


def _alike(trials: pd.DataFrame, row: pd.Series, names: Sequence[str]) -> pd.DataFrame:
    """Trials of the configuration of ``row``: all seeds."""
    for name in names:
        same = trials[name].isna() if pd.isna(row[name]) else trials[name].eq(row[name])
        trials = trials[same.fillna(False).astype(bool)]
    return trials


def _sweeps(one: Path, two: Path) -> dict[str, Any]:
    """Two sweeps: settings, equal trials, and the configurations that both have."""
    sweeps = [Sweep(trials=load_trials(s), manifest=load_manifest(s)) for s in (one, two)]
    kinds = [s.manifest.get("experiment") or schema.experiment_of(s.trials) for s in sweeps]
    if kinds[0] != kinds[1]:
        raise AnalysisError(
            f"{one} is of experiment {kinds[0]!r} and {two} of {kinds[1]!r}; compare sweeps of one"
        )
    first, second = sweeps
    axes = [[n for n in map(str, s.trials.columns) if n.startswith(AXIS)] for s in sweeps]
    metrics = _metrics(first.trials, first.manifest)[:1]
    notes = [_equal_trials(first.trials, second.trials)]
    by: list[str] = [name.removeprefix(AXIS) for name in axes[0] if name != f"{AXIS}seed"]
    if {*axes[0]} != {*axes[1]}:
        only = sorted(n.removeprefix(AXIS) for n in {*axes[0]} ^ {*axes[1]})
        notes.append(f"Only one of them varies {', '.join(only)}: no configuration is of both.")
        metrics = []
    elif not all(name in second.trials.columns for name in metrics):
        metrics = []
    for name, sweep in zip((one, two), sweeps, strict=True):
        best_ones = recommendations(sweep)
        for best in best_ones:
            notes.append(f"{name} recommends {heading(best).lower()}: {sentence(best)}")
        if not best_ones:
            notes.append(f"{name} recommends none: no configuration has completed at every seed.")
    judged = differences(first.trials, second.trials, metrics, by=by if metrics else [])
    if {*axes[0]} == {*axes[1]} and not judged["seeds"].gt(0).any():
        notes.append(f"No difference is shown: {_NOWHERE}.")
    parts = [{k: s.manifest.get(k) for k in _SETTINGS} for s in sweeps]
    return {
        "first": wording.headline(first.trials, first.manifest, fallback=one.resolve().name),
        "second": wording.headline(second.trials, second.manifest, fallback=two.resolve().name),
        "settings": matched_settings(*parts),
        "values": [],
        "notes": notes,
        "differences": judged,
    }


def _metrics(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> list[str]:
    """Headline metrics with a value, those with a better end; validation loss of others."""
    experiment = str(manifest.get("experiment") or schema.experiment_of(trials))
    names = HEADLINE.get(experiment, ("val_loss",))
    present = [n for n in names if n in trials.columns and trials[n].notna().any()]
    return [n for n in present if schema.column(n, frame=trials).direction]


def _equal_trials(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """Sentence on trials with one id, and on those whose model is equal to the last bit."""
    if not len(first) or not len(second) or "model_sha256" not in second.columns:
        return "No trial is in both."
    models = first.set_index("trial_id").get("model_sha256", pd.Series(dtype="string")).dropna()
    others = second.set_index("trial_id")["model_sha256"].dropna()
    common = models.index.intersection(others.index)
    equal = int(models.loc[common].eq(others.loc[common]).sum())
    ids = len({*first["trial_id"]} & {*second["trial_id"]})
    alike = f"{equal:,} of {len(common):,} models of both are equal to the last bit"
    return (
        f"{wording.plural(ids, 'trial')} in both by id (code, study and configuration); "
        f"{alike if len(common) else 'no model is in both'}."
    )


def _print(content: Mapping[str, Any], console: Console) -> None:
    say(console, f"A: {content['first']}")
    say(console, f"B: {content['second']}")
    lines = [f"{name}: {text(a)} in A, {text(b)} in B" for name, a, b in content["settings"]]
    more = len(lines) - MOST_ROWS
    section(console, "Settings that differ", lines[:MOST_ROWS] or ["None."])
    if more > 0:
        say(console, f"  {wording.plural(more, 'more setting')}; --json has all.")
    values = [f"{name}: {text(a)} in A, {text(b)} in B" for name, a, b in content["values"]]
    section(console, "These two trials (one seed each: differences are not tested)", values)
    section(console, "Notes", list(content["notes"]))
    if (table := content["differences"])["seeds"].gt(0).any():
        console.print()
        show(console, _table(table, console.width))


def _outcome(row: pd.Series) -> str:
    """Verdict of a row, or the reason for its absence."""
    if row["reason"] == EQUAL:
        return "equal"
    return f"{row['verdict']} ({row['reason']})" if row["reason"] else str(row["verdict"])


def _table(table: pd.DataFrame, width: int) -> TextTable:
    """The largest differences first; rows without a result of both are counted only."""
    whole = len(table)
    table = table[table["seeds"].gt(0)]
    order = table["difference"].abs().sort_values(ascending=False, kind="stable").index
    part = table.loc[order].head(MOST_ROWS)
    names = list(map(str, table.columns[: list(table.columns).index("metric")]))
    cells = {name: [text(plain_value(v)) for v in part[name]] for name in names}
    rows = [row for _, row in part.iterrows()]
    cells |= {
        "metric": part["metric"].tolist(),
        "A": [text(plain_value(v)) for v in part["first"]],
        "B": [text(plain_value(v)) for v in part["second"]],
        "B less A [95 %]": [
            "–" if pd.isna(row["difference"]) else bracketed(row, "difference", signed=True)
            for row in rows
        ],
        "seeds": part["seeds"].map(str).tolist(),
        "B is": [_outcome(row) for row in rows],
    }
    more = len(table) - len(part)
    rest = f" {wording.plural(more, 'more row')}; --json has all." if more else ""
    if lacking := whole - len(table):
        rest += f" {wording.plural(lacking, 'more row')} without a result of both."
    return TextTable(
        cells=fitted(cells, width, fixed=len(cells)),
        title="Over the seeds that both have",
        caption=f"{_VERDICTS}{rest}",
    )
