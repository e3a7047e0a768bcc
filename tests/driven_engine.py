"""An engine with a driver that is a list: a space of made-up trials, and their fates."""

import json
import math
import random
from collections import Counter
from dataclasses import dataclass, field

from sweeps.journal.records import fields, record_of
from sweeps.scheduling.asha import Asha
from sweeps.scheduling.engine import MOST_LOSSES, Engine
from sweeps.scheduling.trial_status import Job

START = {"type": "start", "format": 3, "core": "c"}
EPOCHS = 27  # that a study gives every trial; a limit may be less


@dataclass(frozen=True)
class Space:
    """Configurations by number, their seeds, and the most epochs of a trial."""

    configurations: tuple[int, ...]
    seeds: tuple[int, ...] = (0,)
    limit: int = EPOCHS
    strata: int = 2

    @property
    def rungs(self):
        return tuple(rung for rung in (1, 3, 9) if rung < self.limit)

    def records(self):
        for number in self.configurations:
            for seed in self.seeds:
                yield {
                    "type": "trial",
                    "trial_id": f"{number}/{seed}",
                    "index": 0,
                    "config": {},
                    "group": f"g{number}",
                    "stratum": f"s{number % self.strata}",
                    "replicate": seed,
                    "limit": self.limit,
                }


@dataclass(frozen=True)
class Fate:
    """What a trial would come to: its values, and the epoch after which it ends by itself."""

    values: tuple[float, ...]
    last: int
    fails: bool

    @classmethod
    def of(cls, trial_id):
        rng = random.Random(f"fate {trial_id}")
        values = [rng.choice([0.25, rng.random()]) for _ in range(EPOCHS)]
        if rng.random() < 0.15:
            values[rng.randrange(EPOCHS)] = rng.choice([math.nan, math.inf])
        last = rng.choice([EPOCHS, EPOCHS, rng.randint(1, EPOCHS), rng.choice([1, 2, 3, 9])])
        if fails := rng.random() < 0.2:
            last = min(last, rng.choice([0, 0, 2, 5]))
        return cls(tuple(values), last, fails)


def trained(job, limit):
    """The segment of ``job`` as a worker reports it."""
    fate = Fate.of(job.trial_id)
    last = min(job.stop, fate.last)
    rows = [
        {"epoch": e, "val_loss": v if math.isfinite(v := fate.values[e - 1]) else None}
        for e in range(job.start + 1, last + 1)
    ]
    segment = {"type": "segment", "trial_id": job.trial_id, "rows": rows}
    if last < job.stop:
        segment["end"] = {"status": "failed" if fate.fails else "completed"}
    elif job.stop >= limit:
        segment["end"] = {"status": "completed"}
        if last < EPOCHS:
            segment["end"]["truncated"] = True
    return segment


def applied(engine, record):
    """The lines of the records that follow from that of a line."""
    return [fields(effect) for effect in engine.apply(record_of(record))]


class KilledError(Exception):
    """The driver is dead."""


def audited(group):
    return int(group[1:]) % 3 == 0


@dataclass
class Driver:
    """Ledger, queue and lanes for an engine, with a list for a disk and random timing."""

    space: Space
    log: list = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(0))
    fuse: int | None = None
    """Records until it is killed."""
    workers: int = 3
    make: type = Asha

    def start(self):
        judge = self.make(self.space.rungs, mode="min", reduction_factor=2, block=4, lag=3)
        self.engine = Engine(judge, audit=audited)
        self.running: list[Job] = []
        self.losses = Counter()
        for record in self.log:
            applied(self.engine, record)
        self.append(START)
        self.append(*map(fields, self.engine.pending_verdicts))
        wanted = list(self.space.records())
        names = {record["trial_id"] for record in wanted}
        if gone := [i for i in self.engine.unfinished() if i not in names]:
            self.append({"type": "withdrawn", "trials": gone})
        entered = {}
        for record in self.log:
            if record["type"] == "trial":
                entered[record["trial_id"]] = record
            for name in record["trials"] if record["type"] == "withdrawn" else ():
                del entered[name]
        new = [record for record in wanted if entered.get(record["trial_id"]) != record]
        self.append(*new, {"type": "closed"})
        self.append(*map(fields, self.engine.audits()))

    def append(self, *records):
        todo = list(records)
        while todo:
            if self.fuse is not None:
                if not self.fuse:
                    raise KilledError
                self.fuse -= 1
            record = todo.pop(0)
            self.log.append(json.loads(json.dumps(record, allow_nan=False)))
            todo += applied(self.engine, record)

    def step(self):
        """Hand out a job, lose a worker or finish a segment; False if there is nothing to do."""
        if len(self.running) < self.workers and (job := self.engine.next()):
            assert job.trial_id not in {other.trial_id for other in self.running}, "runs twice"
            self.running.append(job)
            return True
        if not self.running:
            return False
        job = self.running.pop(self.dice.randrange(len(self.running)))
        if self.dice.random() < 0.1 and self.losses[job] < MOST_LOSSES - 1:
            node = self.dice.random() < 0.5
            self.losses[job] += not node
            lost = {"type": "lost", "trial_id": job.trial_id, "error": "oom", "node": node}
            self.append(lost)
        else:
            self.append(trained(job, self.space.limit))
        return True

    def finish(self):
        while self.step():
            pass
        assert self.engine.unfinished_count == 0
        assert not self.engine.pending_verdicts


def finished(space, log=(), *, seed=0, workers=3, make=Asha):
    """Log of a sweep of ``space`` resumed from ``log`` to its end."""
    driver = Driver(space, list(log), random.Random(seed), workers=workers, make=make)
    driver.start()
    driver.finish()
    return driver.log
