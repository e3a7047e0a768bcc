"""Engine: the next jobs and the verdicts, as a function of the log.

The engine sees records and nothing else: neither clocks nor workers. Fed the log of a sweep that
was killed, it is where that sweep was; fed recorded curves, it is a simulation.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sweeps.errors import UsageError
from sweeps.scheduling.asha import Asha, Decision
from sweeps.scheduling.trial_status import Group, Job, Record, Trial, verdict

MOST_LOSSES = 4
"""Workers that one segment of a trial may take down before the trial counts as failed."""


class Engine:
    """Schedules segments from rung to rung.

    Args:
        asha: who goes on; every trial runs to its limit if None.
        metric: what trials are judged by, a column of their rows.
        audit: whether a configuration that is stopped trains on all the same, so that stopping
            can be judged.
    """

    def __init__(
        self,
        asha: Asha | None,
        *,
        metric: str = "val_loss",
        audit: Callable[[str], bool] = lambda group: False,
    ) -> None:
        self._asha, self._metric, self._audit = asha, metric, audit
        self._rungs = asha.rungs if asha else ()
        self._trials: dict[str, Trial] = {}
        self._groups: dict[str, Group] = {}
        self._ready: list[tuple[bool, int, int, str]] = []
        self._pending: dict[tuple[str, int], Record] = {}
        self._left = 0

    @property
    def left(self) -> int:
        """Trials that have not come to their end."""
        return self._left

    @property
    def pending(self) -> list[Record]:
        """Decisions that follow from the records so far and are not among them."""
        return list(self._pending.values())

    def due(self, group: str, epoch: int) -> Record | None:
        """The one of them about ``group`` at ``epoch``."""
        return self._pending.get((group, epoch))

    def next(self) -> Job | None:
        """The segment to run now, the highest rung first; None while there is nothing to do."""
        while self._ready:
            trial = self._trials[heapq.heappop(self._ready)[-1]]
            if self._is_ready(trial):
                trial.running = True
                return Job(trial.trial_id, trial.epoch, self._stop(trial))
        return None

    def apply(self, record: Mapping[str, Any]) -> list[Record]:
        """Take note of ``record``; the records that follow from it, to be logged and applied.

        Raises:
            UsageError: a decision of the log is not the one that its values give.
        """
        kind = record["type"]
        if kind == "trial":
            return self._announced(record)
        if kind == "segment":
            return self._trained(record)
        if kind == "decision":
            return self._decided(record)
        if kind == "lost":
            return self._loss(record)
        if kind == "audit":
            self._audited(record)
        elif kind == "withdrawn":
            return self._withdrawn(record)
        elif kind == "closed" and self._asha:
            return self._records(self._asha.close())
        elif kind == "start":
            for trial in self._trials.values():
                trial.running, trial.losses = False, 0
                self._offer(trial)
        return []

    def audits(self) -> list[Record]:
        """Audits of configurations that were stopped before anybody asked for an audit."""
        return [
            record
            for name, group in self._groups.items()
            for record in self._to_audit(name, group)
        ]

    def unfinished(self) -> list[str]:
        """Trials that have not come to their end, in order of entry.

        One that was cut off below a rung which has been added since is among them: its rivals
        wait for it there.
        """
        last = self._rungs[-1] if self._rungs else 0
        return [
            trial.trial_id
            for trial in self._trials.values()
            if not trial.ended or (trial.truncated and not trial.withdrawn and trial.limit <= last)
        ]

    def is_settled(self, group: str) -> bool:
        """Whether no decision and no epoch can change what ``group`` comes to."""
        group_state = self._groups[group]
        return group_state.stopped or all(self._trials[i].ended for i in group_state.trials)

    def _announced(self, record: Mapping[str, Any]) -> list[Record]:
        """A trial of the space, new or as it is in a space that has changed."""
        trial_id, name = record["trial_id"], record["group"]
        if trial_id not in self._trials:
            self._trials[trial_id] = Trial(
                trial_id, len(self._trials), name, record["replicate"], record["limit"]
            )
            self._left += 1
        trial = self._trials[trial_id]
        group = self._groups.setdefault(name, Group())
        if trial_id not in group.trials:
            group.trials.append(trial_id)
            if self._asha and not group.stopped:
                self._asha.add(name, stratum=record["stratum"], replicate=trial.replicate)
        if (trial.withdrawn or trial.truncated) and trial.ended and record["limit"] > trial.epoch:
            trial.ended = trial.truncated = trial.withdrawn = False
            self._left += 1
        if group.stopped and not trial.audited:
            self._end(trial)  # with its configuration
        trial.limit = record["limit"]
        records = []
        for epoch, value in trial.values.items():
            records += self._value(trial, epoch, value)
        self._offer(trial)
        return records

    def _trained(self, record: Mapping[str, Any]) -> list[Record]:
        trial = self._trials[record["trial_id"]]
        trial.running, trial.losses = False, 0
        if end := record.get("end"):
            trial.truncated = bool(end.get("truncated"))
            trial.finished = not trial.truncated
            self._groups[trial.group].failed |= end["status"] == "failed"
            self._end(trial)
        records = []
        for row in record["rows"]:
            epoch = row["epoch"]
            trial.epoch = max(trial.epoch, epoch)
            value = row[self._metric]
            trial.last = math.nan if value is None else value
            if epoch in self._rungs and epoch not in trial.values:
                trial.values[epoch] = trial.last
                records += self._value(trial, epoch, trial.last)
        if end and self._asha and not (trial.truncated or self._groups[trial.group].stopped):
            settled = math.nan if end["status"] == "failed" else trial.last
            decisions = self._asha.settle(trial.group, settled, replicate=trial.replicate)
            records += self._records(decisions)
        self._offer(trial)
        return records

    def _decided(self, record: Mapping[str, Any]) -> list[Record]:
        name = record["group"]
        expected = self._pending.pop((name, record["epoch"]), None)
        if expected != record:
            raise UsageError(
                f"the log decides {_verdict_text(record)} where its values give "
                f"{_verdict_text(expected)}; it was written by another version of hedgesweep: "
                "go on with that, or give another --storage"
            )
        group = self._groups[name]
        if record["goes_on"]:
            group.passed += 1
        else:
            group.stopped, group.judged = True, list(record["trials"])
        for trial_id in group.trials:
            trial = self._trials[trial_id]
            if group.stopped:
                self._end(trial)
            self._offer(trial)
        return self._to_audit(name, group)

    def _loss(self, record: Mapping[str, Any]) -> list[Record]:
        trial = self._trials[record["trial_id"]]
        trial.running = False
        # A node that goes away, as spot instances do, is no fault of the trial.
        trial.losses += not record["node"]
        if trial.losses < MOST_LOSSES:
            self._offer(trial)
            return []
        error = f"{record['error']} ({trial.losses} times in a row)"
        return [
            {
                "type": "segment",
                "trial_id": trial.trial_id,
                "rows": [],
                "end": {"status": "failed", "error": error},
            }
        ]

    def _to_audit(self, name: str, group: Group) -> list[Record]:
        if not group.stopped or group.audited or group.failed or not self._audit(name):
            return []
        return [{"type": "audit", "group": name, "trials": group.judged}]

    def _audited(self, record: Mapping[str, Any]) -> None:
        group = self._groups[record["group"]]
        group.audited = True
        for trial_id in record["trials"]:
            trial = self._trials[trial_id]
            trial.audited = True
            if trial.ended and not trial.finished and trial.epoch < trial.limit:
                trial.ended = False
                self._left += 1
                self._offer(trial)

    def _withdrawn(self, record: Mapping[str, Any]) -> list[Record]:
        """The trials are no part of the space any more; what they have reached is kept."""
        decisions = []
        for trial_id in record["trials"]:
            trial = self._trials[trial_id]
            group = self._groups[trial.group]
            group.trials.remove(trial_id)
            self._left -= not trial.ended
            trial.ended = trial.withdrawn = True
            if self._asha and not group.stopped:
                decisions += self._asha.withdraw(trial.group, replicate=trial.replicate)
            if not (group.trials or group.stopped):
                del self._groups[trial.group]
        # Who was decided by the leaving of one, and left with it, needs no verdict.
        return self._records(d for d in decisions if str(d.key) in self._groups)

    def _value(self, trial: Trial, epoch: int, value: float) -> list[Record]:
        if self._asha is None or epoch >= trial.limit or self._groups[trial.group].stopped:
            return []
        decisions = self._asha.record(trial.group, epoch, value, replicate=trial.replicate)
        return self._records(decisions)

    def _records(self, decisions: Iterable[Decision]) -> list[Record]:
        records = []
        for decision in decisions:
            group = str(decision.key)
            trials = [self._trials[trial_id] for trial_id in self._groups[group].trials]
            record = verdict(decision, trials)
            self._pending[group, decision.epoch] = record
            records.append(record)
        return records

    def _stop(self, trial: Trial) -> int:
        """The epoch that ``trial`` may train to."""
        group = self._groups[trial.group]
        judged = not group.stopped and group.passed < len(self._rungs)
        return min(self._rungs[group.passed], trial.limit) if judged else trial.limit

    def _is_ready(self, trial: Trial) -> bool:
        return not (trial.ended or trial.running) and trial.epoch < self._stop(trial)

    def _offer(self, trial: Trial) -> None:
        if self._is_ready(trial):
            group = self._groups[trial.group]
            # What was decided for comes before what is new, and audits come last.
            key = (group.stopped, -group.passed, trial.order, trial.trial_id)
            heapq.heappush(self._ready, key)

    def _end(self, trial: Trial) -> None:
        self._left -= not trial.ended
        trial.ended = True


def _verdict_text(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "nothing yet"
    verdict = "goes on" if record["goes_on"] else "stops"
    return f"that {record['group']} {verdict} at epoch {record['epoch']}"
