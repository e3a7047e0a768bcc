"""Audit of early stopping: final results of a random sample of the stopped trials.

A sweep may train a declared share of the trials it stops to the end. They do not affect the
search; they measure the cost of stopping. Like early stopping, the audit compares within a stratum
and, where replicates of a configuration are judged together, by their mean.
"""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis import schema
from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import bounded
from analysis.frames import Frame, of_storage
from analysis.kendall import Ranked, kendall
from analysis.stopped_units import scheduler, stopped_units

_MIN_STRATA = 3
"""Fewest strata of a bound on the mean regret."""
_NOWHERE = {"mean": math.nan, "count": 0}


@checked
def audit(
    trials: Frame, epochs: Frame | None = None, manifest: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """One row per unit and rung: its value at the rung, and its final validation risk.

    A unit is a trial, or a configuration with all its replicates where the scheduler has
    ``replicates``. Only units trained to the end have rows: ``outcome`` is "completed", or
    "audited" for those that were stopped (at epoch ``stopped_at``) and continued. A rung is an
    epoch at which any trial was stopped. ``at_rung`` is the scheduler's ``metric`` at that epoch,
    negated if larger is better, null if the unit lacks that epoch; ``final`` is the best
    validation risk of the whole run; ``best`` and ``worst`` are those of the completed units of
    its ``stratum``, null without any; ``weight`` is the inverse of the chance that such a unit was
    trained to the end: 1 for completed units, stopped units over audited ones for the latter.

    Without audited trials the frame is empty.

    Args:
        trials: from :func:`analysis.load_trials`, or a storage, which has the others too.
        epochs: from :func:`analysis.load_epochs`.
        manifest: from :func:`analysis.load_manifest`; its ``scheduler`` names strata, replicates,
            metric and mode.
    Raises:
        schema.ColumnError: an axis or the metric of the scheduler is not in the tables.
    """
    trials, epochs, manifest = of_storage(trials, epochs, manifest)
    units = stopped_units(trials, manifest)
    if units.empty or not units["outcome"].eq("audited").any():
        return typed([], _DTYPES)
    units = units[units["outcome"].isin(("completed", "audited"))]
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
            places = {"rung": rung, "metric": metric, "at_rung": value}
            rows.append({**unit, **places, "best": best, "worst": worst})
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
    the ``strata`` that have both. It counts audited units only and so underestimates the cost of
    early stopping. ``regret_low`` is a one-sided bound: Student's over strata, at least 0, from
    3 strata on. Skewed regrets would be missed at the upper end.

    ``tau`` is Kendall's rank correlation between the value at the rung and the final one, within
    strata, of all units: those trained to the end are weighted by ``weight``; see
    :func:`analysis.kendall.kendall`. ``units`` have both values.
    """
    table = []
    for rung in (None, *sorted(set(rows["rung"]))):
        rung_rows = rows if rung is None else rows[rows["rung"].eq(rung)]
        table.append({"rung": rung} | _sound(rung_rows, confidence))
        if rung is not None:
            table[-1] |= _correlation(rung_rows, confidence)
    return typed(table, _SOUND_DTYPES)


def _sound(rows: pd.DataFrame, confidence: float) -> dict[str, Any]:
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
        "regret": regrets.mean(),
        "regret_low": _lower_bound(regrets, confidence),
    }


def _lower_bound(regrets: pd.Series, confidence: float) -> float:
    """One-sided bound on the mean of ``regrets``, in their unit; NaN below 3 strata."""
    n = len(regrets)
    if n < _MIN_STRATA:
        return math.nan
    reach = scipy.stats.t.isf(1.0 - confidence, n - 1) * regrets.std(ddof=1) / math.sqrt(n)
    return max(0.0, float(regrets.mean() - reach))


def _share(name: str, hits: pd.Series, confidence: float) -> dict[str, float]:
    if hits.empty:
        return {}
    ends = scipy.stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(confidence)
    return dict(zip(bounded(name), (hits.mean(), ends.low, ends.high), strict=True))


def _correlation(rows: pd.DataFrame, confidence: float) -> dict[str, float]:
    at_both = rows[rows["at_rung"].notna()]
    strata = [
        Ranked(
            x=units["at_rung"].to_numpy(dtype=float),
            y=units["final"].to_numpy(dtype=float),
            weight=units["weight"].to_numpy(dtype=float),
        )
        for _, units in at_both.groupby("stratum", sort=True)
    ]
    sampled = int(at_both["outcome"].eq("audited").sum())
    agreement = kendall(strata, sampled=sampled, confidence=confidence)
    if math.isnan(agreement.tau):
        return {"units": 0}
    values = (agreement.tau, agreement.ends.low, agreement.ends.high)
    return {"units": len(at_both), **dict(zip(bounded("tau"), values, strict=True))}


_DTYPES = {
    "unit": "Int64",
    **dict.fromkeys(("stratum", "outcome"), "string"),
    **dict.fromkeys(("stopped_at", "rung"), "Int64"),
    "metric": "string",
    **dict.fromkeys(("at_rung", "final", "best", "worst", "weight"), "float64"),
}
_SOUND_DTYPES = {
    **dict.fromkeys(("rung", "audited", "unjudged", "false_stops"), "Int64"),
    **dict.fromkeys(bounded("false_stop_rate"), "float64"),
    "within_survivors": "Int64",
    **dict.fromkeys(bounded("within_rate"), "float64"),
    "strata": "Int64",
    **dict.fromkeys(("regret", "regret_low"), "float64"),
    "units": "Int64",
    **dict.fromkeys(bounded("tau"), "float64"),
}
