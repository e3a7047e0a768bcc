"""Evidence of an X-NN sweep on the claims on explainable networks, by problem."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from analysis.claims.catalogue import CHEAP, LITTLE
from analysis.claims.evidence import Evidence, Part
from analysis.sweep import Problem
from analysis.xnn.cells import (
    COST,
    GAIN,
    axes,
    cells,
    differences,
    members,
    of_problem,
    spelled_out,
)
from analysis.xnn.selection import best, pulled
from analysis.xnn.wording import cell_name, telling

Source = Callable[[Problem, float], Evidence | None]


def _cost(problem: Problem, tolerance: float) -> Evidence | None:
    """Cost of the cell of largest gain on validation rows, below the limit."""
    chosen = _chosen(problem, within=CHEAP)
    if chosen is None:
        return None
    subject, values = chosen
    part = Part(name="cost", values=CHEAP - values[COST], symmetric=False)
    return Evidence(
        effect=values[COST], parts=(part,), subject=subject, controls=("plain network",)
    )


def _gain(problem: Problem, tolerance: float) -> Evidence | None:
    """R2 of the nodes less that of the best control of the seed."""
    chosen = _chosen(problem, within=CHEAP)
    if chosen is None:
        return None
    subject, values = chosen
    part = Part(name="gain", values=values[GAIN], symmetric=False)
    return Evidence(
        effect=values[GAIN], parts=(part,), subject=subject, controls=_controls(problem.trials)
    )


def _alignment(problem: Problem, tolerance: float) -> Evidence | None:
    """Gain of an alignment cell at a cost below the limit."""
    chosen = _chosen(problem, within=LITTLE, method="alignment")
    if chosen is None:
        return None
    subject, values = chosen
    return Evidence(
        effect=values[GAIN],
        parts=(
            Part(name="gain", values=values[GAIN], symmetric=False),
            Part(name="cost", values=LITTLE - values[COST], symmetric=False),
        ),
        subject=subject,
        controls=_controls(problem.trials),
    )


def _networks(problem: Problem, tolerance: float) -> Evidence | None:
    """Kappa of the plain network less that of XGBoost, by preparation of a seed."""
    lead: dict[Any, float] = {}
    for prepared in _preparations(problem):
        records = prepared["baselines"]
        if {"plain", "boosted_offsets"} <= records.keys():
            plain, trees = records["plain"]["kappa"], records["boosted_offsets"]["kappa"]
            lead.setdefault(prepared.get("seed"), plain - trees)
    if not lead:
        return None
    values = pd.Series(lead, dtype="float64")
    part = Part(name="kappa", values=values, symmetric=False)
    return Evidence(
        effect=values,
        parts=(part,),
        subject="plain network",
        controls=("XGBoost with offsets, fitted out of fold",),
    )


SOURCES: Mapping[str, Source] = {
    "cost": _cost,
    "gain": _gain,
    "networks": _networks,
    "alignment": _alignment,
}


def _chosen(
    problem: Problem, *, within: float, method: str | None = None
) -> tuple[str, pd.DataFrame] | None:
    """Cell of largest gain at a cost up to ``within`` nats, both on validation rows.

    Its name, and its cost and gain at every seed of the cell. Without a cell that cheap, the
    cheapest, so that a claim can be contradicted.
    """
    trials = spelled_out(problem.trials, problem.manifest)
    if method is not None and "config/method" in trials:
        trials = trials[trials["config/method"].isin((method, "none"))]
    if method is not None and not _has_method(trials, method):
        return None
    if not {COST.removesuffix("_minus_plain"), GAIN} <= set(trials):
        return None
    table = cells(trials)
    rivals = pulled(table)
    rivals = rivals[rivals["seeds"].gt(0)]
    if rivals.empty:
        return None
    cell = best(table, within=within)
    if cell is None:
        by = "val_loss_minus_plain" if "val_loss_minus_plain" in rivals else COST
        if rivals[by].isna().all():
            return None
        cell = rivals.loc[[rivals[by].idxmin()]].iloc[0]
    paired = differences(trials)
    values = paired[paired.index.isin(members(trials, cell).index)]
    every = of_problem(trials, {f"config/{name}": cell[name] for name in axes(trials)})
    seeds = pd.Index(every["config/seed"].fillna(0).astype(int).unique()).sort_values()
    numbers = values[[COST, GAIN]].astype("float64")
    by_seed = numbers.set_index(values["config/seed"].astype(int))
    name = cell_name(cell, telling(table, axes(trials)))
    return name, by_seed[~by_seed.index.duplicated()].reindex(seeds)


def _has_method(trials: pd.DataFrame, method: str) -> bool:
    return "config/method" in trials and bool(trials["config/method"].eq(method).any())


def _controls(trials: pd.DataFrame) -> tuple[str, ...]:
    names = ("untrained", "plain", "plain_random_points", "permuted", "random_points")
    return tuple(
        name.replace("_", " ")
        for name in names
        if f"r2_{name}" in trials and trials[f"r2_{name}"].notna().any()
    )


def _preparations(problem: Problem) -> list[Mapping[str, Any]]:
    """Preparations of the problem with baselines, one per seed and data."""
    prepared = problem.manifest.get("preparations")
    entries = prepared.values() if isinstance(prepared, Mapping) else ()
    data = set(problem.trials.get("data_sha256", pd.Series(dtype="string")).dropna())
    distinct: dict[str, Mapping[str, Any]] = {}
    for one in entries:
        if not isinstance(one, Mapping) or not isinstance(one.get("baselines"), Mapping):
            continue
        if not data or one.get("data_sha256") in data:
            key = json.dumps([one.get("seed"), one.get("data_sha256")], default=str)
            distinct.setdefault(key, one)
    return list(distinct.values())
