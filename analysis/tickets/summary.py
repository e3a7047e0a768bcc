"""Tables of a tickets sweep: the best learning rate and configuration of every group."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.attacks import lost
from analysis.configurations import (
    COUNTS,
    LOTTERY,
    check_parameters,
    counts,
    groups,
    parameter_dtypes,
    shared_paths,
    typed,
)
from analysis.selection import Choice, by_speed, lacking
from analysis.statistics import over_seeds
from analysis.sweep import GROUP, SPEED, Sweep, Trials, by_epsilon
from analysis.sweep_cache import once_per_sweep

_MEANS = (
    "epochs",
    "best_epoch",
    "sparsity_achieved",
    "weights_kept",
    "weights_total",
    "dead_units",
)
_PLAIN = ("pnl_mean", "pnl_std", "turnover", "cost_paid")
_WITH_SE = ("cvar_05", "cvar_05_minus_dense", "dense_cvar_05")
_WITH_RANGE = ("cvar_05", "sharpe_ratio", "dense_sharpe_ratio")


@checked
@once_per_sweep
def best_lr(trials: Trials, *, by: Sequence[str] = GROUP) -> pd.DataFrame:
    """One row per group: the learning rate that reaches the 95 % criterion in the fewest epochs.

    Candidates are configurations that completed and converged at every seed of the group, by the
    mean of ``epochs_to_95pct`` over the seeds (ties: lower validation risk). Without candidates,
    the row has the configuration of lowest mean ``val_loss`` over all seeds, and ``converged`` is
    False; "not converged" is never coded as a number of epochs. If no configuration completed at
    every seed, ``selection`` is "per seed": the row describes the best trial of each seed by
    ``val_loss``, and a parameter that differs between them is null. If nothing has completed,
    ``selection`` and the learning rate are null.

    Other parameters that vary (such as a batch size) belong to the candidate and are reported with
    it; those that change the problem (such as ``market.xi``) form separate groups. ``provisional``
    marks groups with unfinished trials, or with a seed without a completed one.

    Args:
        by: the parameters that define a group, without ``config/``.
    Raises:
        schema.ColumnError: unknown parameter in ``by``, or a column is missing.
    """
    sweep = Sweep.of(trials, needed=SPEED, purpose="best_lr")
    check_parameters(by, sweep.names)
    keys = [*by, *(n for n in sweep.problem_axes if n not in by)]
    other_names = [n for n in sweep.names if n not in keys]
    rows: list[dict[str, Any]] = []
    for key, group in groups(sweep.tickets, keys):
        choice = by_speed(group, other_names)
        row = _opening(key, group, choice)
        if choice is not None:
            row["dense_epochs_to_95pct"] = _dense_epochs(group.loc[choice.rows])
        rows.append(row)
    return typed(
        rows,
        {
            **parameter_dtypes([*keys, *other_names]),
            "selection": "string",
            "converged": "boolean",
            "epochs_to_95pct": "float64",
            "dense_epochs_to_95pct": "float64",
            "val_loss": "float64",
            "seeds": "Int64",
            "provisional": "boolean",
            **dict.fromkeys(COUNTS, "Int64"),
        },
    )


@checked
@once_per_sweep
def summary(trials: Trials) -> pd.DataFrame:
    """One row per (sparsity, epsilon): best configuration by validation risk, means over seeds.

    It is selected on validation, so the test metrics are unbiased. ``selection`` is "one
    configuration" that completed at every seed, or without one "per seed", the mean of the best
    trial of each seed; a parameter that differs between seeds is then null. ``seeds`` counts those
    in the means, ``seeds_lacking`` those without a completed trial, ``seeds_awaited`` those of
    them that may still give a result, ``seeds_not_finite`` those in ``seeds`` whose difference to
    the dense network is missing or infinite, so that the means lack them. ``competitors`` is the
    number of configurations that the row was selected from. ``provisional`` marks groups with
    unfinished trials, or with a seed without a completed one.

    Each value of a parameter that changes the problem (such as ``market.xi``) has its own row.
    ``remaining`` is the share of prunable weights kept, in %. ``x_se`` is the standard error of
    the mean ``x`` (see :func:`analysis.statistics.over_seeds`), ``x_low`` and ``x_high`` the range
    over seeds.

    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = Sweep.of(trials, needed=(*SPEED, *_WITH_SE, "cvar_05_se"), purpose="summary")
    columns = list(map(str, sweep.trials.columns))
    attacked = [c for c in columns if c.startswith("attacked_")]
    metrics = [m for m in [*_MEANS, *_PLAIN, *attacked] if m in columns]
    ranged = [m for m in _WITH_RANGE if m in columns]
    rows: list[dict[str, Any]] = []
    # Order of the rows: by problem, epsilon, sparsity.
    tickets = [
        ({**problem.values, **one.values}, one)
        for problem in sweep.problems
        for one in sorted(problem.candidates[LOTTERY], key=by_epsilon)
    ]
    for key, one in tickets:
        row = _opening(key, one.trials, one.choice)
        row["seeds_lacking"], row["seeds_awaited"] = lacking(one.trials, len(one.seeds))
        row["competitors"] = one.competitors
        if one.choice is not None:
            row |= _judged(one.chosen, metrics, ranged)
            row["seeds_not_finite"] = int((~_finite(one.chosen)).sum())
        sparsity = row.get("sparsity_achieved", float("nan"))
        row["remaining"] = 100.0 * (1.0 - (sparsity if sparsity == sparsity else row["sparsity"]))
        rows.append(row)
    floats = [
        "remaining",
        "epochs_to_95pct",
        "val_loss",
        *[f"{m}{end}" for m in _WITH_SE for end in ("", "_se")],
        *[f"{m}{end}" for m in ranged for end in ("", "_low", "_high")],
        *metrics,
    ]
    dtypes = {
        **parameter_dtypes([*GROUP, *sweep.problem_axes, *sweep.other_names]),
        **dict.fromkeys(COUNTS, "Int64"),
        "selection": "string",
        "seeds": "Int64",
        "seeds_lacking": "Int64",
        "seeds_awaited": "Int64",
        "seeds_not_finite": "Int64",
        "competitors": "Int64",
        "provisional": "boolean",
        "converged": "boolean",
        **dict.fromkeys(floats, "float64"),
    }
    return typed(rows, dtypes)


