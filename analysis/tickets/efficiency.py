"""Largest efficient sparsity: the last of those whose CVaR bound stays within the tolerance."""

import math
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import problem_axes, typed
from analysis.intervals import MIN_SEEDS, skew_safe_t
from analysis.sweep import Trials
from analysis.tickets.summary import summary


@checked
def sparsity_passes(
    trials: Trials, *, tolerance: float = 0.05, confidence: float = 0.95
) -> pd.DataFrame:
    """Summary by sparsity, with a test that CVaR is within ``tolerance`` of the dense network's.

    A sparsity passes when the lower bound of the paired difference is above the margin, and does
    not pass when the upper bound is below it:

        d - c SE(d)  >=  -tolerance |CVaR of dense|      passes
        d + c SE(d)  <   -tolerance |CVaR of dense|      does not pass

    with d the mean over seeds of ``cvar_05_minus_dense`` and c the critical value of
    :func:`analysis.intervals.skew_safe_t`, since the difference of a ticket to the network that it
    was cut from is as skewed as the tickets' results. Between the two, ``passes`` is null; so it
    is below three seeds, and if a seed has no completed result (``seeds_lacking``), because those
    that end are rarely like those that do not. ``efficient``: this and every smaller swept
    sparsity of the same epsilon and problem pass. A claim requires every smaller one to pass at
    the full level, so it needs no correction for multiple tests.

    Args:
        confidence: one-sided level of each bound.
    Raises:
        ValueError: ``tolerance`` negative, or ``confidence`` outside [0.5, 1).
        schema.ColumnError: a column is missing.
    """
    if not 0.0 <= tolerance < float("inf"):
        raise ValueError(f"tolerance must be a share of at least 0, got {tolerance}")
    if not 0.5 <= confidence < 1.0:
        raise ValueError(f"confidence must lie in [0.5, 1), got {confidence}")
    frame = summary(trials)
    frame = frame[frame["sparsity"].notna()].reset_index(drop=True)
    frame["margin"] = -tolerance * frame["dense_cvar_05"].abs()
    reach = frame["cvar_05_minus_dense_se"] * [
        _critical(n, confidence)
        for n in frame["seeds"].where(frame["seeds_lacking"].eq(0)).fillna(0)
    ]
    difference = frame["cvar_05_minus_dense"]
    frame["lower_bound"], frame["upper_bound"] = difference - reach, difference + reach
    passes = frame["lower_bound"].ge(frame["margin"])
    frame["passes"] = passes.astype("boolean").where(
        passes | frame["upper_bound"].lt(frame["margin"])
    )
    # Sorted by sparsity within epsilon and problem, so a cumulative minimum means "all so far".
    so_far = frame["passes"].fillna(False).astype(int)
    ladders = [frame[name] for name in (*problem_axes(map(str, frame.columns)), "epsilon")]
    frame["efficient"] = so_far.groupby(ladders, dropna=False).cummin().astype("boolean")
    return frame


@checked
def max_efficient_sparsity(
    trials: Trials, *, tolerance: float = 0.05, confidence: float = 0.95
) -> pd.DataFrame:
    """One row per epsilon (and problem): the largest sparsity such that it and all smaller pass.

    ``max_efficient_sparsity`` is null if even the smallest does not pass. ``limit`` is the next
    swept sparsity and ``limited_by`` the reason why it is excluded: "fails", "undecided" (its
    bounds ``limit_lower`` and ``limit_upper`` contain the ``limit_margin``, or are null because of
    fewer than three seeds or seeds without a completed result: ``limit_seeds`` have one,
    ``limit_seeds_lacking`` have none, ``limit_seeds_awaited`` of these may still get one), or "not
    swept" if every swept sparsity passes. See :func:`sparsity_passes` for the rule and
    arguments.
    """
    passes = sparsity_passes(trials, tolerance=tolerance, confidence=confidence)
    problem = problem_axes(map(str, passes.columns))
    keys = [*problem, "epsilon"]
    rows: list[dict[str, Any]] = []
    for values, group in passes.groupby(keys, dropna=False, sort=True):
        efficient = group[group["efficient"].astype(bool)]
        failures = group[~group["efficient"].astype(bool)]
        row: dict[str, Any] = {
            **dict(zip(keys, values, strict=True)),
            "swept": len(group),
            "provisional": bool(group["provisional"].any()),
            "limited_by": "not swept",
        }
        if len(failures):
            limit = failures.iloc[0]
            row["limit"] = limit["sparsity"]
            row["limit_seeds"] = 0 if pd.isna(limit["seeds"]) else limit["seeds"]
            row |= {f"limit_{name}": limit[name] for name in ("seeds_awaited", "seeds_lacking")}
            row |= {"limit_lower": limit["lower_bound"], "limit_upper": limit["upper_bound"]}
            row["limit_margin"] = limit["margin"]
            row["limited_by"] = "undecided" if pd.isna(limit["passes"]) else "fails"
        if len(efficient):
            last = efficient.iloc[-1]
            row["max_efficient_sparsity"] = last["sparsity"]
            row |= {name: last[name] for name in ("selection", *_CARRIED)}
        rows.append(row)
    return typed(rows, {"epsilon": "float64", **dict.fromkeys(problem, "any"), **_DTYPES})


def _critical(seeds: float, confidence: float) -> float:
    return skew_safe_t(int(seeds), 1.0 - confidence) if seeds >= MIN_SEEDS else math.nan


_CARRIED = (
    "lr",
    "remaining",
    "cvar_05",
    "dense_cvar_05",
    "cvar_05_minus_dense",
    "lower_bound",
    "margin",
)
_DTYPES = {
    "max_efficient_sparsity": "float64",
    "limit": "float64",
    "limited_by": "string",
    "limit_seeds": "Int64",
    "limit_seeds_awaited": "Int64",
    "limit_seeds_lacking": "Int64",
    **dict.fromkeys(("limit_lower", "limit_upper", "limit_margin"), "float64"),
    "selection": "string",
    **dict.fromkeys(_CARRIED, "float64"),
    "swept": "Int64",
    "provisional": "boolean",
}
