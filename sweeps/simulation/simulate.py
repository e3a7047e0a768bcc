"""A sweep in virtual time: learning curves replayed through the engine that runs sweeps.

Nothing is trained, so 5,000 trials on 500 workers take seconds. docs/simulation.md describes how
to interpret the numbers.
"""

import heapq
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sweeps.journal.records import End, Record, Segment, SpaceExhausted, TrialEntry, Verdict
from sweeps.scheduling.engine import Engine
from sweeps.scheduling.rule import Rule
from sweeps.scheduling.trial_status import Job
from sweeps.simulation.curves import METRIC, Curve

if TYPE_CHECKING:
    from sweeps.simulation.ray_asha import StockEngine  # imports Ray


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Outcome of a simulated sweep; all times in seconds from its beginning."""

    workers: int
    makespan: float  # end of the last segment
    work: float  # worker-seconds of training and of resuming
    epochs: int  # trained ones
    reached: Mapping[tuple[str, int], float]  # time by (trial, epoch), at the ends of segments
    decisions: Mapping[tuple[str, int], Verdict]
    """By (group, epoch); under Ray's scheduler, which has no groups, by (trial, epoch)."""
    finishers: frozenset[str]  # trials that ended by themselves and did not fail
    parked: int  # maximum of begun trials without a worker
    extended: frozenset[str]  # trials trained beyond their record

    @property
    def busy(self) -> float:
        """Busy share of the workers' time, in [0, 1]."""
        return self.work / (self.workers * self.makespan) if self.makespan else 0.0

    @cached_property
    def survivors(self) -> Mapping[int, frozenset[str]]:
        """Promoted groups, by rung."""
        went = [(epoch, group) for (group, epoch), d in self.decisions.items() if d.goes_on]
        return {
            rung: frozenset(group for epoch, group in went if epoch == rung)
            for rung in sorted({epoch for epoch, _ in went})
        }


def simulate(
    curves: Sequence[Curve],
    rule: Rule,
    *,
    workers: int,
    resume: float = 0.0,
    stock: bool = False,
) -> Simulation:
    """Simulation of a sweep of ``curves``, in order of entry, on ``workers`` workers.

    With as many workers as curves no segment waits for a worker, and the makespan is the critical
    path.

    Args:
        resume: seconds that a worker needs to resume a trial from another worker, or after
            another trial.
        stock: judge by Ray's own ``ASHAScheduler`` instead, with the rungs of ``rule``. A trial
            then never leaves its worker, and replicates are judged separately.
    """
    if not stock:
        return _Run(curves, rule.engine(metric=METRIC), workers, resume).result()
    from sweeps.simulation.ray_asha import StockEngine  # imports Ray

    return _Run(curves, StockEngine(rule), workers, resume).result()


def graham(simulation: Simulation, *, critical_path: float) -> float:
    """Upper bound on the seconds of a schedule in which no worker idles while a segment is ready.

    Args:
        simulation: gives work and workers.
        critical_path: seconds of the longest chain of segments that wait for one another, each
            with the cost of resuming if there is any.

    Source: Graham, "Bounds on multiprocessing timing anomalies" (1969).
    """
    w = simulation.workers
    return simulation.work / w + (1 - 1 / w) * critical_path


class _Run:
    """State of a running simulation."""

    def __init__(
        self, curves: Sequence[Curve], engine: "Engine | StockEngine", workers: int, resume: float
    ) -> None:
        assert workers >= 1, workers
        self._engine, self._workers, self._resume = engine, workers, resume
        self._curves = {curve.trial_id: curve for curve in curves}
        # As with lanes, the last worker to become free gets the next job.
        self._idle = list(range(workers))[::-1]
        self._held: dict[int, str] = {}
        self._events: list[tuple[float, int, int, Job]] = []
        self._now = self._work = 0.0
        self._begun: set[str] = set()
        self._jobs = self._epochs = self._parked = 0
        self._reached: dict[tuple[str, int], float] = {}
        self._decisions: dict[tuple[str, int], Verdict] = {}
        self._finishers: set[str] = set()
        self._extended: set[str] = set()

    def result(self) -> Simulation:
        """Run to the end."""
        self._apply(*map(_entry, self._curves.values()), SpaceExhausted())
        self._hand_out()
        while self._events:
            self._now, _, worker, job = heapq.heappop(self._events)
            self._end(job)
            self._idle.append(worker)
            self._hand_out()
        assert not self._engine.unfinished_count, "nothing can go on"
        return Simulation(
            workers=self._workers,
            makespan=self._now,
            work=self._work,
            epochs=self._epochs,
            reached=self._reached,
            decisions=self._decisions,
            finishers=frozenset(self._finishers),
            parked=self._parked,
            extended=frozenset(self._extended),
        )

    def _apply(self, *records: Record) -> None:
        todo = deque(records)
        while todo:
            record = todo.popleft()
            if isinstance(record, Verdict):
                self._decisions[record.group, record.epoch] = record
            todo += self._engine.apply(record)

    def _hand_out(self) -> None:
        while self._idle and (job := self._engine.next()):
            worker = self._idle.pop()
            curve = self._curves[job.trial_id]
            seconds = curve.time(job.start, curve.last(job.stop))
            if job.start and self._held.get(worker) != job.trial_id:
                seconds += self._resume
            self._held[worker] = job.trial_id
            self._begun.add(job.trial_id)
            self._work += seconds
            self._jobs += 1
            heapq.heappush(self._events, (self._now + seconds, self._jobs, worker, job))
        ended = len(self._curves) - self._engine.unfinished_count
        running = self._workers - len(self._idle)
        self._parked = max(self._parked, len(self._begun) - ended - running)

    def _end(self, job: Job) -> None:
        curve = self._curves[job.trial_id]
        last = curve.last(job.stop)
        rows = tuple(_row(curve, epoch) for epoch in range(job.start + 1, last + 1))
        end = None
        if last < job.stop or last >= curve.limit:
            end = End(status=curve.end or "completed", metrics={})
            if curve.end != "failed":
                self._finishers.add(job.trial_id)
        if last > len(curve.values):
            self._extended.add(job.trial_id)
        self._epochs += last - job.start
        self._reached[job.trial_id, last] = self._now
        self._apply(Segment(trial_id=job.trial_id, rows=rows, end=end))


def _entry(curve: Curve) -> TrialEntry:
    return TrialEntry(
        trial_id=curve.trial_id,
        index=0,
        config={},
        group=curve.group,
        stratum=curve.stratum,
        replicate=curve.replicate,
        limit=curve.limit,
        columns={},
    )


def _row(curve: Curve, epoch: int) -> dict[str, Any]:
    value = curve.value(epoch)
    return {"epoch": epoch, METRIC: value if math.isfinite(value) else None}
