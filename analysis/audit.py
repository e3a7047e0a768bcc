"""Audit of early stopping: final results of a random sample of the stopped trials.

A sweep may train a declared share of the trials it stops to the end. They do not affect the
search; they measure the cost of stopping. Like early stopping, the audit compares within a stratum
and, where replicates of a configuration are judged together, by their mean.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis import schema
from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import bounded, estimate
from analysis.intervals import Interval
from analysis.wording import setting

# Fieller, Hartley and Pearson (1957): variance of Spearman's z over that of Pearson's.
_SPEARMAN = 1.06
_FISHER_UNITS = 4  # fewest units of Fisher's interval, whose variance is 1 / (n - 3)
_NOWHERE = {"mean": math.nan, "count": 0}
_COLUMNS = ("trial_id", "status", "val_loss", "stopped_at", "audited", "audit_val_loss")


@checked
def audit(trials: pd.DataFrame, epochs: pd.DataFrame, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """One row per unit and rung: its value at the rung, and its final validation risk.

    A unit is a trial, or a configuration with all its replicates where the scheduler has
    ``replicates``. Only units trained to the end have rows: ``outcome`` is "completed", or
    "audited" for those that were stopped (at epoch ``stopped_at``) and continued. A rung is an
    epoch at which any trial was stopped. ``at_rung`` is the scheduler's metric at that epoch,
    negated if larger is better, null if the unit lacks that epoch; ``final`` is the best
    validation risk of the whole run; ``best`` and ``worst`` are those of the completed units of
    its ``stratum``, null without any.

    Without audited trials the frame is empty.

    Args:
        manifest: from :func:`analysis.load_manifest`; its ``scheduler`` names strata, replicates,
            metric and mode.
    Raises:
        schema.ColumnError: an axis or the metric of the scheduler is not in the tables.
    """
    schema.check_frame(trials)
    schema.check_frame(epochs, "epochs")
    units = _units(trials, manifest)
    if units.empty or not units["outcome"].eq("audited").any():
        return typed([], _DTYPES)
    rule = scheduler(manifest)
    metric = rule.get("metric") or "val_loss"
    if metric not in epochs.columns:
        raise schema.ColumnError(
            f"epochs have no column {metric!r}, the scheduler's metric; pass the whole frame from "
            "analysis.load_epochs()"
        )
    rungs = sorted(set(trials["stopped_at"].dropna()))
    sign = -1.0 if rule.get("mode") == "max" else 1.0
    rung_rows = epochs[epochs["epoch"].isin(rungs)][["trial_id", "epoch", metric]]
    at = units.explode("trial_ids").merge(rung_rows, left_on="trial_ids", right_on="trial_id")
    # A mean over only the replicates that have this epoch would be biased.
    means = at.groupby(["unit", "epoch"])[metric].agg(["mean", "count"]).to_dict("index")
    ends = units[units["outcome"] == "completed"].groupby("stratum")["final"].agg(["min", "max"])
    rows: list[dict[str, Any]] = []
    for _, unit in units.iterrows():
        best, worst = ends.loc[unit["stratum"]] if unit["stratum"] in ends.index else (None, None)
        for rung in rungs:
            mean = means.get((unit["unit"], rung), _NOWHERE)
            whole = mean["count"] == len(unit["trial_ids"])
            value = sign * mean["mean"] if whole else None
            rows.append({**unit, "rung": rung, "at_rung": value, "best": best, "worst": worst})
    return typed(rows, _DTYPES)


@checked
def soundness(rows: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """One row per rung of :func:`audit`, after a first row for all rungs (``rung`` null).

    ``audited`` counts the audited units stopped at the rung whose stratum has a finisher,
    ``unjudged`` those without. ``false_stops`` ended with a lower validation risk than the best
    finisher of their stratum: its winner was lost. ``within_survivors`` ended below the worst
    finisher. ``false_stop_rate`` and ``within_rate`` are their shares, with the Clopper-Pearson
    interval (``_low``, ``_high``), which is valid for all stopped units because audited ones are
    drawn at random.

    ``regret`` is max(0, best finisher - best audited unit), in the unit of the risk, averaged over
    the ``strata`` that have both, with a bootstrap interval over strata. It counts audited units
    only, so it is a lower bound on the cost of early stopping.

    ``correlation`` is Spearman's between the value at the rung and the final one over the
    ``units`` that have both, computed within each stratum and averaged with weights n - 1. Its
    interval is Fisher's; each stratum beyond the first costs one unit.
    """
    table = []
    for rung in (None, *sorted(set(rows["rung"]))):
        rung_rows = rows if rung is None else rows[rows["rung"].eq(rung)]
        table.append({"rung": rung} | _sound(rung_rows, confidence=confidence))
        if rung is not None:
            table[-1] |= _correlation(rung_rows, confidence)
    return typed(table, _SOUND_DTYPES)


def scheduler(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings of the declared scheduler; empty without one."""
    declared = manifest.get("scheduler")
    settings = list(declared.values()) if isinstance(declared, dict) else []
    return settings[0] if settings and isinstance(settings[0], dict) else {}


