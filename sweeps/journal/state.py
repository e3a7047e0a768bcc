"""State of every trial, folded from the log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any, Literal, TypeAlias, assert_never

from sweeps.journal import records
from sweeps.journal.records import Record

Stop: TypeAlias = records.Verdict | records.SchedulerStop | records.UserStop
Ending: TypeAlias = Literal["completed", "stopped", "failed"]
"""Ending of a trial, as in the table of trials."""


@dataclass(slots=True)
class TrialState:
    """State of one trial."""

    entry: records.TrialEntry
    columns: tuple[str, ...] = ()  # of ``epochs``
    epochs: dict[int, tuple[Any, ...]] = field(default_factory=dict)  # values by epoch, from 1
    facts: Mapping[str, Any] = field(default_factory=dict)  # columns from before its first epoch
    end: records.End | None = None  # end by itself
    stop: Stop | None = None  # decision, or request, that stopped its configuration
    retried: bool = False  # whether it ended before, and started again by request
    audited: bool = False  # whether it trains to the end after that
    saved: str | None = None  # sha256 (hex) of its last checkpoint
    arithmetics: frozenset[str] = frozenset()  # identities
    begun: int = 0  # driver start in which it last ran, from 1; 0 if never
    fresh: bool = False  # whether it ended in the present driver start

    @property
    def config(self) -> Mapping[str, Any]:
        """Its values by axis."""
        return dict(self.entry.config)

    @property
    def ended(self) -> Ending | None:
        """Its ending for the sweep; None if it has not ended."""
        # A stopped configuration remains stopped, regardless of its audit.
        if self.end and self.end.status == "failed" and not self.audited:
            return "failed"
        if self.stop:
            return "stopped"
        return self.end.status if self.end else None

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics of its test; empty before its end."""
        return self.end.metrics if self.end else {}

    @property
    def checkpoint(self) -> str | None:
        """sha256 (hex) of the checkpoint to resume from; None if over, or without one."""
        over = (self.stop and not self.audited) or (self.end and not self.end.truncated)
        return None if over else self.saved

    @property
    def stopped_at(self) -> int | None:
        """Epoch at which a scheduler stopped it; None also for a stop by request."""
        if isinstance(self.stop, records.UserStop) or self.ended != "stopped":
            return None
        return self.stop.epoch if self.stop else None

    def start_again(self) -> None:
        """Forget its epochs and its end, as it starts again from theta_0."""
        self.epochs.clear()
        self.facts, self.arithmetics = {}, frozenset()
        self.end = self.stop = self.saved = None
        self.audited, self.fresh, self.retried = False, False, True

    def rows(self, *, audit: bool = False) -> list[dict[str, Any]]:
        """Its epochs in order; those after a stop only for an ``audit``."""
        return [self._at(epoch) for epoch in self._numbers(audit=audit)]

    def best(self, *, audit: bool = False) -> dict[str, Any] | None:
        """The last epoch that improved the validation risk."""
        if "best" not in self.columns:
            return None
        place = self.columns.index("best")
        numbers = reversed(self._numbers(audit=audit))
        last = next((epoch for epoch in numbers if self.epochs[epoch][place]), None)
        return None if last is None else self._at(last)

    def row(self, *, live: bool) -> dict[str, Any]:
        """Its row in the table of trials; ``live`` if a driver is running it."""
        # Imports torch, which readers that only count trials do not need.
        from hedgecore.training.convergence import epochs_to_criterion

        status = self.ended or ("running" if live else "interrupted")
        epochs, best = self._numbers(), self.best()
        row = {"index": self.entry.index, **self.entry.columns}
        # Results of an audit are not results of a stopped trial.
        end = None if status == "stopped" else self.end
        speed: dict[str, Any] = {}
        if isinstance(row.get("dense_val_loss"), float):
            # Unknown for a trial that was cut off.
            losses = [nan if x is None else x for x in self._column("val_clean_loss")]
            reached = epochs_to_criterion(losses, reference=row["dense_val_loss"])
            missed = False if status == "completed" else None
            speed = {"epochs_to_95pct": reached, "converged": True if reached else missed}
        audit = (
            self.best(audit=True) if self.audited and self.end and status == "stopped" else None
        )
        return {
            **row,
            **{f"config/{name}": cell(value) for name, value in self.config.items()},
            "epochs": len(epochs),
            "best_epoch": best["epoch"] if best else None,
            "val_loss": best["val_loss"] if best else None,
            **speed,
            "seconds": self._at(epochs[-1]).get("seconds") if epochs else None,
            **self.facts,
            **(end.metrics if end else {}),
            **({"error": end.error} if end and end.error is not None else {}),
            "status": status,
            "stopped_at": self.stopped_at,
            "reason": _reason(self.stop, len(epochs)) if status == "stopped" else None,
            "audited": audit is not None,
            "audit_val_loss": audit["val_loss"] if audit else None,
            "model_sha256": end.model if end else None,
            "arithmetic": "+".join(sorted(self.arithmetics)) or None,
        }

    def _numbers(self, *, audit: bool = False) -> list[int]:
        """Numbers of its epochs in order."""
        last = None if audit else self.stopped_at
        return sorted(n for n in self.epochs if last is None or n <= last)

    def _at(self, epoch: int) -> dict[str, Any]:
        return dict(zip(self.columns, self.epochs[epoch], strict=True))

    def _column(self, name: str) -> list[Any]:
        if name not in self.columns:
            return []
        place = self.columns.index(name)
        return [self.epochs[epoch][place] for epoch in self._numbers()]


