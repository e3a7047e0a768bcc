"""Units that early stopping judges, with their ends where these are recorded."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis import schema
from analysis.wording import setting

_COLUMNS = ("trial_id", "status", "val_loss", "stopped_at", "audited", "audit_val_loss")


def scheduler(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings of the declared scheduler; empty without one."""
    declared = manifest.get("scheduler")
    settings = list(declared.values()) if isinstance(declared, dict) else []
    return settings[0] if settings and isinstance(settings[0], dict) else {}


def scheduler_kind(manifest: Mapping[str, Any]) -> str | None:
    """Name of the declared scheduler; None without one."""
    declared = manifest.get("scheduler")
    return next(iter(declared), None) if isinstance(declared, dict) else None


def stopped_by_rule(trials: pd.DataFrame) -> pd.Series:
    """True for the trials that a scheduler stopped; those that a user stopped have no rung."""
    return trials["status"].eq("stopped") & trials["stopped_at"].notna()


def stopped_units(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """One row per unit: its trials, stratum, outcome, final validation risk and weight.

    A unit is a trial, or a configuration with all its replicates where the scheduler has
    ``replicates``. ``outcome`` is "completed", "audited" (stopped, and trained to the end),
    "stopped" (its end is not recorded) or "failed" (also if a replicate is missing, or a user
    stopped one, which tells nothing of the scheduler). ``weight`` is
    the inverse of the chance that the end is recorded: 1 for completed units, and for audited
    ones the number of stopped units over that of audited ones, in the whole sweep.

    Raises:
        schema.ColumnError: an axis of the scheduler is not in the table.
    """
    if not set(_COLUMNS) <= set(trials.columns):
        return pd.DataFrame()
    rule = scheduler(manifest)
    strata = [f"config/{axis}" for axis in rule.get("stratify_by") or ()]
    replicates = f"config/{rule['replicates']}" if rule.get("replicates") else None
    for name in (*strata, *([replicates] if replicates else [])):
        if name not in trials.columns:
            raise schema.ColumnError(
                f"trials have no column {name!r}, which the scheduler of the manifest names; pass "
                "the whole frame from analysis.load_trials()"
            )
    names = [c for c in map(str, trials.columns) if c.startswith("config/") and c != replicates]
    size = trials[replicates].nunique(dropna=False) if replicates else 1
    rows = []
    for number, (_, unit) in enumerate(
        trials.groupby(names if replicates else "trial_id", dropna=False, sort=False)
    ):
        outcome, final = _outcome(unit) if len(unit) >= size else ("failed", None)
        first = unit.iloc[0]
        place = {name.removeprefix("config/"): first[name] for name in strata}
        is_stop = outcome in ("audited", "stopped")
        rows.append(
            {
                "unit": number,
                "trial_ids": unit["trial_id"].tolist(),
                "stratum": setting(place) or "all",
                "outcome": outcome,
                "stopped_at": unit["stopped_at"].max() if is_stop else None,
                "final": final,
            }
        )
    units = pd.DataFrame(rows)
    if units.empty:
        return units
    audited = units["outcome"].eq("audited")
    stopped = audited | units["outcome"].eq("stopped")
    share = stopped.sum() / audited.sum() if audited.any() else np.nan
    return units.assign(weight=audited.map({True: share, False: 1.0}).astype("float64"))


def _outcome(unit: pd.DataFrame) -> tuple[str, float | None]:
    """Outcome of a unit, and its mean final validation risk if that is recorded."""
    completed = bool(unit["status"].eq("completed").all())
    stopped = bool(stopped_by_rule(unit).all())
    finals = unit["val_loss" if completed else "audit_val_loss"].astype("float64")
    ended = bool(np.isfinite(finals).all())
    if completed:
        return ("completed", float(finals.mean())) if ended else ("failed", None)
    if not stopped:
        return "failed", None
    if ended and bool(unit["audited"].fillna(False).all()):
        return "audited", float(finals.mean())
    return "stopped", None
