"""From Ray Tune's events to the log, where one of Tune's own schedulers decides."""

from typing import Any

from ray.tune.experiment import Trial

from sweeps.execution.lanes import last_failure, reason
from sweeps.execution.tune import Listener, Trials
from sweeps.execution.worker import accepted
from sweeps.journal.records import End, Record, SchedulerStop, Segment, SegmentStart


class Recorder(Listener):
    """Writes what trials report, and how they end."""

    def on_trial_start(self, iteration: int, trials: Trials, trial: Trial, **info: Any) -> None:
        """A trial is on a worker, from its last checkpoint or anew."""
        self.live[trial.trial_id] = trial
        trial_id = self._id(trial)
        epochs = self.ledger.state.trials[trial_id].epochs
        start = max(epochs, default=0) if trial.checkpoint else 0
        self._note(SegmentStart(trial_id=trial_id, epoch=start))

    def on_trial_result(
        self, iteration: int, trials: Trials, trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """An epoch is done."""
        # Taken out of the result, which Tune keeps in memory for every trial.
        segment = result.pop("segment")
        line = {**segment, "trial_id": self._id(trial)}
        self.guarded(lambda: self._note(self.ledger.stored_segment(accepted(line))))

    def on_trial_complete(self, iteration: int, trials: Trials, trial: Trial, **info: Any) -> None:
        """A trial that ended without saying so was stopped by the scheduler."""
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
        """A trial that lost its worker more often than it may."""
        end = End(status="failed", metrics={}, error=reason(last_failure(trial)))
        self._note(Segment(trial_id=self._id(trial), rows=(), end=end))

    def _id(self, trial: Trial) -> str:
        # Tune's own copy of what it was made with: PBT gives it the configuration of another.
        return str(trial.evaluated_params["job"]["trial"]["trial_id"])

    def _note(self, record: Record) -> None:
        self.guarded(lambda: self.ledger.append(record))
        self.changed()
