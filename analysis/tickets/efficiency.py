"""Largest efficient sparsity: the last of those whose CVaR bound stays within the tolerance."""

import math
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import problem_axes, typed
from analysis.intervals import MIN_SEEDS, skew_safe_t
from analysis.sweep import Sweep, Trials
from analysis.sweep_cache import once_per_sweep
from analysis.tickets.opponents import stronger_by_row
from analysis.tickets.summary import summary


@checked
@once_per_sweep
def sparsity_passes(
    trials: Trials, *, tolerance: float = 0.05, confidence: float = 0.95
) -> pd.DataFrame:
    """Summary by sparsity, with a test that CVaR is within ``tolerance`` of the dense network's.

    A sparsity passes when the lower bound of the paired difference is above the margin, and does
    not pass when the upper bound is below it:

        d - c_l SE(d)  >=  -tolerance abs(CVaR of dense)   passes
        d + c_u SE(d)  <   -tolerance abs(CVaR of dense)   does not pass

    with d the mean over seeds of ``cvar_05_minus_dense`` and c the critical value of
    :func:`analysis.intervals.skew_safe_t`, since the difference of a ticket to the network that it
    was cut from is as skewed as the tickets' results. Between the two, ``passes`` is null; so it
    is below three seeds, without a standard error, if a seed has no finite result, because those
    that end are rarely like those that do not, and if the dense network is shown to be worse than
    a hedge without training, which ``not_judged`` then names. ``efficient``: this and every
    smaller swept sparsity of the same epsilon and problem pass.

    The level 1 - ``confidence`` is that of the table. A ladder of sparsities ends at the first
    that is not shown to pass, so it counts as one claim of passing, but any of its sparsities may
    be wrongly called a failure. A configuration that was selected from m on the same seeds counts
    m times, because the luck of a seed is in its validation risk as well. So c_l is at the level
    over (ladders x m), c_u at the level over (rows x m). A choice per seed is the luckiest of
    censored configurations at every seed, so its bounds are infinite.

    Args:
        confidence: one-sided, of all bounds of the table together.
    Raises:
        ValueError: ``tolerance`` negative, or ``confidence`` outside [0.5, 1).
        schema.ColumnError: a column is missing.
    """
    if not 0.0 <= tolerance < float("inf"):
        raise ValueError(f"tolerance must be a share of at least 0, got {tolerance}")
    if not 0.5 <= confidence < 1.0:
        raise ValueError(f"confidence must lie in [0.5, 1), got {confidence}")
    sweep = Sweep.of(trials)
    frame = summary(sweep)
    frame = frame[frame["sparsity"].notna()].reset_index(drop=True)
    frame["margin"] = -tolerance * frame["dense_cvar_05"].abs()
    frame["not_judged"] = stronger_by_row(sweep, frame)
    ladders = [frame[name] for name in (*problem_axes(map(str, frame.columns)), "epsilon")]
    level = (1.0 - confidence) / frame["competitors"].astype("float64")
    # Of censored configurations, the best at every seed is the luckiest.
    level = level.mask(frame["selection"].eq("per seed").fillna(False).astype(bool), 0.0)
    number = frame.groupby(ladders, dropna=False).ngroups
    difference, error = frame["cvar_05_minus_dense"], frame["cvar_05_minus_dense_se"]
    # Equal results differ by rounding at most, and a spread of 0 is no estimate of the noise.
    # Only a network that is the dense one again, path by path, has a difference and error of 0.
    same = difference.eq(0.0) & error.eq(0.0)
    error = error.where(error.gt(1e-12 * frame["dense_cvar_05"].abs()) | same)
    seeds = frame["seeds"].where(_lacking(frame).eq(0)).fillna(0)
    frame["lower_bound"] = difference - error * _critical(seeds, level / max(1, number))
    frame["upper_bound"] = difference + error * _critical(seeds, level / max(1, len(frame)))
    passes, fails = (
        frame["not_judged"].isna() & compared
        for compared in (
            frame["lower_bound"].ge(frame["margin"]),
            frame["upper_bound"].lt(frame["margin"]),
        )
    )
    frame["passes"] = passes.astype("boolean").where(passes | fails)
    # Sorted by sparsity within epsilon and problem, so a cumulative minimum means "all so far".
    so_far = frame["passes"].fillna(False).astype(int)
    efficient = so_far.groupby(ladders, dropna=False).cummin().astype("boolean")
    frame["efficient"] = efficient.where(frame["not_judged"].isna())
    return frame