def _units(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """Units that were trained to the end, with their trials."""
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
        completed = bool(unit["status"].eq("completed").all())
        audited = bool((unit["status"].eq("stopped") & unit["audited"].fillna(False)).all())
        finals = unit["val_loss" if completed else "audit_val_loss"].astype("float64")
        if len(unit) < size or not (completed or audited) or not np.isfinite(finals).all():
            continue
        first = unit.iloc[0]
        place = {name.removeprefix("config/"): first[name] for name in strata}
        rows.append(
            {
                "unit": number,
                "trial_ids": unit["trial_id"].tolist(),
                "stratum": setting(place) or "all",
                "outcome": "completed" if completed else "audited",
                "stopped_at": None if completed else unit["stopped_at"].max(),
                "final": float(finals.mean()),
            }
        )
    return pd.DataFrame(rows)


def _sound(rows: pd.DataFrame, *, confidence: float) -> dict[str, Any]:
    stopped = rows[rows["outcome"].eq("audited") & rows["rung"].eq(rows["stopped_at"])]
    units = stopped[stopped["best"].notna()]
    false, within = (
        units["final"] < units["best"],
        units["final"] < units["worst"],
    )
    regrets = (units["best"] - units["final"]).groupby(units["stratum"]).max().clip(lower=0.0)
    return {
        "audited": len(units),
        "unjudged": len(stopped) - len(units),
        "false_stops": int(false.sum()),
        **_share("false_stop_rate", false, confidence),
        "within_survivors": int(within.sum()),
        **_share("within_rate", within, confidence),
        "strata": len(regrets),
        **estimate(regrets, bounded("regret"), confidence=confidence),
    }


def _share(name: str, hits: pd.Series, confidence: float) -> dict[str, float]:
    if hits.empty:
        return {}
    ends = scipy.stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(confidence)
    return dict(zip(bounded(name), (hits.mean(), ends.low, ends.high), strict=True))


def _correlation(rows: pd.DataFrame, confidence: float) -> dict[str, float]:
    strata = list(_ranked(rows[rows["at_rung"].notna()]))
    if not strata:
        return {"units": 0}
    weights = [len(x) - 1 for x, _ in strata]
    rho = float(np.average([np.corrcoef(x, y)[0, 1] for x, y in strata], weights=weights))
    ends = _fisher(rho, sum(weights) + 1, confidence)
    values = dict(zip(bounded("correlation"), (rho, ends.low, ends.high), strict=True))
    return {"units": sum(weights) + len(weights), **values}


def _ranked(rows: pd.DataFrame) -> Iterator[tuple[pd.Series, pd.Series]]:
    """Ranks at the rung and at the end, of every stratum whose values are not all equal."""
    for _, stratum in rows.groupby("stratum", sort=True):
        x, y = stratum["at_rung"].rank(), stratum["final"].rank()
        if x.nunique() > 1 and y.nunique() > 1:
            yield x, y


def _fisher(rho: float, n: int, confidence: float) -> Interval:
    """Fisher's interval of the rank correlation of ``n`` units; NaN below ``_FISHER_UNITS``."""
    if n < _FISHER_UNITS:
        return Interval(low=math.nan, high=math.nan)
    # Half of the smallest step of rho below 1: a perfect order in the sample is not certain.
    bound = 1.0 - 6.0 / (n**3 - n)
    z = math.atanh(min(max(rho, -bound), bound))
    reach = scipy.stats.norm.isf((1.0 - confidence) / 2) * math.sqrt(_SPEARMAN / (n - 3))
    high = 1.0 if rho > bound else math.tanh(z + reach)
    low = -1.0 if rho < -bound else math.tanh(z - reach)
    return Interval(low=low, high=high)


_DTYPES = {
    "unit": "Int64",
    **dict.fromkeys(("stratum", "outcome"), "string"),
    **dict.fromkeys(("stopped_at", "rung"), "Int64"),
    **dict.fromkeys(("at_rung", "final", "best", "worst"), "float64"),
}
_SOUND_DTYPES = {
    **dict.fromkeys(("rung", "audited", "unjudged", "false_stops"), "Int64"),
    **dict.fromkeys(bounded("false_stop_rate"), "float64"),
    "within_survivors": "Int64",
    **dict.fromkeys(bounded("within_rate"), "float64"),
    "strata": "Int64",
    **dict.fromkeys(bounded("regret"), "float64"),
    "units": "Int64",
    **dict.fromkeys(bounded("correlation"), "float64"),
}
