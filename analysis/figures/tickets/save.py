"""Every figure of a tickets sweep, saved as PNG and PDF."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from analysis.configurations import LOTTERY, seed_count
from analysis.figures.rendering import Plan, Saved, alone, draw_plans, draw_problems
from analysis.figures.tickets import importance
from analysis.figures.tickets.audit import early_stopping_audit
from analysis.figures.tickets.boosting import budget_plans
from analysis.figures.tickets.controls import controls_beside_ticket, size_of_controls
from analysis.figures.tickets.convergence import convergence_speed
from analysis.figures.tickets.cvar_against_sparsity import (
    cvar_against_remaining,
    sharpe_against_remaining,
)
from analysis.figures.tickets.mask_overlap import mask_overlap
from analysis.figures.tickets.mask_patterns import mask_patterns, size_of_patterns
from analysis.figures.tickets.robustness import robustness_plans
from analysis.figures.tickets.seeds import seeds_compared
from analysis.figures.tickets.weights import weight_distribution
from analysis.sweep import Problem, Sweep, Trials, by_epsilon
from analysis.tickets.boosting import matching
from analysis.tickets.controls import controls
from analysis.tickets.efficiency import max_efficient_sparsity
from analysis.tickets.network_comparison import Tickets
from analysis.wording import percent

_MOST_GROUPS = 12
_AUDIT = "early_stopping_audit"


def save(
    folder: str | Path,
    trials: Trials,
    *,
    audited: pd.DataFrame | None = None,
    budgets: pd.DataFrame | None = None,
    control_rows: pd.DataFrame | None = None,
    tolerance: float = 0.05,
    confidence: float = 0.95,
) -> Saved:
    """Write every figure to ``<folder>/figures``; returns the files and reasons for skips.

    Convergence speed is drawn for the ticket to deploy, the sparsest efficient one at the smallest
    epsilon; for other pairs of sparsity and epsilon, at most 12, in a sub-folder.

    If the space varies the problem (such as ``market.xi``), every problem has its own figures, in
    a folder named after it; at most 6. The audit of early stopping is one figure for all, because
    its strata are the scheduler's.

    Args:
        audited: the frame from :func:`analysis.audit`.
        budgets: the frame from :func:`analysis.budget_curves`.
        control_rows: the frame from :func:`analysis.controls`, whose verdicts are those of its
            page; computed for each problem if None.
    Raises:
        StorageError: ``folder`` cannot be written.
    """

    def draw(problem: Problem) -> Saved:
        rows = (
            controls(problem) if control_rows is None else matching(control_rows, problem.values)
        )
        plans, skipped = _plans(problem, rows, tolerance=tolerance, confidence=confidence)
        if budgets is not None:
            plans += budget_plans(matching(budgets, problem.values))
        return draw_plans(Path(folder), plans, of=problem.title, skipped=skipped)

    cure = "; pass analysis.figures.save a part of the trials for others"
    saved = draw_problems(Sweep.of(trials), draw, cure=cure)
    if audited is not None and len(audited):
        plan = alone(_AUDIT, lambda ax: early_stopping_audit(audited, ax))
        saved += draw_plans(Path(folder), [plan])
    return saved


def save_ticket_figures(folder: str | Path, compared: Sequence[Tickets]) -> Saved:
    """Write the figures of networks, in the folder of their problem if there are several.

    Args:
        compared: from :func:`analysis.tickets.network_comparison.tickets`.
    Raises:
        StorageError: ``folder`` cannot be written.
    """
    saved = Saved()
    for one in compared:
        where = f"sparsity {percent(one.chosen.sparsity)}"
        saved += draw_plans(
            Path(folder),
            ticket_plans(one) if one.models else [],
            of=one.problem,
            heading=f"{one.problem}: {where}" if one.problem else where,
            skipped=() if one.models else ["figures of networks: none can be read"],
        )
    return saved


def _plans(
    trials: Problem, control_rows: pd.DataFrame, *, tolerance: float, confidence: float
) -> tuple[list[Plan], list[str]]:
    """Plans of the figures of one problem, and reasons for skips."""
    plans: list[Plan] = [
        alone(
            "cvar_against_remaining",
            lambda ax: cvar_against_remaining(
                trials, ax, tolerance=tolerance, confidence=confidence
            ),
        ),
        alone("sharpe_against_remaining", lambda ax: sharpe_against_remaining(trials, ax)),
    ]
    tickets = sorted(trials.candidates[LOTTERY], key=by_epsilon)
    candidates = [one for one in tickets if not math.isnan(one.sparsity)]
    pairs = [_pair(one.sparsity, one.epsilon) for one in candidates if one.choice]
    skipped = []
    if 0 < len(pairs) < len(candidates):
        skipped.append(
            f"convergence_speed: no trial has completed at {len(candidates) - len(pairs)} of "
            f"{len(candidates)} pairs of sparsity and epsilon"
        )
    if len(pairs) > _MOST_GROUPS + 1:
        skipped.append(
            f"convergence_speed: {len(pairs)} pairs of sparsity and epsilon, drawn for "
            f"{_MOST_GROUPS + 1}; call analysis.figures.convergence_speed for others"
        )
    if not pairs:
        skipped.append("convergence_speed: no trial has completed")
    if pairs:
        chosen = _deployable(trials, pairs, tolerance=tolerance, confidence=confidence)
        plans.insert(0, alone("convergence_speed", _speed(trials, *chosen)))
        rivals = [pair for pair in pairs if pair != chosen][:_MOST_GROUPS]
        plans += [alone(_speed_name(*pair), _speed(trials, *pair)) for pair in rivals]
    if seed_count(trials.tickets) > 1:
        plans.append(alone("seeds", lambda ax: seeds_compared(trials, ax)))
    plans += robustness_plans(trials, tolerance=tolerance, confidence=confidence)
    if len(control_rows):
        draw = partial(controls_beside_ticket, control_rows)
        plans.append(("controls", size_of_controls(control_rows), draw))
    return plans, skipped


def ticket_plans(one: Tickets) -> list[Plan]:
    """Plans of the figures of networks of one problem."""
    pair = one.pair()
    correlation = partial(importance.importance_correlation, one.importances, one.means)
    return [
        ("mask_patterns", size_of_patterns(pair), partial(mask_patterns, pair)),
        ("importance", (13.0, 6.2), partial(importance.importance_bars, one.means)),
        ("importance_correlation", (11.5, 5.8), correlation),
        ("importance_shift", (10.5, 7.4), partial(importance.importance_shift, one.shifts)),
        ("weights", (12.0, 4.8), partial(weight_distribution, one.models)),
        ("mask_overlap", (11.5, 5.0), partial(mask_overlap, one.overlaps)),
    ]


def _speed(trials: Problem, sparsity: float, epsilon: float | None) -> Callable[[Axes], None]:
    return lambda ax: convergence_speed(trials, ax, sparsity=sparsity, epsilon=epsilon)


def _speed_name(sparsity: float, epsilon: float | None) -> str:
    end = "" if epsilon is None else f"_epsilon_{epsilon:g}"
    return f"convergence_speed/sparsity_{sparsity:g}{end}"


def _deployable(
    trials: Problem,
    pairs: list[tuple[float, float | None]],
    *,
    tolerance: float,
    confidence: float,
) -> tuple[float, float | None]:
    """The sparsest efficient ticket at the smallest epsilon; without one, the first pair."""
    answers = max_efficient_sparsity(trials, tolerance=tolerance, confidence=confidence)
    for sparsity, epsilon in answers[["max_efficient_sparsity", "epsilon"]].itertuples(
        index=False, name=None
    ):
        if (pair := _pair(sparsity, epsilon)) in pairs:
            return pair
    return pairs[0]


def _pair(sparsity: float, epsilon: float) -> tuple[float, float | None]:
    # None, not NaN, for a missing axis, because a pair must equal itself.
    return sparsity, None if math.isnan(epsilon) else float(epsilon)
