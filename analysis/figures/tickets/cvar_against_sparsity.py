"""Test CVaR and Sharpe ratio against the share of weights that remain."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from analysis.configurations import LOTTERY, shared_paths
from analysis.contrast import bars
from analysis.figures.palette import LINES
from analysis.figures.problem import one_problem
from analysis.figures.style import NothingToDraw, caption
from analysis.figures.tickets.remaining import by_budget, inset, panel
from analysis.statistics import Estimate, over_seeds, student_reach
from analysis.sweep import Sweep, Trials
from analysis.tickets.baselines import DENSE, baselines
from analysis.tickets.efficiency import max_efficient_sparsity, sparsity_passes
from analysis.wording import percent, seed_range

_JOINED = "Lines only join the points: no other sparsity was trained."


def cvar_against_remaining(
    trials: Trials, ax: Axes, *, tolerance: float = 0.05, confidence: float = 0.95
) -> None:
    """Test CVaR 5 % against the remaining weights in %, one line per epsilon, and dense.

    The best hedge without training is dotted, if the manifest of the trials has any.

    Every point is a row of :func:`analysis.summary`, the learning rate with the best validation
    risk: its mean over seeds, with its Student interval; a wide pale bar is
    the range over seeds. A ring marks the max efficient sparsity. Where collapsed networks
    compress all others into a line, an inset magnifies these.

    Args:
        tolerance: share of the dense network's CVaR that may be lost; shaded.
        confidence: one-sided confidence level at which the loss must be within it.
    Raises:
        NothingToDraw: no trial has completed, there are more epsilons than line styles,
            or the trials are of more than one problem.
    """
    problem = one_problem(trials)
    passes = sparsity_passes(trials, tolerance=tolerance, confidence=confidence)
    answer = max_efficient_sparsity(trials, tolerance=tolerance, confidence=confidence)
    points = _points(passes, "cvar_05")
    dense = _dense(trials, "dense_cvar_05", "dense_cvar_05_se")
    labels: dict[float | None, str] = {}
    rings: dict[float | None, float] = {}
    for epsilon, _ in by_budget(points):
        row = answer[_same(answer["epsilon"], epsilon)].iloc[0]
        rings[epsilon] = row["max_efficient_sparsity"]
        labels[epsilon] = f"{_name(epsilon)}\n{_efficient(row)}".strip()
    margin = tolerance * abs(dense.mean) if math.isfinite(dense.mean) else 0.0
    reach = points["cvar_05_se"] * [student_reach(n) for n in points["seeds"].fillna(0)]
    reach = reach.fillna(0.0)
    half = dense.reach if math.isfinite(dense.reach) else 0.0
    band = (dense.mean - half, dense.mean + half)
    hedge = _best_hedge(trials)
    look: dict[str, Any] = {
        "reach": reach,
        "dense": dense,
        "band": band,
        "margin": margin,
        "rings": rings,
    }
    panel(ax, points, "cvar_05", **look, labels=labels, hedge=hedge)
    if magnified := inset(ax, points, "cvar_05", margin=margin, dense=dense):
        panel(magnified, points, "cvar_05", **look, labels=labels, hedge=hedge, small=True)
    ax.set_ylabel("test CVaR 5 % (currency per option, S0 = 100)")
    ax.set_title(f"Tail risk against remaining weights{problem}")
    caption(
        ax,
        [
            f"Points: {_choice(points)}{_seeds(points)}.",
            f"Green: within {percent(tolerance)} of the dense network (dashed"
            f"{'; band: 95 % interval' if half else ''}); {bars(int(points['seeds'].max()))}.",
            *_ring(rings, confidence),
            _JOINED,
            *_unfinished(passes),
        ],
    )


def sharpe_against_remaining(trials: Trials, ax: Axes) -> None:
    """Sharpe ratio of test P&L against the remaining weights in %, at the CVaR figure's points.

    Raises:
        NothingToDraw: no trial has completed, there are more epsilons than line styles,
            or the trials are of more than one problem.
    """
    problem = one_problem(trials)
    passes = sparsity_passes(trials)
    if "sharpe_ratio" not in passes.columns:
        raise NothingToDraw("no Sharpe ratio was recorded")
    points = _points(passes, "sharpe_ratio")
    dense = _dense(trials, "dense_sharpe_ratio", None)
    labels = {epsilon: _name(epsilon) for epsilon, _ in by_budget(points)}
    half = dense.reach if math.isfinite(dense.reach) else 0.0
    band = (dense.mean - half, dense.mean + half)
    reach = _reach(trials, points, "sharpe_ratio")
    panel(ax, points, "sharpe_ratio", reach=reach, labels=labels, dense=dense, band=band)
    ax.set_ylabel("Sharpe ratio of test P&L plus price (mean / s.d.)")
    ax.set_title(f"Sharpe ratio against remaining weights (not a selection criterion){problem}")
    caption(
        ax,
        [
            "Not a selection criterion: not hedging at all can have the better ratio. "
            "Sparsity is chosen on CVaR 5 %.",
            f"Points: {_choice(points)}{_seeds(points)}.",
            f"Dashed: the dense network{', band: its 95 % interval' if half else ''}; "
            f"{bars(int(points['seeds'].max()))}.",
            _JOINED,
            *_unfinished(passes),
        ],
    )


def _points(passes: pd.DataFrame, metric: str) -> pd.DataFrame:
    points = passes[passes[metric].notna() & (passes["remaining"] > 0)]
    if points.empty:
        raise NothingToDraw("no trial has completed")
    epsilons = points["epsilon"].nunique(dropna=False)
    if epsilons > len(LINES):
        raise NothingToDraw(
            f"{epsilons} values of epsilon are more than {len(LINES)} lines can tell apart; "
            "draw a part of the trials"
        )
    return points


def _reach(trials: Trials, points: pd.DataFrame, metric: str) -> pd.Series:
    """Half of the Student interval over seeds of every point; 0 without one."""
    (problem,) = Sweep.of(trials).problems
    halves: dict[Any, float] = {}
    for one in problem.candidates[LOTTERY]:
        same = points["sparsity"].eq(one.sparsity) & _same(points["epsilon"], _known(one.epsilon))
        estimate = over_seeds(one.by_seed(metric).tolist(), shared_paths=True)
        halves |= dict.fromkeys(points.index[same], estimate.reach)
    return pd.Series(halves, dtype="float64").reindex(points.index).fillna(0.0)


def _dense(trials: Trials, value: str, se: str | None) -> Estimate:
    needed = [value] + ([se] if se else [])
    frame = Sweep.of(trials, needed=needed, purpose="the dense baseline").tickets
    frame = frame[frame[value].notna()].drop_duplicates("config/seed")
    errors = frame[se].tolist() if se else None
    return over_seeds(frame[value].tolist(), errors, shared_paths=shared_paths(frame))


def _best_hedge(trials: Trials) -> tuple[str, float] | None:
    """Name and CVaR 5 % of the best hedge without training; None without a manifest."""
    sweep = Sweep.of(trials)
    rows = baselines(sweep, sweep.manifest)
    rows = rows[rows["hedge"].ne(DENSE) & rows["cvar_05"].notna()]
    return None if rows.empty else (str(rows["name"].iloc[0]), float(rows["cvar_05"].iloc[0]))


def _name(epsilon: float | None) -> str:
    return "" if epsilon is None else f"ε = {epsilon:g}"


def _efficient(row: pd.Series) -> str:
    most, undecided = row["max_efficient_sparsity"], row["limited_by"] == "undecided"
    if pd.isna(most):
        return "undecided" if undecided else "none efficient"
    return f"efficient to {percent(most)}" + (" at least" if undecided else "")


def _ring(rings: Mapping[float | None, float], confidence: float) -> list[str]:
    """Caption on the max efficient sparsity, with or without a ring."""
    within = f"stay within green at {percent(confidence)} confidence (paired difference)."
    if all(pd.isna(sparsity) for sparsity in rings.values()):
        return [
            "No ring: of no sparsity is it shown that it and every smaller swept one",
            within,
        ]
    return [f"Ring: max efficient sparsity. It and every smaller swept one {within}"]


def _unfinished(passes: pd.DataFrame) -> list[str]:
    remainder = int(passes["unfinished"].sum())
    total = int(passes["trials"].sum())
    return [f"Provisional: {remainder:,} of {total:,} trials unfinished."] if remainder else []


def _known(epsilon: float) -> float | None:
    return None if math.isnan(epsilon) else epsilon


def _same(epsilons: pd.Series, epsilon: float | None) -> pd.Series:
    return epsilons.isna() if epsilon is None else epsilons.eq(epsilon)


def _choice(points: pd.DataFrame) -> str:
    """The selection behind the points; empty if no learning rate was swept."""
    number = int(points["selection"].eq("per seed").sum())
    where = "" if number == len(points) else f" at {number:,} of {len(points):,} points"
    each = f" (of each seed{where})" if number else ""
    swept = number or points["lr"].notna().any()
    return f"learning rate with the best validation risk{each}, " if swept else ""


def _seeds(points: pd.DataFrame) -> str:
    most = int(points["seeds"].max())
    over = seed_range(points["seeds"])
    return f"mean over {over} (pale: their range)" if most > 1 else "one seed"
