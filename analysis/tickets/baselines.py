"""Hedges that need no training, from the manifest, beside the dense network of the trials."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import parameter_dtypes, typed
from analysis.statistics import over_seeds
from analysis.sweep import Sweep, Trials

METRICS = ("cvar_05", "pnl_std", "turnover", "cost_paid")
DENSE = "dense"
_NAMES: Mapping[str, str] = {
    "no_hedge": "no hedge",
    "static": "static",
    "bs_delta_initial": "Black-Scholes delta at sqrt(v_0)",
    "bs_delta_current": "Black-Scholes delta at sqrt(v_t)",
    "heston_delta": "Heston delta",
    "minimum_variance": "minimum-variance delta",
    DENSE: "dense network (trained)",
}


@checked
def baselines(trials: Trials, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """One row a hedge (and problem), best CVaR 5 % first: means over preparations.

    ``hedge`` is its key, ``name`` its name in words. The dense network stands among them, from the
    ``dense_*`` columns of the trials; a metric that was not recorded is NaN. There is no row at
    all for a problem whose baselines are not in the manifest, or cannot be told from those of
    another: preparations name their data, not their cost or option.
    """
    prepared = _prepared(manifest)
    sweep = Sweep.of(trials)
    rows: list[dict[str, Any]] = []
    for problem in sweep.problems:
        group = problem.trials
        subset = _subset(prepared, sweep.trials, group) if problem.values else prepared
        hedges = [*_untrained(subset), *_dense(group)] if any(_untrained(subset)) else []
        hedges.sort(key=lambda row: (pd.isna(row["cvar_05"]), -row["cvar_05"]))
        rows += [{**problem.values, **row} for row in hedges]
    return typed(
        rows,
        {
            **parameter_dtypes(sweep.problem_axes),
            "hedge": "string",
            "name": "string",
            "preparations": "Int64",
            **dict.fromkeys((*METRICS, "cvar_05_se"), "float64"),
        },
    )


def _prepared(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The preparations with baselines; none in the manifest of an older sweep."""
    prepared = manifest.get("preparations")
    entries = prepared.values() if isinstance(prepared, dict) else ()
    return [p for p in entries if isinstance(p, dict) and isinstance(p.get("baselines"), dict)]


def _subset(
    prepared: Sequence[Mapping[str, Any]], trials: pd.DataFrame, group: pd.DataFrame
) -> list[Mapping[str, Any]]:
    """Those on the paths of ``group``; none if another problem on them has other baselines."""
    if "data_sha256" not in trials.columns:
        return []
    paths = set(group["data_sha256"].dropna())
    subset = [p for p in prepared if p.get("data_sha256") in paths]
    if paths & set(trials.drop(index=group.index)["data_sha256"].dropna()):
        for data in paths:
            kinds = [p["baselines"] for p in subset if p["data_sha256"] == data]
            if len({json.dumps(kind, sort_keys=True) for kind in kinds}) > 1:
                return []
    return subset


def _untrained(prepared: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for hedge in dict.fromkeys(name for p in prepared for name in p["baselines"]):
        holders = [p for p in prepared if hedge in p["baselines"]]
        metrics = pd.DataFrame([p["baselines"][hedge] for p in holders])
        yield _row(hedge, metrics, shared_paths=len({p.get("data_sha256") for p in holders}) == 1)


def _dense(group: pd.DataFrame) -> Iterator[dict[str, Any]]:
    if "dense_cvar_05" not in group.columns:
        return
    # A seed has one dense network, or several where the space varies what it depends on.
    identity = [c for c in ("config/seed", "data_sha256", "dense_cvar_05") if c in group.columns]
    networks = group[group["dense_cvar_05"].notna()].drop_duplicates(identity)
    if networks.empty:
        return
    names = {f"dense_{m}": m for m in (*METRICS, "cvar_05_se") if f"dense_{m}" in group.columns}
    metrics = networks[list(names)].rename(columns=names)
    shared = "data_sha256" not in networks.columns or networks["data_sha256"].nunique() <= 1
    yield _row(DENSE, metrics, shared_paths=shared)


def _row(hedge: str, metrics: pd.DataFrame, *, shared_paths: bool) -> dict[str, Any]:
    values = metrics.reindex(columns=[*METRICS, "cvar_05_se"]).astype("float64")
    cvar = over_seeds(
        values["cvar_05"].tolist(), values["cvar_05_se"].tolist(), shared_paths=shared_paths
    )
    means = {name: float(values[name].mean()) for name in METRICS}
    return {
        "hedge": hedge,
        "name": _NAMES.get(hedge, hedge),
        "preparations": len(values),
        **means,
        "cvar_05_se": cvar.se,
    }
