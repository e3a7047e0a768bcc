"""Throughput of a sweep: counts of trials by state, epochs per second, and remaining time."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, assert_never

from sweeps.journal import records
from sweeps.journal.records import Record
from sweeps.journal.state import Ending, SweepState, TrialState
from sweeps.journal.tail import Tail
from sweeps.scheduling.rule import Rule

RECENT = 300.0
"""Seconds over which a pace is measured."""


@dataclass(slots=True)
class Tally:
    """Counts, segments and ends of the trials of one code identity."""

    state: SweepState
    rungs: dict[int, Counter[bool]] = field(default_factory=lambda: defaultdict(Counter))
    """Number of trials by rung and by whether they were promoted."""
    passed: dict[str, int] = field(default_factory=dict)  # last rung that a trial passed
    judged: dict[int, set[str]] = field(default_factory=dict)  # trials with a verdict, by rung
    stopped: Counter[int] = field(default_factory=Counter)  # number of stopped trials, by rung
    began: dict[str, float] = field(default_factory=dict)  # time of the start of running segments
    segments: list[tuple[float, int, float]] = field(default_factory=list)
    """(time, epochs, seconds) of each that ended in this driver start."""
    ends: list[float] = field(default_factory=list)  # times of ends in this driver start
    first: float | None = None
    last: float | None = None
    exhausted: bool = False  # whether no further trials will be proposed
    losses: Counter[bool] = field(default_factory=Counter)  # of workers, by loss of their node
    shared: records.SharedBytes | None = None  # last measurement

    @classmethod
    def of(cls, core: str) -> Self:
        """An empty tally of the code identity ``core``."""
        return cls(SweepState(core))

    def apply(self, record: Record) -> None:
        """Apply ``record``, which is of this code."""
        match record:
            case records.Segment():
                self._note_time(record.at)
                self._segment(record)
            case records.SegmentStart():
                self._note_time(record.at)
                if record.at is not None:
                    self.began[record.trial_id] = record.at
            case records.Verdict() | records.SchedulerStop():
                self._decision(record)
            case records.TrialEntry():
                self.exhausted = False
            case records.WorkerLoss():
                self._note_time(record.at)
                self.losses[record.node] += 1
            case records.SpaceExhausted():
                self.exhausted = True
            case records.DriverStart():
                self.first = self.last = None
                for times in (self.began, self.segments, self.ends):
                    times.clear()
            case records.ManifestRecord() | records.PreparationRecord() | records.Proposal():
                pass
            case records.SharedBytes():
                self.shared = record
            case (
                records.WarmStart() | records.Withdrawal() | records.Audit() | records.DriverEnd()
            ):
                pass
            case records.UserStop():
                for trial_id in record.trials:
                    self.began.pop(trial_id, None)
            case records.Retry():
                for trial_id in record.trials:
                    self.passed.pop(trial_id, None)
            case records.TrialRequest():
                self.exhausted = False
            case _:
                assert_never(record)
        self.state.apply(record)

    def trials(self) -> dict[str, TrialState]:
        """Trials of the space, and those that ended before they left it."""
        trials = self.state.trials.items()
        return {i: trial for i, trial in trials if i not in self.state.withdrawn or trial.ended}

    def standing(self, trial_id: str, rule: Rule, *, live: bool) -> str:
        """Standing of a trial, one of :data:`sweeps.monitoring.status.STANDINGS`."""
        trial = self.state.trials[trial_id]
        if how := ended(trial):
            return how
        if live and trial_id in self.state.running:
            return "running"
        epoch = max(trial.epochs, default=0)
        if not rule.stock and epoch in rule.rungs and self.passed.get(trial_id, 0) < epoch:
            return "waiting for a decision"
        return "waiting for a worker" if trial.begun else "not begun"

    def expected(self, trial_id: str, rule: Rule) -> float:
        """Expected remaining epochs of a trial."""
        trial = self.state.trials[trial_id]
        epoch, limit = max(trial.epochs, default=0), trial.entry.limit
        if trial.audited:
            return 0.0 if trial.end else max(0, limit - epoch)
        if ended(trial):
            return 0.0
        passed = self.passed.get(trial_id, 0)
        return self.foreseen(rule, limit, epoch=epoch, passed=passed)

    def foreseen(self, rule: Rule, limit: int, *, epoch: int = 0, passed: int = 0) -> float:
        """Expected epochs from ``epoch`` to ``limit``, each weighted by the chance to reach it.

        The chance at each rung starts at the quota and moves towards the promoted share.
        """
        expected, chance = 0.0, 1.0
        for stop in (*(rung for rung in rule.rungs if rung < limit), limit):
            if stop < epoch:
                continue
            expected += chance * (stop - epoch)
            epoch = stop
            if stop < limit and stop > passed:
                counts = Counter[bool]() if rule.stock else self.rungs[stop]
                chance *= (1 + counts[True]) / (rule.reduction_factor + counts.total())
        return expected

    def pace(self, now: float) -> float | None:
        """Recent seconds per epoch of one worker; None without a measurement."""
        # Complete segments only; running ones are not counted.
        latest = self.segments[-max(1, len(self.state.running)) :]
        recent = [segment for segment in self.segments if segment[0] > now - RECENT]
        chosen = max(latest, recent, key=len)
        epochs = sum(segment[1] for segment in chosen)
        return sum(segment[2] for segment in chosen) / epochs if epochs else None

    def ends_per_minute(self, now: float) -> float | None:
        """Number of trials that ended recently."""
        if self.first is None or now <= self.first:
            return None
        since = max(self.first, now - RECENT)
        return 60 * sum(end > since for end in self.ends) / (now - since)

    def _note_time(self, at: float | None) -> None:
        if at is not None:
            self.first, self.last = self.first or at, at

    def _segment(self, segment: records.Segment) -> None:
        at, began = segment.at, self.began.pop(segment.trial_id, None)
        if at is None:
            return
        if began is not None and segment.rows:
            self.segments.append((at, len(segment.rows), at - began))
        if segment.end:
            self.ends.append(at)
        elif not segment.checkpoint:  # its worker continues
            self.began[segment.trial_id] = at

    def _decision(self, record: records.Verdict | records.SchedulerStop) -> None:
        epoch, trials = record.epoch, record.trials
        self.rungs[epoch][record.goes_on] += len(trials)
        self.judged.setdefault(epoch, set()).update(trials)
        if record.goes_on:
            self.passed.update(dict.fromkeys(trials, epoch))
        elif not record.ended:
            self.stopped[epoch] += len(trials)
            self.ends += [] if self.last is None else [self.last] * len(trials)


class Tallies:
    """Tallies by code identity, kept up to date with a growing log."""

    def __init__(self, storage: Path) -> None:
        self._tail = Tail(storage)
        self._core, self._starts = "", 0
        self._tallies: dict[str, Tally] = {}

    def look(self) -> tuple[Tally, int]:
        """Tally of the last driver's code identity, and the number of driver starts.

        Raises:
            LogError: the log is damaged.
        """
        anew, news = self._tail.look()
        if anew:
            self._core, self._starts = "", 0
            self._tallies = {"": Tally.of("")}
        for record in news:
            if isinstance(record, records.DriverStart):
                self._core, self._starts = record.core, self._starts + 1
                self._tallies.setdefault(self._core, Tally.of(self._core))
            self._tallies[self._core].apply(record)
        return self._tallies[self._core], self._starts


def ended(trial: TrialState) -> Ending | None:
    """Ending of the trial; None also if a larger limit lets it continue."""
    truncated = trial.end is not None and trial.end.truncated
    last = max(trial.epochs, default=0)
    if trial.ended == "completed" and truncated and trial.entry.limit > last:
        return None
    return trial.ended
