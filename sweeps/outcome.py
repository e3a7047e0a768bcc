"""Outcome of a sweep: results, counts of trials and exit status."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.journal.state import TrialState
from sweeps.planning.plan import Plan
from sweeps.text import plural

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from analysis import Recommendation

ALL_COMPLETED, NONE_COMPLETED, SOME_FAILED = 0, 1, 3
"""Exit statuses of a sweep that ended; 2 is that of an invalid request."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sweep:
    """A sweep that ended, with its results.

    >>> sweep.best[0].trial_id
    >>> sweep.trials().query("status == 'completed'")
    >>> hedge = sweep.load("1f3a")
    """

    storage: Path | str
    """Its folder, or its URL on an object store."""
    plan: Plan
    states: Mapping[str, TrialState]
    """States of its trials by id, folded from the log."""
    unfinished: int
    """Number of trials of the plan that have not ended."""
    within_budget: bool
    """True unless the budget ended it."""
    missing_models: Mapping[str, str]
    """Reason, by trial id, of each missing or changed model that was not trained again."""
    seconds: float
    study: "optuna.Study | None" = None
    """Optuna study of a search that learns: every proposal complete, pruned or failed."""

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {status}" for status, n in sorted(self.counts.items()))
        return f"Sweep({self.plan.space.name!r}, storage={str(self.storage)!r}: {counts})"

    @property
    def best(self) -> "tuple[Recommendation, ...]":
        """Recommended networks, see :func:`analysis.recommendations`; empty without one.

        Raises:
            analysis.StorageError: a table cannot be read.
        """
        import analysis  # only where results are read: pandas is slow to import

        return tuple(analysis.recommendations(self.storage))

    def trials(self) -> "pd.DataFrame":
        """One row per trial, see :func:`analysis.load_trials`.

        Raises:
            analysis.StorageError: the table cannot be read.
        """
        import analysis

        return analysis.load_trials(self.storage)

    def epochs(self) -> "pd.DataFrame":
        """One row per trial and epoch, see :func:`analysis.load_epochs`.

        Raises:
            analysis.StorageError: the table cannot be read.
        """
        import analysis

        return analysis.load_epochs(self.storage)

    def load(self, trial_id: str) -> Any:
        """Trained model of a completed trial, see :func:`sweeps.load_model`.

        Args:
            trial_id: a unique prefix of the trial's id.
        Raises:
            UsageError: no such trial, with the nearest ids, or one without a model.
        """
        from sweeps.inspection.models import load_model  # imports torch

        return load_model(self.storage, trial_id)

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of trials by status; "not begun" if no worker has started one."""
        return Counter(
            trial.ended or ("interrupted" if trial.begun else "not begun")
            for trial in self.states.values()
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
        ends = [trial.end for trial in self.states.values() if trial.ended == "failed"]
        errors = [end.error for end in ends if end]
        if errors:
            ((most, times),) = Counter(errors).most_common(1)
            none = "" if self.counts.get("completed") else ", and none completed"
            lines.append(
                f"{len(errors):,} of {plural(len(self.states), 'trial')} failed{none}; "
                f"{times:,} of them with: {most}"
            )
        return lines
