"""From Ray Tune's events to rows: the one callback a sweep gives to Tune."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from ray.exceptions import NodeDiedError, ObjectLostError, RayActorError, WorkerCrashedError
from ray.tune import Callback
from ray.tune.experiment import Trial

from sweeps.sink import EPOCH_COLUMNS, Sink

# The machine's fault, not the trial's: worth another try.
_LOST = (RayActorError, NodeDiedError, ObjectLostError, WorkerCrashedError)
# Tune adds columns of its own to every report.
_EPOCH = ("epoch", *EPOCH_COLUMNS, "ticket")


class Recorder(Callback):
    """Writes the rows of every trial, its end, and its trained ticket.

    Args:
        sink: where rows go.
        announcements: the record that begins each trial, by its id.
        changed: called after every event.
    """

    def __init__(
        self,
        sink: Sink,
        announcements: Mapping[str, dict[str, Any]],
        changed: Callable[[], None],
    ) -> None:
        self._sink = sink
        self._announcements = announcements
        self._changed = changed

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore that is not used here."""
        return {}

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Announce the trial, which starts from its first epoch: now, or again after a failure."""
        self._sink.append({**self._announcements[_id(trial)], "starts": True})
        self._changed()

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """Keep an epoch, or the end that the trial itself reports."""
        trial_id = _id(trial)
        if "end" in result:
            # Taken out of the result, which Tune keeps in memory for every trial.
            if model := result.pop("model", None):
                self._keep_model(trial_id, model)
            self._end(trial_id, result["end"])
        else:
            row = {name: result[name] for name in _EPOCH}
            self._sink.append({"type": "epoch", "trial_id": trial_id, **row})
        self._changed()

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial that ended without saying so was stopped by the scheduler."""
        if self._sink.trials[_id(trial)].end is None:
            self._end(_id(trial), {"status": "stopped"})
            self._changed()

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial that raised, or lost its worker more often than it may."""
        error = trial.get_error()
        end = {"status": "failed", "error": _reason(error)}
        self._end(_id(trial), {**end, "lost": True} if isinstance(error, _LOST) else end)
        self._changed()

    def interrupt(self) -> None:
        """Mark the trials that were cut off."""
        for trial_id, log in self._sink.trials.items():
            if log.end is None:
                self._end(trial_id, {"status": "interrupted"})

    def _end(self, trial_id: str, end: dict[str, Any]) -> None:
        self._sink.append({"type": "end", "trial_id": trial_id, **end})

    def _keep_model(self, trial_id: str, model: bytes) -> None:
        folder = self._sink.storage / "models" / trial_id
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "ticket.safetensors.partial"
        partial.write_bytes(model)
        os.replace(partial, folder / "ticket.safetensors")


def _id(trial: Trial) -> str:
    return str(trial.config["trial"]["trial_id"])


def _reason(error: Exception | None) -> str:
    """The last line of what went wrong."""
    lines = [line.strip() for line in str(error or "unknown").splitlines()]
    return next((line for line in reversed(lines) if line), "unknown")
