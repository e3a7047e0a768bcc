"""Metrics card of one trial: configuration, outcome, all metrics by group, and its baselines."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import schema
from analysis.attacks import named
from analysis.errors import AnalysisError
from analysis.files import StorageError
from analysis.json_values import plain_value
from analysis.load import load_epochs, load_manifest, load_trials
from analysis.tensors import SweepFiles, UnreadError

_MODEL = {"tickets": "ticket", "xnn": "xnn"}
_AXIS = "config/"
_OUTCOME = ("stopped_at", "reason", "error", "audited", "audit_val_loss", "epochs", "best_epoch")
_PROVENANCE = ("theta_0_sha256", "data_sha256", "model_sha256", "arithmetic", "seconds")
_ENDS = ("se", "low", "high")
_OMITTED = ("trial_id", "index", "status")
_GROUPS: Mapping[str, Mapping[str, str]] = {
    "tickets": {
        "other markets": r".*@.*",
        "dense network of its seed": r"dense_.*|cvar_05_minus_dense.*",
        "training": r"val_.*|epochs_to_95pct|converged",
        "network": r"sparsity_achieved|weights_.*|dead_units|.*_units?",
        "P&L on test paths": r".*",
    },
    "xnn": {
        "groups of insured": r".*@.*|selection_rate.*|(true|false)_positive.*|kappa_diff.*|groups",
        "plain network of its seed": r"plain_.*",
        "validation": r"val_.*",
        "prediction": r"cross_entropy|accuracy|kappa.*|macro_f1|ece|rmse",
        "faithfulness": r"selectivity|surrogate_.*|concept_.*",
        "clusters": r"centroids|cluster_.*",
        "explanation": r".*",
    },
}
"""Groups of metrics by experiment, as patterns of column names: the first that fits decides."""
_ORDER = {"training": -2, "validation": -2, "network": -1, "P&L on test paths": 0}
_ORDER |= {"prediction": -1, "explanation": 0, "faithfulness": 1, "clusters": 2}


class TrialError(AnalysisError):
    """No trial has this id, or several begin with it; the message names the nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Record of one trial.

    Args:
        trial_id: its id.
        status: one of :data:`analysis.schema.STATUSES`.
        configuration: value of every axis of the space.
        outcome: epochs, reason of a stop, error of a failure.
        metrics: one row per metric: ``group``, ``name``, ``value``, its standard error ``se`` and
            interval ``low`` to ``high`` if recorded, ``unit``, ``better``.
        attacks: one row per attack: its CVaR for the trial and every hedge with such a column.
        baselines: one row per baseline of its preparation, with the metrics of the trial.
        note: reason for absent baselines; empty if they are present.
        provenance: fingerprints, wall time.
        curve: validation loss by epoch, those of an audit included.
        model: file of its weights; None without a model.
    """

    trial_id: str
    status: str
    experiment: str
    configuration: Mapping[str, Any]
    outcome: Mapping[str, Any]
    metrics: pd.DataFrame
    attacks: pd.DataFrame
    baselines: pd.DataFrame
    note: str
    provenance: Mapping[str, Any]
    curve: Mapping[int, float | None]
    model: Path | None

    def json(self) -> str:
        """The card as a JSON object; undefined numbers are null."""
        content = {name: getattr(self, name) for name in ("trial_id", "status", "experiment")}
        content |= {n: dict(getattr(self, n)) for n in ("configuration", "outcome", "provenance")}
        content["metrics"] = {
            str(group): {str(r["name"]): _described(r) for _, r in rows.iterrows()}
            for group, rows in self.metrics.groupby("group", sort=False)
        }
        for name in ("attacks", "baselines"):
            content[name] = _records(getattr(self, name))
        content |= {"note": self.note, "curve": list(self.curve.values())}
        content["model"] = None if self.model is None else str(self.model)
        return json.dumps(content, indent=2, allow_nan=False)


def read_card(storage: Path, prefix: str) -> Card:
    """The card of the trial whose id begins with ``prefix``.

    Raises:
        StorageError: the storage cannot be read.
        TrialError: no trial or several trials have such an id.
    """
    trials, manifest = load_trials(storage), load_manifest(storage)
    trial_id = full_id(trials["trial_id"].astype(str), prefix)
    row = trials.loc[trials["trial_id"].eq(trial_id)].iloc[0]
    experiment = str(manifest.get("experiment", schema.experiment_of(trials)))
    axes = [name for name in map(str, trials.columns) if name.startswith(_AXIS)]
    values = {str(name): plain_value(row[name]) for name in trials.columns}
    metrics = _metrics(values, trials, experiment)
    files = SweepFiles.of(storage, trials, manifest)
    prepared = _preparation(files, values, manifest, experiment)
    hedges = prepared.get("baselines") or {}
    return Card(
        trial_id=str(row["trial_id"]),
        status=str(row["status"]),
        experiment=experiment,
        configuration={a.removeprefix(_AXIS): values[a] for a in axes},
        outcome={n: values[n] for n in _OUTCOME if values.get(n) not in (None, False)},
        metrics=metrics,
        attacks=_attacks(values, hedges),
        baselines=_baselines(values, hedges),
        note="" if hedges else "the manifest names no baselines of its preparation",
        provenance={n: values[n] for n in _PROVENANCE if values.get(n) is not None},
        curve=_curve(storage, str(row["trial_id"])),
        model=_model(files, values, experiment),
    )


def full_id(ids: pd.Series, prefix: str) -> str:
    """The one of ``ids`` that begins with ``prefix``.

    Raises:
        TrialError: there is none, or there are several; the message names near ids.
    """
    if not prefix and len(ids):
        raise TrialError(f"an empty id names no trial; give one, such as {ids.min()}")
    matches = [prefix] if ids.eq(prefix).any() else sorted(ids[ids.str.startswith(prefix)])
    if len(matches) == 1:
        return matches[0]
    if not len(ids):
        raise TrialError("the sweep holds no trial yet; run it first, or try again in a while")
    if not matches:
        near = ", ".join(get_close_matches(prefix, list(ids), n=3, cutoff=0.0))
        raise TrialError(f"no trial has an id that begins with {prefix!r}; nearest: {near}")
    examples = ", ".join(matches[:3]) + (", .." if len(matches) > 3 else "")
    raise TrialError(
        f"{len(matches):,} trials have an id that begins with {prefix!r}; give more of it: "
        f"{examples}"
    )


def _curve(storage: Path, trial_id: str) -> dict[int, float | None]:
    """Validation loss of the trial by epoch; null where it is not finite, empty if unknown."""
    try:
        epochs = load_epochs(storage)
    except StorageError:  # the table of trials has the rest of the card
        return {}
    if not {"epoch", "val_loss"} <= {*epochs.columns}:
        return {}
    rows = epochs[epochs["trial_id"].eq(trial_id)].sort_values("epoch")
    losses = map(plain_value, rows["val_loss"])
    return dict(zip(rows["epoch"].astype(int).tolist(), losses, strict=True))


def _model(files: SweepFiles, values: Mapping[str, Any], experiment: str) -> Path | None:
    """File of the weights of a trial that has a model."""
    if not values.get("model_sha256") or experiment not in _MODEL:
        return None
    return files.model(values["trial_id"], _MODEL[experiment]).path


def _metrics(values: Mapping[str, Any], trials: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Rows of :attr:`Card.metrics` in the order of the groups; attacks have their own table."""
    patterns = _GROUPS.get(experiment, {"metrics": r".*"})
    aside = {*_OMITTED, *_OUTCOME, *_PROVENANCE}
    rows = []
    for name, value in values.items():
        attack = re.search(r"attacked_.*@", name)
        if value is None or name in aside or name.startswith(_AXIS) or attack:
            continue
        if any(values.get(base) is not None for base in _bases(name)):
            continue
        column = schema.column(name, frame=trials)
        group = next(title for title, pattern in patterns.items() if re.fullmatch(pattern, name))
        entry = {"group": group, "name": name, "value": value}
        entry |= {end: values.get(_with_end(name, end)) for end in _ENDS}
        rows.append(entry | {"unit": column.unit, "better": column.direction or ""})
    rows.sort(key=lambda row: _ORDER.get(row["group"], 3))
    names = ["group", "name", "value", *_ENDS, "unit", "better"]
    return pd.DataFrame(rows, columns=names, dtype=object)


