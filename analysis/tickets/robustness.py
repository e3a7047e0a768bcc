"""Robustness: cost of robust training on clean paths, and gain under attack.

CVaR is mean P&L of the worst paths, so larger is better: a negative difference to standard tickets
is a cost of training under attack, a positive one a gain. The tail is that of the attacked
metrics, 5 % unless the study's evaluation sets another.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.attacks import (
    CLEAN,
    attacks,
    clean_column,
    lost,
    on_attacked_paths,
    with_attacked_paths,
)
from analysis.configurations import parameter_dtypes, shared_paths, typed
from analysis.contrast import TESTED, Contrast, bounded, contrast, corrected, estimate, verdict
from analysis.statistics import over_seeds
from analysis.sweep import GROUP, SPEED, Problem, Sweep, Trials, selections
from analysis.sweep_cache import once_per_sweep
from analysis.tickets.baselines import DENSE

TICKET = "ticket"
ENDS = ("", "_se", "_low", "_high", "_median")
"""Suffixes of a metric in :func:`robustness_table`: mean, standard error, interval, median."""

RUNAWAY = 10.0
"""Factor of the loss on clean paths above which a hedge under attack is a runaway."""

_SIDES = ("standard", "robust")
_MARKETS = ("@", "_of_price@", "_worst@")


@checked
@once_per_sweep
def robustness_table(trials: Trials, *, confidence: float = 0.95) -> pd.DataFrame:
    """One row for the dense network and one per (sparsity, epsilon): CVaR clean and attacked.

    Every ticket row is the configuration that :func:`analysis.selection.by_validation` selects;
    controls are excluded, and each value of a parameter that changes the problem has its own rows.
    ``epsilon`` is the attack budget of training. Metrics keep their names: ``cvar_05`` on clean
    paths, ``attacked_cvar_05@path_pgd:0.1`` under attack and ``cvar_05@regime:calm`` in another
    market, all in currency per option. Of several tails, the first with an attack is used. Each
    metric is a mean over ``seeds``, with its standard error ``_se``, the ends ``_low`` and
    ``_high`` of its Student interval, and its ``_median``.

    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = measured_sweep(trials, purpose="robustness")
    names = metrics(sweep.trials)
    rows: list[dict[str, Any]] = []
    for problem in sweep.problems:
        dense = _dense(problem.tickets, names)
        if len(dense):
            rows.append({**problem.values, "network": DENSE, "frame": dense})
        rows += [
            {**problem.values, "network": TICKET, **one.description, "frame": one.chosen}
            for one in problem.chosen()
        ]
    for row in rows:
        frame = row.pop("frame")
        row["seeds"] = len(frame)
        for metric in names:
            if metric in frame.columns:
                row |= _estimated(frame, metric, confidence=confidence)
    return typed(
        rows,
        {
            **parameter_dtypes(sweep.problem_axes),
            "network": "string",
            **parameter_dtypes([*GROUP, *(n for n in sweep.other_names if n in sweep.parameters)]),
            "selection": "string",
            "seeds": "Int64",
            **dict.fromkeys((f"{m}{end}" for m in names for end in ENDS), "float64"),
        },
    )


@checked
def robust_against_standard(
    trials: Trials, *, confidence: float = 0.95, tolerance: float = 0.05
) -> pd.DataFrame:
    """One row per sparsity, training epsilon above 0 and metric: robust less standard tickets.

    Standard tickets are those of epsilon 0 at the same sparsity; both are chosen as in
    :func:`robustness_table` and paired by seed. ``metric`` is clean CVaR (the cost of robustness)
    or CVaR under an attack (its gain); ``standard`` and ``robust`` are the means over the
    ``seeds`` that have both. ``difference`` is robust less standard, in currency per option, with
    its Student interval; ``p`` is of no difference, ``p_equivalent`` of one beyond ``tolerance``
    times the clean CVaR of standard tickets (``margin``), both also corrected for all rows of the
    table; ``verdict`` is that of :func:`analysis.contrast.verdict`. If a seed of either has no
    result (``lacking``), there is no interval, p or verdict. ``share`` is the difference over the
    CVaR that standard tickets lose under the attack, null on clean paths and without such a loss.
    ``standard_runaways`` and ``robust_runaways`` count the hedges that lose over :data:`RUNAWAY`
    times their clean CVaR; if there are any, prefer the medians to the means. Loss and runaways
    are measured on the attacked paths; without a clean CVaR on those they are null.
    ``standard_not_finite`` and ``robust_not_finite`` count the seeds whose CVaR under the attack
    is not finite; a row with any has no difference, because that of the other seeds would be one
    of the hedges that held.

    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = measured_sweep(trials, purpose="robustness")
    rows: list[dict[str, Any]] = []
    for problem in sweep.problems:
        differences = _differences(problem, confidence=confidence, tolerance=tolerance)
        rows += [{**problem.values, **row} for row in differences]
    rows = corrected(rows)
    for row in rows:
        row["verdict"] = verdict(row, level=1.0 - confidence)
    medians = [f"{side}_median" for side in _SIDES]
    return typed(
        rows,
        {
            **parameter_dtypes([*sweep.problem_axes, *GROUP]),
            "metric": "string",
            **dict.fromkeys(("seeds", "lacking"), "Int64"),
            **dict.fromkeys((*_SIDES, *medians, *TESTED, "margin", "share"), "float64"),
            **dict.fromkeys(
                (f"{side}_{count}" for count in ("runaways", "not_finite") for side in _SIDES),
                "Int64",
            ),
            "verdict": "string",
        },
    )


def measured_sweep(
    trials: Trials, manifest: Mapping[str, Any] | None = None, *, purpose: str
) -> Sweep:
    """Sweep of ``trials``, checked for the columns of selection and of the CVaR under attack.

    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = Sweep.of(trials, manifest)
    clean = clean_column(attacks(sweep.trials))
    sweep = Sweep.of(sweep, needed=(*SPEED, clean), purpose=purpose)
    measured = with_attacked_paths(sweep.trials, sweep.manifest)
    return sweep if measured is sweep.trials else replace(sweep, trials=measured)


