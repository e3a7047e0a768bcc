"""Outcome of a sweep: results, counts of trials and exit status."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.journal.state import TrialState
from sweeps.planning.plan import Plan
from sweeps.text import plural

if TYPE_CHECKING:
    import optuna

ALL_COMPLETED, NONE_COMPLETED, SOME_FAILED = 0, 1, 3
"""Exit statuses of a sweep that ended; 2 is that of an invalid request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep that ended, with the states of its trials."""

    storage: Path | str
    """Its folder, or its URL on an object store."""
    plan: Plan
    trials: Mapping[str, TrialState]
    unfinished: int
    """Number of trials of the plan that have not ended."""
    within_budget: bool
    """True unless the budget ended it."""
    missing_models: Mapping[str, str]
    """Reason, by trial id, of each missing or changed model that was not trained again."""
    seconds: float
    study: "optuna.Study | None" = None
    """Optuna study of a search that learns: every proposal complete, pruned or failed."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of trials by status; "not begun" if no worker has started one."""
        return Counter(
            trial.ended or ("interrupted" if trial.begun else "not begun")
            for trial in self.trials.values()
        )

    @property
    def exit_status(self) -> int:
        """0 if every trial that ended completed or was stopped; 3 if some failed.

        1 if trials failed and none completed, or if a model is missing.
        """
        failed, completed = self.counts.get("failed", 0), self.counts.get("completed", 0)
        if self.missing_models or (failed and not completed):
            return NONE_COMPLETED
        return SOME_FAILED if failed else ALL_COMPLETED

    def problems(self) -> list[str]:
        """Failures of trials and missing models, one line each."""
        lines = [
            f"model of trial {trial_id}: {reason}"
            for trial_id, reason in self.missing_models.items()
        ]
        ends = [trial.end for trial in self.trials.values() if trial.ended == "failed"]
        errors = [end.error for end in ends if end]
        if errors:
            ((most, times),) = Counter(errors).most_common(1)
            none = "" if self.counts.get("completed") else ", and none completed"
            lines.append(
                f"{len(errors):,} of {plural(len(self.trials), 'trial')} failed{none}; "
                f"{times:,} of them with: {most}"
            )
        return lines
