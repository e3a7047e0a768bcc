"""Steering of a sweep: requests of users become records, in the order in which they were left."""

from collections.abc import Callable, Collection, Mapping

from sweeps.errors import UsageError
from sweeps.journal import requests
from sweeps.journal.records import Record, Retry, SpaceExhausted, UserStop
from sweeps.journal.requests import Request
from sweeps.journal.state import TrialState
from sweeps.scheduling.ledger import Ledger
from sweeps.scheduling.trials import TrialQueue
from sweeps.text import plural


class Steering:
    """Takes up the requests in the folder of ``ledger``; ``say`` receives a line about each."""

    def __init__(self, queue: TrialQueue, ledger: Ledger, say: Callable[[str], None]) -> None:
        self._queue, self._ledger, self._say = queue, ledger, say
        self._refused: set[str] = set()
        requests.tidy_requests(ledger.storage)

    def take_up(self) -> frozenset[str] | None:
        """Record every request; the trials stopped by them, or None if there was no request.

        Nothing is taken up before the trials are entered.

        Raises:
            WriteError: the log, or the folder of requests, cannot be written.
        """
        storage, state = self._ledger.storage, self._ledger.state
        if not self._queue.entered:
            return None
        pending = requests.pending(storage, self._say, but=self._refused)
        stopped: set[str] = set()
        for request_id, request in pending.items():
            if request_id not in state.requests:
                try:
                    stopped |= self._recorded(request_id, request)
                except UsageError as error:
                    self._say(f"a request was refused: {error}")
            requests.remove(storage, request_id)
        return frozenset(stopped) if pending else None

    def _recorded(self, request_id: str, request: Request) -> set[str]:
        """Record ``request``; the trials that it stops."""
        if request.kind == "stop":
            return self._stop(request_id, request)
        if request.kind == "retry":
            self._retry(request_id, request)
        elif request.config is not None:
            new = self._queue.enqueue(request_id, request.config)
            self._say(f"by request: {plural(len(new), 'trial')} entered")
        return set()

    def _stop(self, request_id: str, request: Request) -> set[str]:
        states = self._queue.states
        named = [i for i in request.trials if i in states and states[i].ended is None]
        groups = {states[i].entry.group for i in named}
        trials = [i for i, t in states.items() if t.entry.group in groups and t.ended is None]
        if not trials:
            raise UsageError(f"no trial of {', '.join(request.trials)} is left to stop")
        self._ledger.append(UserStop(request=request_id, trials=tuple(trials)))
        self._say(f"by request: {plural(len(trials), 'trial')} stopped ({', '.join(trials[:3])})")
        return {*trials}

    def _retry(self, request_id: str, request: Request) -> None:
        trials = to_retry(self._queue.states, request.trials, adaptive=self._queue.adaptive)
        if not trials:
            raise UsageError("no trial is left to start again")
        # A new position opens its stratum, which must not wait for further ones.
        exhausted: list[Record] = [SpaceExhausted()] if self._queue.exhausted else []
        self._ledger.append(Retry(request=request_id, trials=tuple(trials)), *exhausted)
        self._say(f"by request: {plural(len(trials), 'trial')} started again from theta_0")


def to_retry(
    states: Mapping[str, TrialState], named: Collection[str] = (), *, adaptive: bool
) -> list[str]:
    """Trials that a retry starts again, with the seeds that were stopped with them.

    Args:
        states: by trial id.
        named: trials that failed or were stopped by request; () for all that failed.
        adaptive: whether a search has learned from the outcomes: it keeps a divergence, which
            every retry would repeat.
    """
    groups = {
        trial.entry.group
        for trial_id, trial in states.items()
        if (trial_id in named or not named) and _is_retriable(trial, named=bool(named))
    }
    if adaptive:
        groups -= {t.entry.group for t in states.values() if t.end and t.end.diverged}
    ended = ("failed", "stopped")
    return [i for i, t in states.items() if t.entry.group in groups and t.ended in ended]


def _is_retriable(trial: TrialState, *, named: bool) -> bool:
    by_request = isinstance(trial.stop, UserStop) and trial.ended == "stopped"
    return trial.ended == "failed" or (named and by_request)
