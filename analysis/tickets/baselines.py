"""Hedges without training, from the manifest, and the dense network of the trials."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import parameter_dtypes, typed
from analysis.statistics import over_seeds
from analysis.sweep import Problem, Sweep, Trials

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
    """One row per hedge (and problem), best CVaR 5 % first: means over preparations.

    ``hedge`` is its key, ``name`` its name in words. The dense network is included, from the
    ``dense_*`` columns of the trials; an unrecorded metric is NaN. A problem has no rows if its
    baselines are not in the manifest, or are ambiguous: preparations name their data, not their
    cost or option.
    """
    sweep = Sweep.of(trials)
    rows: list[dict[str, Any]] = []
    for problem in sweep.problems:
        group = problem.trials
        subset = preparations(manifest, sweep.trials, problem)
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


def preparations(
    manifest: Mapping[str, Any], trials: pd.DataFrame, problem: Problem
) -> list[Mapping[str, Any]]:
    """Preparations of a ``problem`` among all ``trials`` that have baselines."""
    prepared = _prepared(manifest)
    return _subset(prepared, trials, problem.trials) if problem.values else prepared


def hedge_name(hedge: str) -> str:
    """Name of a hedge in words."""
    return _NAMES.get(hedge, hedge)


def _prepared(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Preparations with baselines; older manifests have none."""
    prepared = manifest.get("preparations")
    entries = prepared.values() if isinstance(prepared, dict) else ()
    return [p for p in entries if isinstance(p, dict) and isinstance(p.get("baselines"), dict)]


def _subset(
    prepared: Sequence[Mapping[str, Any]], trials: pd.DataFrame, group: pd.DataFrame
) -> list[Mapping[str, Any]]:
    """Preparations on the paths of ``group``; empty if baselines on these paths differ."""
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
    # A seed has several dense networks if the space varies what they depend on.
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
        "name": hedge_name(hedge),
        "preparations": len(values),
        **means,
        "cvar_05_se": cvar.se,
    }
