"""Evidence of an X-NN sweep on the claims on explainable networks, by problem."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
)
from analysis.xnn.fixed_settings import spelled_out
from analysis.xnn.selection import best, pulled
from analysis.xnn.verdicts import CONTROLS, row_error
from analysis.xnn.wording import NOT_FINITE, cell_name, telling

_NO_CELL = "no X-NN and plain network of one seed have completed"
_LEAD = "kappa_minus_boosted_offsets"
_NO_ROW_ERROR = "no preparation records the error of this difference over test rows"
_NO_SCORES = "trials lack cross-entropy or the gain of explanation"

Source = Callable[[Problem, float], Evidence | None]


def _cost(problem: Problem, tolerance: float) -> Evidence | None:
    """Cost of the cell of largest gain on validation rows, below the limit."""
    if not _asked(problem):
        return None
    if isinstance(cell := _chosen(problem, within=CHEAP), Evidence):
        return cell
    return Evidence(
        effect=cell.scores[COST],
        parts=(_cost_below(CHEAP, cell),),
        subject=cell.name,
        controls=("plain network",),
        selections=cell.competitors,
        error=row_error(cell.scores, COST),
    )


def _gain(problem: Problem, tolerance: float) -> Evidence | None:
    """R2 of the nodes less that of every control; the effect is that of the best one of a seed."""
    if not _asked(problem):
        return None
    if isinstance(cell := _chosen(problem, within=LITTLE), Evidence):
        return cell
    return _explained(cell, ())


def _alignment(problem: Problem, tolerance: float) -> Evidence | None:
    """Gain of an alignment cell at a cost below the limit."""
    if not _asked(problem) or not _has_method(problem, "alignment"):
        return None
    if isinstance(cell := _chosen(problem, within=LITTLE, method="alignment"), Evidence):
        return cell
    return _explained(cell, (_cost_below(LITTLE, cell),))


def _networks(problem: Problem, tolerance: float) -> Evidence | None:
    """Kappa of the plain network less that of XGBoost, by preparation of a seed."""
    leads: dict[int, dict[str, float]] = {}
    for prepared in _preparations(problem):
        records = prepared["baselines"]
        if {"plain", "boosted_offsets"} <= records.keys():
            plain, trees = records["plain"], records["boosted_offsets"]
            lead = _number(plain, "kappa") - _number(trees, "kappa")
            record = {_LEAD: lead, f"{_LEAD}_se": _number(trees, "kappa_minus_plain_se")}
            leads.setdefault(int(prepared.get("seed") or 0), record)
    if not leads:
        return Evidence(obstacle="no preparation with the plain network and XGBoost")
    scores = pd.DataFrame.from_dict(leads, orient="index").reindex(_seeds(problem.trials))
    error = row_error(scores, _LEAD)
    return Evidence(
        effect=scores[_LEAD],
        parts=(Part(name="kappa", values=scores[_LEAD], symmetric=False, error=error),),
        subject="plain network",
        controls=("XGBoost with offsets, fitted out of fold",),
        error=error,
        # Equal test rows under every seed make the spread over seeds too small an error.
        obstacle="" if scores[f"{_LEAD}_se"].notna().any() else _NO_ROW_ERROR,
    )


SOURCES: Mapping[str, Source] = {
    "cost": _cost,
    "gain": _gain,
    "networks": _networks,
    "alignment": _alignment,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """Cell that validation selected from ``competitors``, with its ``scores`` by seed."""

    name: str
    scores: pd.DataFrame
    competitors: int


def _cost_below(limit: float, cell: _Cell) -> Part:
    error = row_error(cell.scores, COST)
    return Part(name="cost", values=limit - cell.scores[COST], symmetric=False, error=error)


def _explained(cell: _Cell, others: tuple[Part, ...]) -> Evidence:
    """Gain of a ``cell`` over each of its controls, and ``others`` that have to hold as well."""
    scores = cell.scores
    controls = [name for name in CONTROLS if name in scores and scores[name].notna().any()]
    error = row_error(scores, GAIN)
    parts = [
        Part(name=name, values=scores["r2_mean"] - scores[name], symmetric=False, error=error)
        for name in controls
    ]
    return Evidence(
        effect=scores[GAIN],
        parts=(*parts, *others),
        subject=cell.name,
        controls=tuple(map(_in_words, controls)),
        missing=tuple(_in_words(name) for name in CONTROLS if name not in controls),
        selections=cell.competitors,
        error=error,
    )


def _in_words(control: str) -> str:
    return control.removeprefix("r2_").replace("_", " ")


def _asked(problem: Problem) -> bool:
    """True if the space has networks without explanation and with it."""
    trials = spelled_out(problem)
    if "config/adj_weight" not in trials:
        return False
    weight = trials["config/adj_weight"].astype("float64")
    plain = weight.eq(0.0) | _methods(trials).eq("none")
    return bool(plain.any() and weight.gt(0.0).any())


def _chosen(problem: Problem, *, within: float, method: str | None = None) -> _Cell | Evidence:
    """Cell of largest gain at a cost up to ``within`` nats, both on validation rows.

    Without a cell that cheap, the cheapest, so that a claim can be contradicted. Without a cell to
    judge, evidence with the reason.
    """
    trials = spelled_out(problem)
    if method is not None:
        trials = trials[_methods(trials).isin((method, "none"))]
    if not {COST.removesuffix("_minus_plain"), GAIN} <= set(trials):
        completed = trials["status"].eq("completed").any()
        return Evidence(obstacle=_NO_SCORES if completed else _NO_CELL)
    table = cells(problem if method is None else trials)
    rivals = pulled(table)
    rivals = rivals[rivals["seeds"].gt(0)]
    if rivals.empty:
        return Evidence(obstacle=_NO_CELL)
    cell = best(table, within=within)
    if cell is None:
        by = "val_loss_minus_plain" if "val_loss_minus_plain" in rivals else COST
        if rivals[by].isna().all():
            return Evidence(obstacle=NOT_FINITE)
        cell = rivals.loc[[rivals[by].idxmin()]].iloc[0]
    paired = differences(trials)
    values = paired[paired.index.isin(members(trials, cell).index)]
    every = of_problem(trials, {f"config/{name}": cell[name] for name in axes(trials)})
    names = [COST, GAIN, f"{COST}_se", f"{GAIN}_se", "r2_mean", *CONTROLS]
    numbers = values[[name for name in names if name in values]].astype("float64")
    by_seed = numbers.set_index(values["config/seed"].fillna(0).astype(int))
    return _Cell(
        name=cell_name(cell, telling(table, axes(trials))),
        scores=by_seed[~by_seed.index.duplicated()].reindex(_seeds(every)),
        competitors=len(rivals),
    )


def _number(record: Any, name: str) -> float:
    value = record.get(name) if isinstance(record, Mapping) else None
    return float(value) if isinstance(value, int | float) else float("nan")


def _seeds(trials: pd.DataFrame) -> pd.Index:
    seeds = trials.get("config/seed", pd.Series(0, index=trials.index))
    return pd.Index(seeds.fillna(0).astype(int).unique()).sort_values()


def _methods(trials: pd.DataFrame) -> pd.Series:
    nothing = pd.Series(pd.NA, index=trials.index, dtype="string")
    return trials.get("config/method", nothing)


def _has_method(problem: Problem, method: str) -> bool:
    trials = spelled_out(problem)
    return bool(_methods(trials).eq(method).any())


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