@checked
def max_efficient_sparsity(
    trials: Trials, *, tolerance: float = 0.05, confidence: float = 0.95
) -> pd.DataFrame:
    """One row per epsilon (and problem): the largest sparsity such that it and all smaller pass.

    ``max_efficient_sparsity`` is null if even the smallest is not shown to pass. ``limit`` is the
    next swept sparsity and ``limited_by`` the reason why it is excluded: "fails", "undecided" (its
    bounds ``limit_lower`` and ``limit_upper`` contain the ``limit_margin``, or are null because of
    fewer than three seeds or seeds without a finite result: ``limit_seeds`` have one,
    ``limit_seeds_lacking`` have none, ``limit_seeds_awaited`` of these may still get one), "not
    judged" (the dense network is worse than the hedge ``not_judged``), or "not swept" if every
    swept sparsity passes. See :func:`sparsity_passes` for the rule and arguments.
    """
    passes = sparsity_passes(trials, tolerance=tolerance, confidence=confidence)
    problem = problem_axes(map(str, passes.columns))
    keys = [*problem, "epsilon"]
    rows: list[dict[str, Any]] = []
    for values, group in passes.groupby(keys, dropna=False, sort=True):
        efficient = group[group["efficient"].fillna(False).astype(bool)]
        failures = group[~group["efficient"].fillna(False).astype(bool)]
        row: dict[str, Any] = {
            **dict(zip(keys, values, strict=True)),
            "swept": len(group),
            "provisional": bool(group["provisional"].any()),
            "limited_by": "not swept",
        }
        if len(failures):
            limit = failures.iloc[0]
            row["limit"] = limit["sparsity"]
            lacking, seeds = int(_lacking(limit)), limit["seeds"]
            row["limit_seeds"] = 0 if pd.isna(seeds) else seeds - _not_finite(limit)
            row |= {"limit_seeds_awaited": limit["seeds_awaited"], "limit_seeds_lacking": lacking}
            row |= {"limit_lower": limit["lower_bound"], "limit_upper": limit["upper_bound"]}
            row |= {"limit_margin": limit["margin"], "not_judged": limit["not_judged"]}
            row["limited_by"] = "undecided" if pd.isna(limit["passes"]) else "fails"
            if pd.notna(limit["not_judged"]):
                row["limited_by"] = "not judged"
        if len(efficient):
            last = efficient.iloc[-1]
            row["max_efficient_sparsity"] = last["sparsity"]
            row |= {name: last[name] for name in ("selection", *_CARRIED)}
        rows.append(row)
    return typed(rows, {"epsilon": "float64", **dict.fromkeys(problem, "any"), **_DTYPES})


def _critical(seeds: pd.Series, levels: pd.Series) -> list[float]:
    return [
        (skew_safe_t(int(n), level) if level > 0.0 else math.inf) if n >= MIN_SEEDS else math.nan
        for n, level in zip(seeds, levels, strict=True)
    ]


def _lacking(rows: pd.DataFrame | pd.Series) -> Any:
    """Seeds without a finite result, of one row or of each."""
    return rows["seeds_lacking"] + _not_finite(rows)


def _not_finite(rows: pd.DataFrame | pd.Series) -> Any:
    number = rows["seeds_not_finite"]
    return number.fillna(0) if isinstance(rows, pd.DataFrame) else 0 if pd.isna(number) else number


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
    "not_judged": "string",
    "selection": "string",
    **dict.fromkeys(_CARRIED, "float64"),
    "swept": "Int64",
    "provisional": "boolean",
}