def _with_end(name: str, end: str) -> str:
    """Column of the standard error or of an end of the interval of ``name``."""
    base, at, place = name.partition("@")
    return f"{base}_{end}{at}{place}"


def _bases(name: str) -> list[str]:
    """Columns of which ``name`` may be the standard error or an end of the interval."""
    base, at, place = name.partition("@")
    return [base.removesuffix(f"_{e}") + at + place for e in _ENDS if base.endswith(f"_{e}")]


def _preparation(
    files: SweepFiles, values: Mapping[str, Any], manifest: Mapping[str, Any], experiment: str
) -> Mapping[str, Any]:
    """Entry of the manifest for the preparation of a trial; empty if it is not known.

    The file of the model names it. Without a file, it has the fingerprints of the trial; several
    such preparations count only if their baselines agree.
    """
    entries = manifest.get("preparations") or {}
    if values.get("model_sha256") and experiment in _MODEL:
        try:
            file = files.model(values["trial_id"], _MODEL[experiment])
            key = file.load().about.get("preparation")
        except UnreadError:
            key = None
        if isinstance(key, str) and key in entries:
            return dict(entries[key])
    parts = ("theta_0_sha256", "data_sha256")
    alike = [e for e in entries.values() if all(e.get(p) == values.get(p) for p in parts)]
    texts = {json.dumps(e.get("baselines"), sort_keys=True) for e in alike}
    return dict(alike[0]) if len(texts) == 1 and values.get(parts[0]) else {}


def _attacks(values: Mapping[str, Any], hedges: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for attack in named(n for n, v in values.items() if v is not None):
        row = {"attack": attack.name, "budget": attack.budget, "metric": attack.column}
        row |= {"trial": values.get(attack.column), "dense": values.get(f"dense_{attack.column}")}
        for key, hedge in hedges.items():
            row |= {key: hedge[attack.column]} if attack.column in hedge else {}
        rows.append(row)
    frame = pd.DataFrame(rows, dtype=object)
    return frame.dropna(axis="columns", how="all") if rows else frame


def _baselines(values: Mapping[str, Any], hedges: Mapping[str, Any]) -> pd.DataFrame:
    """The trial and the baselines, by the metrics of the baselines that the trial has."""
    measured = dict.fromkeys(n for hedge in hedges.values() for n in hedge if "@" not in n)
    names = [n for n in measured if values.get(n) is not None]
    if not names:
        return pd.DataFrame()
    rows = [{"baseline": "this trial", **{n: values[n] for n in names}}]
    rows += [{"baseline": key, **{n: h.get(n) for n in names}} for key, h in hedges.items()]
    return pd.DataFrame(rows, columns=["baseline", *names], dtype=object)


def _described(row: pd.Series) -> dict[str, Any]:
    content = {"value": row["value"], "unit": row["unit"], "better": row["better"] or None}
    return content | {end: row[end] for end in _ENDS if row[end] is not None}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): plain_value(v) for k, v in row.items()} for row in frame.to_dict("records")]
