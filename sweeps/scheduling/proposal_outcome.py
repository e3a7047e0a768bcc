"""Outcome of a proposal for the search, from the states of its trials."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from sweeps.journal.records import UserStop
from sweeps.journal.state import TrialState
from sweeps.planning.plan import Plan

if TYPE_CHECKING:
    from sweeps.scheduling.optuna_search import Outcome


def outcome_of(trials: Sequence[TrialState], plan: Plan) -> "Outcome":
    """Outcome of a settled proposal with these ``trials``, one per seed.

    Optuna ranks pruned trials by their last step, and only then by value. So that a diverged one
    ranks last, it is pruned where it diverged, or at the first rung if that is earlier. A trial
    that a user stopped, or started again, tells nothing of its configuration.
    """
    from sweeps.scheduling.optuna_search import Outcome

    steered = any(trial.retried or isinstance(trial.stop, UserStop) for trial in trials)
    failed = [trial for trial in trials if trial.ended == "failed"]
    if steered or any(not (trial.end and trial.end.diverged) for trial in failed):
        return Outcome(state="failed", values=None, steps={})
    if failed:
        epoch = min(max(trial.epochs, default=0) + 1 for trial in failed)
        first = min([epoch, *plan.rungs])
        return Outcome(state="pruned", values=None, steps={first: math.nan})
    steps = _steps(trials, plan)
    if any(trial.ended == "stopped" for trial in trials):
        return Outcome(state="pruned", values=None, steps=steps)
    columns = [[_objective(trial, name) for trial in trials] for name in plan.objectives]
    means = tuple(fmean(column) for column in columns)
    return Outcome(state="complete", values=means, steps=steps)


def _steps(trials: Sequence[TrialState], plan: Plan) -> dict[int, float]:
    """The compared value at every rung, mean over seeds; one that ended keeps its last."""
    metric = plan.space.scheduler.metric if plan.space.scheduler else ""
    # A further seed of a configuration that was stopped has no epochs.
    rows = [epochs for trial in trials if (epochs := trial.rows())]
    last = max(len(epochs) for epochs in rows)
    # Independent of decisions, which may come after a trial has ended by itself.
    return {
        rung: fmean(_number(epochs[min(rung, len(epochs)) - 1][metric]) for epochs in rows)
        for rung in plan.rungs
        if rung <= last
    }


def _objective(trial: TrialState, name: str) -> float:
    """Value of ``name`` for a trial; a column of epochs is read at the best validation."""
    return _number({**(trial.best() or {}), **trial.facts, **trial.metrics}.get(name))


def _number(value: float | None) -> float:
    return math.nan if value is None else value
