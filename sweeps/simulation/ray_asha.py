"""Ray's own ASHA with the interface of an engine, to run it in virtual time."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from search_spaces import StockAsha
from sweeps.execution.ray_schedulers import StratifiedAsha
from sweeps.journal.records import Record, Segment, TrialEntry, Verdict
from sweeps.scheduling.rule import Rule
from sweeps.scheduling.trial_status import Job
from sweeps.simulation.curves import METRIC


class StockEngine:
    """``ASHAScheduler`` within strata, fed directly; promoted trials stay on their worker.

    Args:
        rule: gives rungs, mode and reduction factor.
    """

    def __init__(self, rule: Rule) -> None:
        self._rungs = rule.rungs
        self._worst = float("inf") if rule.mode == "min" else -float("inf")
        self._scheduler: StratifiedAsha | None = None
        if rule.rungs:
            stock = StockAsha(
                metric=METRIC,
                mode=rule.mode,
                grace_period=rule.rungs[0],
                reduction_factor=rule.reduction_factor,
            )
            self._scheduler = StratifiedAsha(stock, lambda stratum: stratum["of"])
        self._trials: dict[str, Any] = {}
        self._ready: deque[Job] = deque()
        self.unfinished_count = 0

    def next(self) -> Job | None:
        """The segment to run now; None while there is none."""
        return self._ready.popleft() if self._ready else None

    def apply(self, record: Record) -> Sequence[Verdict]:
        """Apply ``record``; the verdict derived from it."""
        match record:
            case TrialEntry():
                self._enter(record)
            case Segment():
                return self._trained(record)
            case _:
                pass
        return []

    def _enter(self, entry: TrialEntry) -> None:
        job = {"limit": entry.limit, "trial": {"config": {"of": entry.stratum}}}
        trial = SimpleNamespace(trial_id=entry.trial_id, config={"job": job})
        self._trials[trial.trial_id] = trial
        if self._scheduler:
            self._scheduler.on_trial_add(None, trial)  # type: ignore[arg-type]
        self._ready.append(self._job(trial.trial_id, 0))
        self.unfinished_count += 1

    def _trained(self, segment: Segment) -> Sequence[Verdict]:
        name = segment.trial_id
        if segment.end:
            self.unfinished_count -= 1
            return []
        row = segment.rows[-1]
        epoch, value = row["epoch"], row[METRIC]
        assert self._scheduler is not None, "a trial without rungs runs to its end"
        result = {"epoch": epoch, METRIC: self._worst if value is None else value}
        answer = self._scheduler.on_trial_result(None, self._trials[name], result)
        goes_on = answer == self._scheduler.CONTINUE
        if goes_on:
            # Its worker requests the next job.
            self._ready.appendleft(self._job(name, epoch))
        else:
            self.unfinished_count -= 1
        verdict = Verdict(
            group=name, trials=(name,), ended=False, epoch=epoch, goes_on=goes_on, value=value
        )
        return [verdict]

    def _job(self, name: str, start: int) -> Job:
        limit = self._trials[name].config["job"]["limit"]
        above = self._rungs[bisect_right(self._rungs, start) :]
        return Job(name, start, min([limit, *above]))
