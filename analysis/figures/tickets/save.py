"""Every figure of a tickets sweep, saved as PNG and PDF."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.configurations import LOTTERY, seed_count
from analysis.figures.rendering import (
    Batch,
    Plan,
    Saved,
    alone,
    draw_batches,
    problem_batches,
)
from analysis.figures.tickets import importance
from analysis.figures.tickets.audit import early_stopping_audit
from analysis.figures.tickets.boosting import budget_plans
from analysis.figures.tickets.controls import controls_beside_ticket, size_of_controls
from analysis.figures.tickets.cvar_against_sparsity import (
    cvar_against_remaining,
    sharpe_against_remaining,
)
from analysis.figures.tickets.heat_map import size_of_map, sparsity_and_epsilon
from analysis.figures.tickets.learning_curves import learning_curves, size_of_curves
from analysis.figures.tickets.mask_atlas import mask_atlas, size_of_atlas
from analysis.figures.tickets.mask_overlap import mask_overlap, size_of_overlap
from analysis.figures.tickets.mask_patterns import mask_patterns, size_of_patterns
from analysis.figures.tickets.profiles import profile_plans
from analysis.figures.tickets.robustness import robustness_plans
from analysis.figures.tickets.seeds import seeds_figure
from analysis.figures.tickets.speeds import convergence_speeds, size_of_speeds
from analysis.figures.tickets.weights import weight_distribution
from analysis.recommendations import recommendations
from analysis.sweep import Problem, Sweep, Trials
from analysis.tickets.boosting import matching
from analysis.tickets.controls import controls
from analysis.tickets.network_comparison import Tickets
from analysis.tickets.robustness import robustness_table
from analysis.wording import percent

_AUDIT = "early_stopping_audit"


def save(
    folder: str | Path,
    trials: Trials,
    *,
    audited: pd.DataFrame | None = None,
    budgets: pd.DataFrame | None = None,
    control_rows: pd.DataFrame | None = None,
    profiled: Mapping[str, Any] | None = None,
    networks: Sequence[Tickets] = (),
    tolerance: float = 0.05,
    confidence: float = 0.95,
) -> Saved:
    """Write every figure to ``<folder>/figures``; returns the files and reasons for skips.

    Figures of epochs and of networks need a sweep with files instead of a frame of trials.

    If the space varies the problem (such as ``market.xi``), every problem has its own figures, in
    a folder named after it; at most 6. The audit of early stopping is one figure for all, because
    its strata are the scheduler's.

    Args:
        audited: the frame from :func:`analysis.audit`.
        budgets: the frame from :func:`analysis.budget_curves`.
        control_rows: the frame from :func:`analysis.controls`, whose verdicts are those of its
            page; computed for each problem if None.
        profiled: profiles of recommended tickets as ``rows``, or the ``reason`` for none; see
            :mod:`analysis.tickets.profiles`.
        networks: from :func:`analysis.tickets.network_comparison.tickets`.
    Raises:
        StorageError: ``folder`` cannot be written.
    """

    def batch(problem: Problem) -> Batch:
        rows = (
            controls(problem) if control_rows is None else matching(control_rows, problem.values)
        )
        plans, skipped = _plans(problem, rows, tolerance=tolerance, confidence=confidence)
        if problem.files is not None:
            profile, reasons = profile_plans(problem, profiled)
            plans, skipped = plans + profile, skipped + reasons
        if budgets is not None:
            plans += budget_plans(matching(budgets, problem.values))
        return Batch(plans=plans, of=problem.title, skipped=skipped)

    cure = "; pass analysis.figures.save a part of the trials for others"
    batches = problem_batches(Sweep.of(trials), batch, cure=cure)
    if audited is not None and len(audited):
        plan = alone(_AUDIT, lambda ax: early_stopping_audit(audited, ax))
        batches.append(Batch(plans=[plan]))
    return draw_batches(folder, batches + _network_batches(networks))


def save_ticket_figures(folder: str | Path, compared: Sequence[Tickets]) -> Saved:
    """Write the figures of networks, in the folder of their problem if there are several.

    Args:
        compared: from :func:`analysis.tickets.network_comparison.tickets`.
    Raises:
        StorageError: ``folder`` cannot be written.
    """
    return draw_batches(folder, _network_batches(compared))


def _network_batches(compared: Sequence[Tickets]) -> list[Batch]:
    batches = []
    for one in compared:
        place = f"sparsity {percent(one.chosen.sparsity)}"
        batches.append(
            Batch(
                plans=ticket_plans(one) if one.models else [],
                of=one.problem,
                heading=f"{one.problem}: {place}" if one.problem else place,
                skipped=() if one.models else ["figures of networks: none can be read"],
            )
        )
    return batches


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
    skipped = []
    lotteries = [one for one in trials.candidates[LOTTERY] if not math.isnan(one.sparsity)]
    completed = sum(one.choice is not None for one in lotteries)
    if 0 < completed < len(lotteries):
        skipped.append(
            f"convergence_speed: no trial has completed at {len(lotteries) - completed} of "
            f"{len(lotteries)} pairs of sparsity and epsilon"
        )
    speeds = partial(convergence_speeds, trials)
    plans.insert(0, ("convergence_speed", size_of_speeds(trials), speeds))
    if seed_count(trials.tickets) > 1:
        plans.append(("seeds", (8.8, 7.4), partial(seeds_figure, trials)))
    if trials.files is not None:
        draw: Callable[[Figure], None] = partial(learning_curves, trials)
        plans.append(("learning_curves", size_of_curves(trials), draw))
        plans.append(("mask_atlas", size_of_atlas(trials), partial(mask_atlas, trials)))
    plans += robustness_plans(trials, tolerance=tolerance, confidence=confidence)
    completed_tickets = trials.tickets[trials.tickets["status"].eq("completed")]
    if completed_tickets[["config/sparsity", "config/epsilon"]].nunique().gt(1).all():
        table = robustness_table(trials)
        framed = [
            (float(c["sparsity"]), float(c["epsilon"]))
            for one in recommendations(trials, tolerance=tolerance, confidence=confidence)
            if {"sparsity", "epsilon"} <= (c := one.configuration).keys()
        ]
        heat = partial(sparsity_and_epsilon, table, recommended=framed)
        plans.append(("sparsity_and_epsilon", size_of_map(table), heat))
    if len(control_rows):
        beside = partial(controls_beside_ticket, control_rows)
        plans.append(("controls", size_of_controls(control_rows), beside))
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
        ("mask_overlap", size_of_overlap(one.overlaps), partial(mask_overlap, one.overlaps)),
    ]