def _finite(chosen: pd.DataFrame) -> pd.Series:
    difference = chosen["cvar_05_minus_dense"].astype("float64")
    return difference.abs().lt(math.inf)


def _opening(key: dict[str, Any], group: pd.DataFrame, choice: Choice | None) -> dict[str, Any]:
    tally = counts(group)
    provisional = tally["unfinished"] > 0 or lacking(group)[0] > 0
    row = {**key, **tally, "provisional": provisional}
    if choice is None:
        return row
    return row | {
        **choice.parameters,
        "selection": choice.selection,
        "converged": choice.converged,
        "epochs_to_95pct": choice.epochs_to_95pct,
        "val_loss": choice.val_loss,
        "seeds": len(choice.rows),
    }


def _judged(chosen: pd.DataFrame, metrics: list[str], ranged: list[str]) -> dict[str, Any]:
    shared = shared_paths(chosen)
    row: dict[str, Any] = {}
    for metric in _WITH_SE:
        se = chosen[f"{metric}_se"].tolist() if f"{metric}_se" in chosen.columns else None
        estimate = over_seeds(chosen[metric].tolist(), se, shared_paths=shared)
        row |= {metric: estimate.mean, f"{metric}_se": estimate.se}
    for metric in ranged:
        estimate = over_seeds(chosen[metric].tolist(), shared_paths=shared)
        row |= {
            metric: estimate.mean,
            f"{metric}_low": estimate.low,
            f"{metric}_high": estimate.high,
        }
    for metric in metrics:
        values = chosen[metric].astype("Float64").dropna()
        # Under an attack without a finite CVaR at some seed, the others say nothing of the mean.
        held_all = len(values) > 0 and not lost(chosen, metric)
        row[metric] = float(values.mean()) if held_all else float("nan")
    return row


def _dense_epochs(chosen: pd.DataFrame) -> float:
    if "dense_epochs_to_95pct" not in chosen.columns:
        return float("nan")
    met = chosen["dense_epochs_to_95pct"]
    return float("nan") if met.isna().any() else float(met.astype("float64").mean())
