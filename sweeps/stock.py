"""ASHA within strata: a trial is only ever judged against trials of its own stratum.

An adversarially trained ticket loses on clean validation paths by design, and a sparse one by
being sparse; so rivals share sparsity, epsilon and seed (or whatever ``stratify_by`` names), and
every stratum keeps a finisher.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

from search_spaces import Asha

# Later than any epoch: the generator decides when a trial is complete, ASHA only who goes on from
# a rung.
_NEVER = 10**9


class StratifiedAsha(FIFOScheduler):
    """One of Ray's ``ASHAScheduler`` for every stratum, made when its first trial arrives."""

    def __init__(self, asha: Asha, stratum: Callable[[Mapping[str, Any]], Hashable]) -> None:
        super().__init__()
        self._asha = asha
        self._stratum = stratum
        self._brackets: dict[Hashable, ASHAScheduler] = {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Enter ``trial`` into its stratum."""
        self._of(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """CONTINUE or STOP, judged among the trials of one stratum."""
        last = trial.config["trial"]["study"]["training"]["epochs"]
        if result.get("epoch", last) >= last:
            return self.CONTINUE
        return self._of(trial).on_trial_result(tune_controller, trial, result)

    def on_trial_complete(
        self, tune_controller: Any, trial: Trial, result: dict[str, Any]
    ) -> None:
        """Nothing to record: a complete trial has no rung left, and its last report no metric."""

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to forget: rungs keep the values of trials that ended."""

    def _of(self, trial: Trial) -> ASHAScheduler:
        key = self._stratum(trial.config["trial"]["config"])
        if key not in self._brackets:
            self._brackets[key] = ASHAScheduler(
                time_attr="epoch",
                metric=self._asha.metric,
                mode=self._asha.mode,
                max_t=_NEVER,
                grace_period=self._asha.grace_period,
                reduction_factor=self._asha.reduction_factor,
            )
        return self._brackets[key]
