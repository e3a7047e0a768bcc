"""A sweep as a study of Optuna, for its dashboard and its other tools."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.errors import AnalysisError
from analysis.load import load_epochs, load_manifest, load_trials
from analysis.trial_list import AXIS

_LOSS = "val_loss"
_STATES = {"completed": "COMPLETE", "stopped": "PRUNED", "failed": "FAIL"}
_WIDE = 100.0  # ratio of the ends of a range from which it is shown on a logarithmic scale


def write_study(storage: Path, file: Path) -> int:
    """Write the trials of ``storage`` that ended to ``file``, a new SQLite database; their number.

    The study has the name of the sweep. Its objective is the validation loss, with one
    intermediate value per epoch; stopped trials are pruned, and the other columns are attributes:
    ``trial_id``, test metrics, reasons.

    Raises:
        StorageError: the storage cannot be read.
        AnalysisError: the file exists or cannot be written.
    """
    import optuna

    if os.path.lexists(file):
        raise AnalysisError(f"{file} exists; give another file, or remove it")
    if not file.absolute().parent.is_dir():
        raise AnalysisError(f"{file.absolute().parent} is no folder; make it, or give another")
    optuna.logging.set_verbosity(logging.WARNING)
    trials, manifest = load_trials(storage), load_manifest(storage)
    ended = trials[trials["status"].astype("string").isin(_STATES)]
    axes = [name for name in map(str, ended.columns) if name.startswith(AXIS)]
    distributions = {name.removeprefix(AXIS): _distribution(ended[name]) for name in axes}
    curves = _curves(load_epochs(storage))
    study = optuna.create_study(
        storage=f"sqlite:///{file}", study_name=str(manifest.get("name") or "sweep")
    )
    study.add_trials([_trial(row, distributions, curves) for _, row in ended.iterrows()])
    return len(ended)


def _distribution(values: pd.Series) -> Any:
    from optuna import distributions

    given = [_plain(value) for value in values.dropna().unique()]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in given) or not given:
        return distributions.CategoricalDistribution(sorted({str(v) for v in given} or {"none"}))
    low, high = min(given), max(given)
    if all(isinstance(v, int) for v in given):
        return distributions.IntDistribution(int(low), int(high))
    return distributions.FloatDistribution(low, high, log=low > 0.0 and high / low >= _WIDE)


def _trial(
    row: pd.Series, distributions: Mapping[str, Any], curves: Mapping[str, Mapping[int, float]]
) -> Any:
    import optuna

    state = optuna.trial.TrialState[_STATES[str(row["status"])]]
    values = {n: _plain(row[f"{AXIS}{n}"]) for n in distributions if pd.notna(row[f"{AXIS}{n}"])}
    texts = (optuna.distributions.CategoricalDistribution,)
    params = {n: str(v) if isinstance(distributions[n], texts) else v for n, v in values.items()}
    used = {str(n): _plain(v) for n, v in row.items() if pd.notna(v)}
    attributes = {n: v for n, v in used.items() if not n.startswith(AXIS) and n != _LOSS}
    complete = state == optuna.trial.TrialState.COMPLETE and _LOSS in used
    if state == optuna.trial.TrialState.COMPLETE and not complete:
        state = optuna.trial.TrialState.FAIL  # completed without a finite loss
    return optuna.trial.create_trial(
        state=state,
        value=used[_LOSS] if complete else None,
        params=params,
        distributions={n: distributions[n] for n in params},
        user_attrs=attributes,
        intermediate_values=dict(curves.get(str(row["trial_id"]), {})),
    )


def _curves(epochs: pd.DataFrame) -> dict[str, dict[int, float]]:
    """Finite validation losses by epoch, by trial; those of an audit are left out."""
    if not {"trial_id", "epoch", _LOSS} <= {*epochs.columns}:
        return {}
    rows = epochs[epochs[_LOSS].notna()]
    if "audit" in rows.columns:
        rows = rows[~rows["audit"].fillna(False).astype(bool)]
    curves: dict[str, dict[int, float]] = {}
    for trial_id, epoch, loss in zip(rows["trial_id"], rows["epoch"], rows[_LOSS], strict=True):
        curves.setdefault(str(trial_id), {})[int(epoch)] = float(loss)
    return curves


def _plain(value: Any) -> Any:
    """``value`` as plain Python, for JSON."""
    plain = value.item() if hasattr(value, "item") else value
    return plain if isinstance(plain, bool | int | float | str) else str(plain)
