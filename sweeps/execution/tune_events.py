"""Recorder of Ray Tune's events in the log, for sweeps under one of Tune's schedulers."""

from typing import Any

from ray.tune.experiment import Trial

from sweeps.execution.tune import Listener, Trials, last_failure, reason
from sweeps.execution.worker import accepted
from sweeps.journal.records import End, Record, SchedulerStop, Segment, SegmentStart


class Recorder(Listener):
    """Listener that records the segments and ends of trials."""

    def on_trial_start(self, iteration: int, trials: Trials, trial: Trial, **info: Any) -> None:
        """Record that a trial starts on a worker, at its last checkpoint or at epoch 0."""
        self.live[trial.trial_id] = trial
        trial_id = self._id(trial)
        epochs = self.ledger.state.trials[trial_id].epochs
        start = max(epochs, default=0) if trial.checkpoint else 0
        self._note(SegmentStart(trial_id=trial_id, epoch=start))

    def on_trial_result(
        self, iteration: int, trials: Trials, trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Record an epoch."""
        # Popped, since Tune keeps the results of every trial in memory.
        segment = result.pop("segment")
        line = {**segment, "trial_id": self._id(trial)}
        self.guarded(lambda: self._note(self.ledger.stored_segment(accepted(line))))

    def on_trial_complete(self, iteration: int, trials: Trials, trial: Trial, **info: Any) -> None:
        """Record a stop by the scheduler, unless the trial has recorded its end."""
        self.live.pop(trial.trial_id, None)
        trial_id = self._id(trial)
        state = self.ledger.state.trials[trial_id]
        if state.ended is None:
            epoch = max(state.epochs, default=0)
            self._note(
                SchedulerStop(
                    trials=(trial_id,),
                    epoch=epoch,
                    goes_on=False,
                    ended=False,
                    value=None,
                    reason=f"by the scheduler at epoch {epoch}",
                )
            )

    def on_trial_error(self, iteration: int, trials: Trials, trial: Trial, **info: Any) -> None:
        """Record the failure of a trial that lost its worker too often."""
        end = End(status="failed", metrics={}, error=reason(last_failure(trial)))
        self._note(Segment(trial_id=self._id(trial), rows=(), end=end))

    def _id(self, trial: Trial) -> str:
        # Tune's copy of the original, since PBT replaces the configuration by another trial's.
        return str(trial.evaluated_params["job"]["trial"]["trial_id"])

    def _note(self, record: Record) -> None:
        self.guarded(lambda: self.ledger.append(record))
        self.changed()
