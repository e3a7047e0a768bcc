"""Ray Tune as the host of workers: its events, and the cleanup after any end."""

import gc
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial
from ray.tune.progress_reporter import TrialProgressCallback

from sweeps.environment import defaults, environment
from sweeps.errors import Cut
from sweeps.execution.execution import Execution
from sweeps.execution.liveness import alive
from sweeps.signals import handler_restored

# Read at every run: this project's rows replace Tune's loggers and reporter, workers keep the
# current directory, and Tune does not handle signals.
_RUNNING = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}

Trials = list[Trial]


class Listener(Callback):
    """Callback for the events of Tune's trials.

    ``changed`` is called after every event.
    """

    def __init__(self, execution: Execution, changed: Callable[[], None]) -> None:
        self.execution, self.ledger, self.changed = execution, execution.ledger, changed
        self.live: dict[Any, Trial] = {}
        """Trials on a worker, by a name that the subclass chooses."""
        self.failure: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune pickles its callbacks for a restore that is not used here."""
        return {}

    def guarded(self, step: Callable[[], object]) -> None:
        """Call ``step`` and keep its exception, which Tune would convert to text."""
        try:
            step()
        except Exception as error:
            self.failure = self.failure or error
            raise

    def on_step_end(self, iteration: int, trials: Trials, **info: Any) -> None:
        """Raise :class:`Cut` after the deadline, unless every trial has ended by then."""
        if self.execution.seconds_left == 0 and not self.execution.queue.finished:
            raise Cut

    def kill(self, name: Any) -> None:
        """Kill the worker of a trial."""
        if actor := self.live[name].temporary_state.ray_actor:
            ray.kill(actor)


class Finished(Stopper):
    """Stopper that keeps Tune from starting trials without work, once ``finished`` is set."""

    finished = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """False: a trial ends by itself."""
        return False

    def stop_all(self) -> bool:
        """True if Tune shall start nothing more."""
        return self.finished


def fit(
    trainable: Any,
    listener: Listener,
    *,
    param_space: Mapping[str, Any],
    tune_config: tune.TuneConfig,
    failures: int,
    stop: Stopper | None = None,
    starting: int | None = None,
) -> bool:
    """Run every trial of ``param_space``; False if the deadline came first.

    A trial may lose its worker ``failures`` times, without limit if -1, and ``starting`` workers
    start at a time, all if None; the rest is as in Tune.

    Raises:
        Exception: the exception of the listener.
    """
    scratch = tempfile.mkdtemp(prefix="hedgesweep-")
    try:
        # Tune replaces the handler of SIGUSR1.
        at_a_time = {} if starting is None else {"TUNE_MAX_PENDING_TRIALS_PG": str(starting)}
        with environment(defaults(_RUNNING | at_a_time)), handler_restored(signal.SIGUSR1):
            tune.Tuner(
                trainable,
                param_space=dict(param_space),
                tune_config=tune_config,
                run_config=tune.RunConfig(
                    name="sweep",
                    storage_path=scratch,
                    callbacks=[listener, _Quiet()],
                    stop=stop,
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=failures),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                ),
            ).fit()
    except BaseException as error:
        for name in list(listener.live):
            listener.kill(name)
        if alive():
            # Tune cleans up after Exceptions only; its reservations are freed with its frames.
            traceback.clear_frames(error.__traceback__)
            gc.collect()
        if isinstance(error, Cut):
            return False
        if isinstance(error, tune.TuneError) and listener.failure is not None:
            raise listener.failure from None
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if listener.failure is not None:
        raise listener.failure
    return True


def last_failure(trial: Trial) -> str:
    """Tune's text of the last failure of ``trial``; empty without one."""
    # Tune's own reader looks in the storage, where the file arrives later.
    text = Path(trial.error_file).read_text() if trial.error_file else ""
    return text.rpartition("Failure # ")[2]


def died_with_node(failure: str) -> bool:
    """True if Ray's text of ``failure`` names the loss of the worker's node."""
    return "node has died" in failure


def reason(failure: str) -> str:
    """Last line of ``failure``."""
    lines = [line.strip() for line in failure.splitlines()]
    last = next((line for line in reversed(lines) if line), "unknown")
    return last.partition(" Some common causes")[0]


class _Quiet(TrialProgressCallback):
    """Silent replacement for the reporter that prints one line per trial."""

    def _print(self, text: str) -> None:
        pass