class SweepState:
    """State of a sweep: every trial computed by code of one identity, by id.

    Args:
        core: code identity; trials of other code stay in the log but are not entered.
    """

    def __init__(self, core: str) -> None:
        self._core = core
        self._entering = False
        self.trials: dict[str, TrialState] = {}
        self.starts = 0
        self.withdrawn: set[str] = set()
        """Trials that have left the space."""
        self.warm: records.WarmStart | None = None
        self.prepared: dict[str, records.PreparationRecord] = {}
        """Preparations in ``study/``, by key."""
        self.manifest: records.ManifestRecord | None = None
        self.proposals: dict[int, records.Proposal] = {}
        """Proposals of a search, by number."""
        self.requests: set[str] = set()
        """Ids of the requests that were taken up."""
        self.requested: list[records.TrialRequest] = []
        self.closed = True
        self.running: set[str] = set()
        self.workers_lost: set[str] = set()
        """Trials whose last worker died."""

    def apply(self, record: Record) -> bool:
        """Enter ``record``; False if it is of other code."""
        if isinstance(record, records.DriverStart):
            self._start(record)
        if not self._entering:
            return False
        match record:
            case records.Segment():
                self._segment(record)
            case records.SegmentStart():
                trial = self.trials[record.trial_id]
                trial.begun = self.starts
                if record.epoch == 0:
                    trial.epochs.clear()  # a Ray scheduler may begin a trial twice
                    trial.arithmetics = frozenset()
                self.running.add(record.trial_id)
                self.workers_lost.discard(record.trial_id)
            case records.Verdict() | records.SchedulerStop():
                if not (record.goes_on or record.ended):
                    self._stopped(record)
            case records.TrialEntry():
                self._enter(record)
            case records.WorkerLoss():
                self.running.discard(record.trial_id)
                self.workers_lost.add(record.trial_id)
            case records.Audit():
                for trial_id in record.trials:
                    self.trials[trial_id].audited = True
            case records.Withdrawal():
                self.withdrawn.update(record.trials)
            case records.Proposal():
                self.proposals[record.number] = record
            case records.UserStop():
                self.requests.add(record.request)
                self._stopped(record)
            case records.TrialRequest():
                self.requests.add(record.request)
                self.requested.append(record)
            case records.Retry():
                self.requests.add(record.request)
                for trial_id in record.trials:
                    self.trials[trial_id].start_again()
                    self.running.discard(trial_id)
                    self.workers_lost.discard(trial_id)
            case records.PreparationRecord():
                self.prepared[record.key] = record
            case records.ManifestRecord():
                self.manifest = record
            case records.WarmStart():
                self.warm = record
            case records.DriverEnd():
                self.closed = True
                self.running.clear()
            case records.DriverStart() | records.SharedBytes() | records.SpaceExhausted():
                pass
            case _:
                assert_never(record)
        return True

    def live(self, trial: TrialState) -> bool:
        """True if, by the log, the last driver is running the trial."""
        return not self.closed and trial.begun == self.starts

    def rows(self) -> Iterable[tuple[str, TrialState]]:
        """Trials that began or ended, in the order of the space."""
        trials = [(i, trial) for i, trial in self.trials.items() if trial.begun or trial.ended]
        return sorted(trials, key=lambda item: (item[1].entry.index, item[0]))

    def _start(self, record: records.DriverStart) -> None:
        self._entering = record.core == self._core
        self.starts, self.closed = self.starts + 1, False
        self.running.clear()
        for trial in self.trials.values():
            trial.fresh = False

    def _enter(self, record: records.TrialEntry) -> None:
        self.withdrawn.discard(record.trial_id)
        trial = self.trials.setdefault(record.trial_id, TrialState(record))
        if trial.end and trial.end.truncated and record.limit > trial.entry.limit:
            trial.end = None
        trial.entry = record  # its place in a space that may have changed

    def _segment(self, record: records.Segment) -> None:
        trial = self.trials[record.trial_id]
        if record.end or record.checkpoint:  # otherwise its worker continues
            self.running.discard(record.trial_id)
        if record.facts is not None:
            trial.facts = record.facts
        trial.saved = record.checkpoint
        if record.arithmetic:
            trial.arithmetics |= {record.arithmetic}
        for row in record.rows:
            trial.columns = trial.columns or _interned(tuple(row))
            # An epoch trained again after a crash is equal to the first.
            trial.epochs.setdefault(row["epoch"], tuple(row.values()))
        if record.end:
            trial.end, trial.fresh = record.end, True

    def _stopped(self, record: Stop) -> None:
        for trial_id in record.trials:
            trial = self.trials[trial_id]
            trial.stop, trial.fresh = record, True
            self.running.discard(trial_id)


_COLUMNS: dict[tuple[str, ...], tuple[str, ...]] = {}


def cell(value: Any) -> Any:
    """``value`` for a table, in which list-valued axes such as hidden widths are text."""
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else value


def _interned(columns: tuple[str, ...]) -> tuple[str, ...]:
    """One shared tuple of names, since a sweep has thousands of trials."""
    return _COLUMNS.setdefault(columns, columns)


def _reason(stop: Stop | None, epochs: int) -> str | None:
    if stop is None:
        return None
    if isinstance(stop, records.UserStop):
        return f"by request at epoch {epochs}"
    if isinstance(stop, records.SchedulerStop):
        return stop.reason
    if stop.value is None:
        return f"not finite at epoch {stop.epoch}, or a seed of its configuration failed"
    return f"rank {stop.rank} of {stop.of} at epoch {stop.epoch}"
