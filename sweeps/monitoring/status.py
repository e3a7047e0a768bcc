"""Status of a sweep for another terminal, from its growing log and the holder of its lock.

Nothing is locked, awaited or written here, so reading a status cannot disturb the sweep.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sweeps.errors import UsageError
from sweeps.journal.lock_holder import Driver, driver
from sweeps.journal.opening import readable_storage, storage_name
from sweeps.journal.records import SharedBytes, UserStop
from sweeps.journal.requests import waiting
from sweeps.journal.state import TrialState, cell
from sweeps.monitoring.best import Best, best
from sweeps.monitoring.throughput import Tallies, Tally
from sweeps.next_command import next_command
from sweeps.scheduling.rule import Rule
from sweeps.signals import interruptible
from sweeps.text import bytes_text, duration, echo_all, plural, printable

_ENDED = ("completed", "stopped", "failed")
_WAITING = ("waiting for a decision", "waiting for a worker")
STANDINGS = (*_ENDED, "running", *_WAITING, "not begun")
_ANOTHER_RUN = "no driver is running: run the same hedgesweep run command again"
_MOST_FAILURES = 5
_PARTS = ("log",)  # all that a status depends on
_DAY = 86400  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """Numbers of trials that reached a rung, were promoted and were stopped.

    The others are undecided, or had ended by themselves.
    """

    epoch: int
    reached: int
    went_on: int
    stopped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed trial with its error."""

    trial_id: str
    config: Mapping[str, Any]
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A sweep at one moment."""

    storage: str
    name: str  # of its space; of the directory before the first record
    driver: Driver | None  # last holder of the lock
    starts: int  # driver starts
    total: int  # trials of the whole sweep, including those still to be proposed
    trials: Mapping[str, int]  # number of trials by :data:`STANDINGS`
    audits: tuple[int, int]  # audited trials: number that ended, number of all
    rungs: tuple[Rung, ...]  # ascending; empty under another scheduler
    epochs: int  # trained so far
    epochs_left: float  # expected to come
    epochs_per_minute: float | None  # of the busy workers at their recent pace
    trials_per_minute: float | None  # ended in the last minutes
    seconds_left: float | None  # at that pace
    user_stops: int  # trials stopped by request, among the stopped
    requests: int  # those of users that no driver has recorded yet
    best: Best | None  # by validation data; None before the first epoch
    failures: tuple[Failure, ...]  # in the order of the space
    workers_lost: int  # since the sweep began
    nodes_lost: int  # number of those lost with their node
    shared: SharedBytes | None  # of the last driver start that measured them; None before

    @property
    def unfinished_count(self) -> int:
        """Number of trials that have not ended."""
        return self.total - sum(self.trials[name] for name in _ENDED)


def status(
    storage: str | Path, *, now: float | None = None, tallies: Tallies | None = None
) -> Status:
    """Status of the sweep in ``storage``, of the trials with the last driver's code identity.

    Args:
        now: seconds since 1970; the clock's if None.
        tallies: of this storage, for repeated calls.
    Raises:
        UsageError: ``storage`` is not a directory.
        LogError: its log is damaged.
    """
    folder = readable_storage(storage, _PARTS)
    tally, starts = (tallies or Tallies(folder)).look()
    record = tally.state.manifest
    manifest: Mapping[str, Any] = record.content if record else {}
    holder = driver(folder, closed=tally.state.closed)
    live = holder is not None and holder.alive is not False
    rule = Rule.of(manifest.get("scheduler"), manifest.get("rungs", ())) or Rule()
    trials = tally.trials()
    standings = Counter(tally.standing(i, rule, live=live) for i in trials)
    total = _total(manifest, tally, len(trials))
    standings["not begun"] += total - len(trials)
    unknown = tally.foreseen(rule, _limit(manifest, trials)) * (total - len(trials))
    epochs_left = unknown + sum(tally.expected(i, rule) for i in trials)
    now = time.time() if now is None else now
    pace = tally.pace(now) if live and tally.state.running else None
    rate = 60 * len(tally.state.running) / pace if pace else None
    if pace:  # running epochs are trained in part
        seconds = sum(now - began for began in tally.began.values())
        epochs_left = max(0.0, epochs_left - seconds / pace)
    audits = [trial.end is not None for trial in trials.values() if trial.audited]
    return Status(
        storage=str(storage_name(storage)),
        name=manifest.get("name") or Path(storage).resolve().name,
        driver=holder,
        starts=starts,
        total=total,
        trials={name: standings[name] for name in STANDINGS},
        audits=(sum(audits), len(audits)),
        rungs=tuple(_rung(epoch, tally, trials) for epoch in rule.rungs if not rule.stock),
        epochs=sum(len(trial.epochs) for trial in trials.values()),
        epochs_left=epochs_left,
        epochs_per_minute=rate,
        trials_per_minute=tally.ends_per_minute(now) if live else None,
        seconds_left=60 * epochs_left / rate if rate else None,
        user_stops=sum(isinstance(trial.stop, UserStop) for trial in trials.values()),
        requests=len(waiting(folder, but=tally.state.requests)),
        best=best(trials),
        failures=tuple(_failures(tally)),
        workers_lost=tally.losses.total(),
        nodes_lost=tally.losses[True],
        shared=tally.shared,
    )


def is_live(status: Status) -> bool:
    """True if a driver runs, or may run on another host."""
    return status.driver is not None and status.driver.alive is not False


def lines(status: Status) -> list[str]:
    """``status`` for people."""
    if not (status.starts or is_live(status)):
        return [
            f"{status.storage}: no sweep has begun here; "
            f"start one with hedgesweep run SPACE --storage {quote(str(status.storage))}"
        ]
    texts = [f"{status.name}: {plural(status.total, 'trial')}", _running(status)]
    if not status.total:
        return [*texts, "no trials yet: preparing data and baselines"]
    counts = [f"{number:,} {name}" for name, number in status.trials.items() if number]
    by_request = f" ({status.user_stops:,} stopped by request)" if status.user_stops else ""
    texts.append(", ".join(counts) + by_request)
    if status.audits[1]:
        texts.append(f"audits: {status.audits[0]:,} of {status.audits[1]:,} trained to their end")
    texts += [
        f"rung {rung.epoch}: {rung.reached:,} reached, {rung.went_on:,} go on, "
        f"{rung.stopped:,} stopped"
        for rung in status.rungs
    ]
    texts.append(_epochs(status))
    if status.best and status.unfinished_count:  # of a finished sweep the report recommends
        texts.append(status.best.line())
    texts += [_failure(failure) for failure in status.failures[:_MOST_FAILURES]]
    if (more := len(status.failures) - _MOST_FAILURES) > 0:
        texts.append(f"and {plural(more, 'failure')} more")
    if status.workers_lost:
        nodes = f", {status.nodes_lost:,} with the node" if status.nodes_lost else ""
        texts.append(f"{plural(status.workers_lost, 'worker')} lost{nodes}")
    if status.shared:
        texts.append(_shared(status.shared))
    return texts


def command(storage: str | Path, as_json: bool, watch: float | None) -> None:
    """Print the status of ``storage``, again every ``watch`` seconds until its driver ends.

    A terminal is redrawn; anything else gets one block, or one line of JSON, after another.

    Raises:
        UsageError: see :func:`status`; or ``watch`` is not positive or over a day.
    """
    if watch is not None and not 0 < watch <= _DAY:
        raise UsageError(f"watch must lie in (0, {_DAY}] seconds, got {watch:g}")
    console = Console()
    tallies = Tallies(readable_storage(storage, _PARTS))
    redrawn = watch is not None and console.is_terminal and not as_json
    try:
        live = Live(console=console, auto_refresh=False) if redrawn else nullcontext()
        with interruptible(), live as panel:
            while True:
                now = status(storage, tallies=tallies)
                texts = [json.dumps(asdict(now))] if as_json else lines(now)
                if panel:
                    panel.update(Text("\n".join(map(printable, texts))), refresh=True)
                else:
                    echo_all(texts)
                if watch is None or not is_live(now):
                    return
                time.sleep(watch)
    except KeyboardInterrupt:
        pass  # Ctrl-C ends the display only


def _total(manifest: Mapping[str, Any], tally: Tally, trial_count: int) -> int:
    if not manifest:
        return trial_count
    proposed = 0 if tally.exhausted else manifest["search"].get("num_samples") or 0
    return max(trial_count, manifest["trials"] or proposed * len(manifest["seeds"]))


def _limit(manifest: Mapping[str, Any], trials: Mapping[str, TrialState]) -> int:
    """Maximum of epochs of a trial that is still to be proposed."""
    epochs = manifest["study"]["training"]["epochs"] if manifest else 0
    return max((trial.entry.limit for trial in trials.values()), default=epochs)


def _rung(epoch: int, tally: Tally, trials: Mapping[str, TrialState]) -> Rung:
    trial_ids = {i for i, t in trials.items() if epoch in t.epochs and t.entry.limit > epoch}
    return Rung(
        epoch=epoch,
        reached=len(trial_ids | tally.judged.get(epoch, set())),
        went_on=tally.rungs[epoch][True],
        stopped=tally.stopped[epoch],
    )


def _failures(tally: Tally) -> Iterator[Failure]:
    for trial_id, trial in tally.state.rows():
        if trial.ended == "failed" and trial.end:
            error = trial.end.error or "no reason recorded"
            yield Failure(trial_id=trial_id, config=trial.config, error=error)


def _running(status: Status) -> str:
    requests = plural(status.requests, "request")
    if is_live(status):
        assert status.driver is not None
        since = datetime.fromtimestamp(status.driver.since, UTC)
        elapsed = duration((datetime.now(UTC) - since).total_seconds())
        description = (
            f"driver on {status.driver.host}, pid {status.driver.pid}, since {since:%F %T} UTC"
        )
        unknown = "; whether it still runs can be seen there only"
        description += f" ({elapsed})" + (unknown if status.driver.alive is None else "")
        return description + (f"; {requests} to apply" if status.requests else "")
    if status.requests:
        return f"{_ANOTHER_RUN} to apply {requests}"
    if status.total and not status.unfinished_count:
        return f"every trial is finished; {next_command(status.storage, status.trials)}"
    return f"{_ANOTHER_RUN} to continue"


def _epochs(status: Status) -> str:
    description = plural(status.epochs, "epoch")
    if status.epochs_left:
        description += f", about {status.epochs_left:,.0f} to come"
    if status.epochs_per_minute:
        description += f"; {status.epochs_per_minute:,.3g} epochs"
        description += f" and {status.trials_per_minute or 0:,.3g} trials per minute"
    if status.seconds_left:
        description += f"; about {duration(status.seconds_left)} left"
    return description


def _shared(shared: SharedBytes) -> str:
    parts = {"theta_0 and baselines": shared.theta_0, "data": shared.data}
    parts |= {"data files until prepared": shared.files} if shared.files else {}
    contents = ", ".join(f"{name} {bytes_text(size)}" for name, size in parts.items())
    where = "on one node"
    if others := shared.nodes - 1:
        where = f"on the driver's node, at most {bytes_text(shared.sent)} on each of " + (
            plural(others, "other")
        )
    return f"shared data: {bytes_text(sum(parts.values()))} {where} ({contents})"


def _failure(failure: Failure) -> str:
    axes = " ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={cell(value)}"
        for name, value in failure.config.items()
    )
    return f"failed {failure.trial_id} ({axes}): {failure.error}"
