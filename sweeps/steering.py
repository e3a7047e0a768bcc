"""Steering of a sweep from another process: trials stopped, added, and started again.

>>> sweeps.stop("results/tickets", "4f2a91")
>>> sweeps.enqueue("results/tickets", {"sparsity": 0.95, "lr": 2e-3, "epsilon": 0.1})
>>> sweeps.retry("results/tickets")

Each leaves a request in the storage. A running driver takes it up within seconds and records it in
the log; without one the next run does.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from search_spaces import SearchSpace
from sweeps.driver import run
from sweeps.errors import UsageError
from sweeps.journal import requests
from sweeps.journal.code_identity import code_identity
from sweeps.journal.opening import storage_url
from sweeps.journal.requests import Request
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.outcome import Sweep
from sweeps.planning.recorded_space import recorded_space
from sweeps.requested_config import requested_config
from sweeps.scheduling.steering import to_retry
from sweeps.text import plural

_RAYS = ("stock_asha", "median", "hyperband", "pbt")
_PATIENCE = 10.0  # seconds that a command waits for a running driver


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """A request that was left.

    Args:
        subject: what it does, for people.
        driver: host and pid of the running driver; None without one.
        recorded: whether that driver has recorded it already.
        storage: folder of the sweep.
    """

    subject: str
    driver: str | None
    recorded: bool
    storage: Path

    def __str__(self) -> str:
        if self.recorded:
            return f"{self.subject}: recorded by the driver on {self.driver}"
        if self.driver:
            return f"{self.subject}: left for the driver on {self.driver}, once its trials run"
        return (
            f"{self.subject}: kept in {self.storage}/requests, since no driver is running; the "
            "next hedgesweep run of this storage applies it"
        )


def stop(storage: str | Path, trial_id: str) -> Steered:
    """Stop a trial of a sweep, with the other seeds of its configuration if judged together.

    It stays stopped, with the reason "by request", in every later run. Its worker is killed, and
    epochs since the last rung are lost.

    Args:
        storage: folder of the sweep.
        trial_id: a unique prefix of the trial's id.
    Raises:
        UsageError: no such trial, one that has ended, or a storage that cannot be steered.
        WriteError: the storage cannot be written.
    """
    sweep = _steerable(storage)
    full_id, core = sweep.find(trial_id)
    trial = sweep.states[core].trials[full_id]
    ended = trial.ended or ("withdrawn" if full_id in sweep.state.withdrawn else None)
    if core != sweep.core or ended:
        how = f"has ended already ({ended})" if ended else "was computed by other code"
        state = sweep.state
        unended = (i for i, t in state.trials.items() if not t.ended and i not in state.withdrawn)
        other = next(unended, None)
        others = f"choose one that has not ended, such as {other}" if other else "all have ended"
        raise UsageError(f"trial {full_id} {how}; {others}")
    trials = sweep.state.trials.values()
    together = sum(t.entry.group == trial.entry.group and t.ended is None for t in trials)
    seeds = f" with {plural(together - 1, 'other seed')} of its configuration"
    subject = f"stop of trial {full_id}" + (seeds if together > 1 else "")
    return _left(sweep, subject, Request(kind="stop", trials=(full_id,)))


def enqueue(storage: str | Path, values: Mapping[str, Any] | Iterable[str]) -> Steered:
    """Train a further configuration in a sweep, at every one of its seeds.

    It may lie outside of the values of the space, as long as the study accepts it. A search that
    learns does not learn from it.

    Args:
        storage: folder of the sweep.
        values: value of every axis but the seed, by name or as texts such as "lr=2e-3".
    Raises:
        UsageError: axes are missing, unknown or invalid; the configuration is in the sweep
            already, or needs data that were not prepared; or the storage cannot be steered.
        WriteError: the storage cannot be written.
    """
    sweep = _steerable(storage)
    requested = requested_config(_space(sweep), sweep, values)
    seeds = plural(len(sweep.manifest["seeds"]), "seed")
    subject = f"{requested.text} at {seeds}{requested.note}"
    return _left(sweep, subject, Request(kind="enqueue", config=requested.values))


def retry(storage: str | Path, trials: Collection[str] = (), **settings: Any) -> Steered | Sweep:
    """Start the failed trials of a sweep again from theta_0, with its recorded space.

    They are judged as new configurations would be: decisions on others stay. A failure that
    follows from the trial itself happens again. Trials that have not ended are trained too, as
    :func:`sweeps.run` would.

    Args:
        storage: folder of the sweep.
        trials: prefixes of ids of trials that failed or were stopped by request; all that failed
            if empty.
        settings: keyword arguments of :func:`sweeps.run`, such as ``max_concurrent``.
    Returns:
        The finished sweep; the request alone if a driver is running, which then runs them.
    Raises:
        UsageError: nothing to start again, or a storage that cannot be steered.
        HedgesweepError: see :func:`sweeps.run`.
    """
    sweep = _steerable(storage)
    if sweep.core != code_identity(sweep.experiment.name):
        raise UsageError(
            f"{storage} was computed by other code ({sweep.core[:8]}), and all of its trials "
            "would be new under this; use that version"
        )
    named = tuple(sweep.find(prefix)[0] for prefix in trials)
    state, space = sweep.state, _space(sweep)
    states = {i: t for i, t in state.trials.items() if i not in state.withdrawn}
    chosen = to_retry(states, named, adaptive=space.search.adaptive)
    if not chosen:
        what = f"{', '.join(named)} did not fail" if named else "no trial failed"
        kept = ", but for diverged ones, from which the search has learned"
        command = f"hedgesweep status {quote(str(sweep.storage))}"
        raise UsageError(
            f"{what}{kept if space.search.adaptive else ''}; {command} lists failures"
        )
    request = Request(kind="retry", trials=named)
    steered = _left(sweep, f"retry of {plural(len(chosen), 'trial')}", request)
    if steered.driver:
        return steered
    settings = {"audit": sweep.manifest["audit"], **settings}
    return run(space, storage=sweep.storage, **settings)


def _steerable(storage: str | Path) -> StoredSweep:
    """The sweep in ``storage``, which must have an engine of this project."""
    if url := storage_url(storage):
        raise UsageError(
            f"{url} is on an object store, where no request can be left; end its driver with "
            "Ctrl-C, and steer it by the space and another run"
        )
    sweep = StoredSweep.read(storage)
    kind = next(iter(sweep.manifest["scheduler"] or {}), None)
    if kind in _RAYS:
        raise UsageError(
            f"{storage} is scheduled by Ray ({kind}), which takes no requests; sweeps with "
            "scheduler.asha, i_epoch or none do"
        )
    return sweep


def _space(sweep: StoredSweep) -> SearchSpace:
    return recorded_space(sweep.manifest, sweep.space_text)


def _left(sweep: StoredSweep, subject: str, request: Request) -> Steered:
    """Leave ``request``, and wait for a running driver to record it."""
    driver = sweep.driver
    request_id = requests.leave(sweep.storage, request)
    until = time.monotonic() + (_PATIENCE if driver else 0.0)
    while (waiting := requests.waits(sweep.storage, request_id)) and time.monotonic() < until:
        time.sleep(0.1)
    recorded = not waiting and request_id in StoredSweep.read(sweep.storage).state.requests
    if not (waiting or recorded):
        raise UsageError(f"{subject} was refused by the driver on {driver}; its output says why")
    return Steered(subject=subject, driver=driver, recorded=recorded, storage=sweep.storage)