def metrics(trials: pd.DataFrame) -> list[str]:
    """Columns of clean CVaR, of CVaR under every attack, and in every other market."""
    attack_list = attacks(trials)
    clean = clean_column(attack_list)
    markets = [n for kind in _MARKETS for n in trials.columns if str(n).startswith(clean + kind)]
    return [clean, *(attack.column for attack in attack_list), *markets]


def _dense(part: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Metrics of the dense networks of one problem, one row per seed."""
    columns = (*names, f"{names[0]}_se")
    renamed = {f"dense_{m}": m for m in columns if f"dense_{m}" in part.columns}
    if f"dense_{CLEAN}" not in part.columns:
        return pd.DataFrame()
    rows = part[part[f"dense_{CLEAN}"].notna()].drop_duplicates(["config/seed", f"dense_{CLEAN}"])
    # A seed has several dense networks if the space varies what they depend on.
    means = rows.groupby("config/seed", dropna=False)[list(renamed)].mean().rename(columns=renamed)
    if "data_sha256" in rows.columns:
        means["data_sha256"] = rows.groupby("config/seed", dropna=False)["data_sha256"].first()
    return means.reset_index()


def _estimated(frame: pd.DataFrame, metric: str, *, confidence: float) -> dict[str, float]:
    if lost(frame, metric):
        # The mean of the others would be that of the hedges that held.
        return {f"{metric}{end}": math.nan for end in ENDS}
    every = frame[metric].astype("float64")
    values = every.dropna()
    errors = frame.loc[values.index, f"{metric}_se"] if f"{metric}_se" in frame.columns else None
    error = over_seeds(
        values.tolist(),
        None if errors is None else errors.astype("float64").tolist(),
        shared_paths=shared_paths(frame),
    )
    columns = estimate(every, bounded(metric), confidence=confidence)
    return columns | {
        metric: error.mean,
        f"{metric}_se": error.se,
        f"{metric}_median": values.median(),
    }


def _differences(
    problem: Problem, *, confidence: float, tolerance: float
) -> Iterator[dict[str, Any]]:
    attack_list = attacks(problem.tickets)
    clean = clean_column(attack_list)
    tickets = {
        # None, not NaN, for a missing axis, because a key must equal itself.
        (None if pd.isna(one.sparsity) else one.sparsity, one.epsilon): one
        for one in problem.chosen()
    }
    for (sparsity, epsilon), robust in tickets.items():
        standard = tickets.get((sparsity, 0.0))
        if standard is None or not epsilon > 0.0:
            continue
        frames = dict(zip(_SIDES, (standard, robust), strict=True))
        for metric in (clean, *(attack.column for attack in attack_list)):
            before = clean if metric == clean else on_attacked_paths(clean)
            row = {"sparsity": sparsity, "epsilon": epsilon, "metric": metric}
            row |= {f"{side}_not_finite": lost(one.chosen, metric) for side, one in frames.items()}
            pair = pd.DataFrame(
                {
                    f"{side}{end}": one.by_seed(name)
                    for side, one in frames.items()
                    for end, name in (("", metric), ("_clean", before))
                }
            )
            lacking = int((~np.isfinite(pair[list(_SIDES)])).any(axis=1).sum())
            seeds = len(pair) - lacking
            row |= {"seeds": seeds, "lacking": lacking}
            if metric == clean and not seeds:
                break
            if row["standard_not_finite"] or row["robust_not_finite"]:
                yield {**row, "p": math.nan}
            elif seeds:
                margin = tolerance * abs(pair["standard_clean"].mean())
                paired = contrast(
                    pair["robust"],
                    pair["standard"],
                    confidence=confidence,
                    margin=margin,
                    # Training under attack shrinks the noise, so differences may be skewed.
                    symmetric=False,
                    selections=selections(robust, standard),
                )
                yield {**row, "margin": margin, **_means(pair, paired)}


def _means(pair: pd.DataFrame, paired: Contrast) -> dict[str, Any]:
    """Means, runaways and differences of a ``pair`` of tickets under one metric, by seed.

    Damage and runaways are against clean CVaR on the same paths; null if it is unknown.
    """
    columns = paired.columns()
    pair = pair.dropna(subset=list(_SIDES))
    complete = pair[[f"{side}_clean" for side in _SIDES]].notna().all(axis=None)
    damage = float((pair["standard_clean"] - pair["standard"]).mean()) if complete else math.nan
    runaways = {
        f"{side}_runaways": int(pair[side].lt(RUNAWAY * pair[f"{side}_clean"]).sum())
        if complete
        else pd.NA
        for side in _SIDES
    }
    return {
        **{side: pair[side].mean() for side in _SIDES},
        **{f"{side}_median": pair[side].median() for side in _SIDES},
        **runaways,
        **columns,
        "share": columns["difference"] / damage if damage > 0.0 else math.nan,
    }
