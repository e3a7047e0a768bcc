"""From Ray Tune's events to the log, where one of Tune's own schedulers decides."""

import time
from collections.abc import Callable
from typing import Any

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial

from sweeps.lanes import Cut, last_failure, reason
from sweeps.ledger import Ledger


class Recorder(Callback):
    """Writes what trials report, and how they end.

    Args:
        ledger: where it goes.
        changed: called after every event.
        deadline: seconds of ``time.monotonic`` after which to cut the sweep off; None for never.
    """

    def __init__(
        self,
        ledger: Ledger,
        changed: Callable[[], None],
        deadline: float | None,
    ) -> None:
        self._ledger, self._changed, self._deadline = ledger, changed, deadline
        self._ids: dict[str, str] = {}
        self._live: dict[str, Trial] = {}
        self.failure: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore that is not used here."""
        return {}

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial is on a worker."""
        # PBT gives a trial the configuration of another, its name included.
        known = self._ids.setdefault(trial.trial_id, trial.config["job"]["trial"]["trial_id"])
        self._live[trial.trial_id] = trial
        self._guarded({"type": "begin", "trial_id": known, "epoch": 0})

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """An epoch is done."""
        # Taken out of the result, which Tune keeps in memory for every trial.
        segment = result.pop("segment")
        known = segment["trial_id"] = self._ids[trial.trial_id]
        if model := segment.pop("model", None):
            segment["end"]["model"] = self._ledger.keep_model(known, model)
        self._guarded(segment)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial that ended without saying so was stopped by the scheduler."""
        known = self._ids[trial.trial_id]
        self._live.pop(trial.trial_id, None)
        log = self._ledger.book.trials[known]
        if log.ended is None:
            epoch = max(log.epochs, default=0)
            self._guarded(
                {
                    "type": "decision",
                    "trials": [known],
                    "epoch": epoch,
                    "goes_on": False,
                    "ended": False,
                    "value": None,
                    "reason": f"by the scheduler at epoch {epoch}",
                }
            )

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial that lost its worker more often than it may."""
        end = {"status": "failed", "error": reason(last_failure(trial))}
        known = self._ids.get(trial.trial_id) or trial.config["job"]["trial"]["trial_id"]
        self._guarded({"type": "segment", "trial_id": known, "rows": [], "end": end})

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Look at the clock."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise Cut

    def kill(self) -> None:
        """End every trial at once."""
        for trial in self._live.values():
            if actor := trial.temporary_state.ray_actor:
                ray.kill(actor)

    def _guarded(self, record: dict[str, Any]) -> None:
        """Tune would wrap what goes wrong here in a text."""
        try:
            self._ledger.append(record)
        except Exception as error:
            self.failure = error
            raise
        self._changed()
