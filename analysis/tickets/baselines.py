"""Hedges without training, from the manifest, and the dense network of the trials."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import parameter_dtypes, typed
from analysis.statistics import over_seeds
from analysis.sweep import Problem, Sweep, Trials

METRICS = ("cvar_05", "pnl_std", "turnover", "cost_paid")
DENSE = "dense"
_CVAR, _FITTED = "cvar_05", "band_"
NAMES: Mapping[str, str] = {
    "no_hedge": "no hedge",
    "static": "static",
    "bs_delta_initial": "Black-Scholes delta at sqrt(v_0)",
    "bs_delta_current": "Black-Scholes delta at sqrt(v_t)",
    "heston_delta": "Heston delta",
    "minimum_variance": "minimum-variance delta",
    "no_trade_band": "no-trade band (fitted)",
    DENSE: "dense network (trained)",
}
"""Name of every hedge in words."""


@checked
def baselines(trials: Trials, manifest: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """One row per hedge (and problem), best CVaR 5 % first: means over preparations.

    ``hedge`` is its key, ``name`` its name in words. The dense network is included, from the
    ``dense_*`` columns of the trials; an unrecorded metric is NaN. CVaR under every attack and in
    every other market has the name of the tickets' column, ``attacked_cvar_05@path_pgd:0.1``; the
    parameters of the no-trade band are ``band_scale`` and ``band_floor``. A problem has no rows if
    its baselines are not in the manifest, or are ambiguous: preparations name their data, not
    their cost or option. If only metrics under attack are ambiguous, those are NaN.
    """
    sweep = Sweep.of(trials, manifest)
    manifest = sweep.manifest if manifest is None else manifest
    rows: list[dict[str, Any]] = []
    metrics = _metrics(_prepared(manifest))
    for problem in sweep.problems:
        group = problem.trials
        subset = preparations(manifest, sweep.trials, problem)
        hedges = []
        if any(_untrained(subset, metrics)):
            hedges = [*_untrained(subset, metrics), *_dense(group, metrics)]
        hedges.sort(key=lambda row: (pd.isna(row["cvar_05"]), -row["cvar_05"]))
        rows += [{**problem.values, **row} for row in hedges]
    return typed(
        rows,
        {
            **parameter_dtypes(sweep.problem_axes),
            "hedge": "string",
            "name": "string",
            "preparations": "Int64",
            **dict.fromkeys((*METRICS, "cvar_05_se", *metrics[len(METRICS) :]), "float64"),
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
    return NAMES.get(hedge, hedge)


def _prepared(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Preparations with baselines; older manifests have none."""
    prepared = manifest.get("preparations")
    entries = prepared.values() if isinstance(prepared, dict) else ()
    return [p for p in entries if isinstance(p, dict) and isinstance(p.get("baselines"), dict)]


def _metrics(prepared: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Metrics of the table: the main ones, those of every threat, and fitted parameters."""
    recorded = (name for p in prepared for hedge in p["baselines"].values() for name in hedge)
    others = (name for name in recorded if "@" in name or name.startswith(_FITTED))
    return tuple(dict.fromkeys((*METRICS, *others)))


def _subset(
    prepared: Sequence[Mapping[str, Any]], trials: pd.DataFrame, group: pd.DataFrame
) -> list[Mapping[str, Any]]:
    """Preparations on the paths of ``group``; empty if baselines on these paths differ."""
    if "data_sha256" not in trials.columns:
        return []
    paths = set(group["data_sha256"].dropna())
    subset = [p for p in prepared if p.get("data_sha256") in paths]
    if paths & set(trials.drop(index=group.index)["data_sha256"].dropna()):
        subset = [{**p, "baselines": _unambiguous(p, subset)} for p in subset]
        if any(_CVAR not in metrics for p in subset for metrics in p["baselines"].values()):
            return []
    return subset


def _unambiguous(
    one: Mapping[str, Any], prepared: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Baselines of ``one`` less the metrics that differ among preparations on its paths.

    All but those under a threat differ or agree together.
    """
    alike = [p["baselines"] for p in prepared if p["data_sha256"] == one["data_sha256"]]
    differing = {
        name
        for hedge, metrics in one["baselines"].items()
        for name, value in metrics.items()
        if any(other.get(hedge, {}).get(name) != value for other in alike)
    }
    if any("@" not in name for name in differing):
        return {hedge: {} for hedge in one["baselines"]}
    return {
        hedge: {name: value for name, value in metrics.items() if name not in differing}
        for hedge, metrics in one["baselines"].items()
    }


def _untrained(
    prepared: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for hedge in dict.fromkeys(name for p in prepared for name in p["baselines"]):
        holders = [p for p in prepared if hedge in p["baselines"]]
        metrics = pd.DataFrame([p["baselines"][hedge] for p in holders])
        shared = len({p.get("data_sha256") for p in holders}) == 1
        yield _row(hedge, metrics, names, shared_paths=shared)


def _dense(group: pd.DataFrame, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    if "dense_cvar_05" not in group.columns:
        return
    # A seed has several dense networks if the space varies what they depend on.
    identity = [c for c in ("config/seed", "data_sha256", "dense_cvar_05") if c in group.columns]
    networks = group[group["dense_cvar_05"].notna()].drop_duplicates(identity)
    if networks.empty:
        return
    columns = {f"dense_{m}": m for m in (*names, "cvar_05_se") if f"dense_{m}" in group.columns}
    metrics = networks[list(columns)].rename(columns=columns)
    shared = "data_sha256" not in networks.columns or networks["data_sha256"].nunique() <= 1
    yield _row(DENSE, metrics, names, shared_paths=shared)


def _row(
    hedge: str, metrics: pd.DataFrame, names: Sequence[str], *, shared_paths: bool
) -> dict[str, Any]:
    values = metrics.reindex(columns=[*names, "cvar_05_se"]).astype("float64")
    cvar = over_seeds(
        values["cvar_05"].tolist(), values["cvar_05_se"].tolist(), shared_paths=shared_paths
    )
    means = {name: float(values[name].mean()) for name in names}
    return {
        "hedge": hedge,
        "name": hedge_name(hedge),
        "preparations": len(values),
        **means,
        "cvar_05_se": cvar.se,
    }
