"""Engine: the next jobs and the verdicts, as a function of the log.

The engine sees records only, neither clocks nor workers. The log of a killed sweep restores its
state; recorded curves make it a simulation.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from sweeps.errors import UsageError
from sweeps.journal import records
from sweeps.journal.records import Record
from sweeps.scheduling.asha import Asha, Decision
from sweeps.scheduling.trial_status import Group, Job, Trial, TrialStatus, verdict, verdict_text

MOST_LOSSES = 4
"""Workers that one segment of a trial may lose before the trial counts as failed."""


class Engine:
    """Schedules segments from rung to rung.

    Args:
        asha: decides promotions; every trial runs to its limit if None.
        metric: column of the rows by which trials are judged.
        audit: whether a stopped configuration trains to the end anyway, to judge the stopping.
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
        self._pending: dict[tuple[str, int], records.Verdict] = {}
        self.unfinished_count = 0
        """Number of trials that have not ended."""

    @property
    def pending_verdicts(self) -> list[records.Verdict]:
        """Verdicts derived from the records so far that are not among them."""
        return list(self._pending.values())

    def pending_verdict(self, group: str, epoch: int) -> records.Verdict | None:
        """Pending verdict on ``group`` at ``epoch``; None without one."""
        return self._pending.get((group, epoch))

    def next(self) -> Job | None:
        """The segment to run now, the highest rung first; None while there is none."""
        while self._ready:
            trial = self._trials[heapq.heappop(self._ready)[-1]]
            if self._is_ready(trial):
                self._move(trial, TrialStatus.RUNNING)
                return Job(trial.trial_id, trial.epoch, self._stop(trial))
        return None

    def apply(self, record: Record) -> Sequence[Record]:
        """Apply ``record``; the records derived from it, to be logged and applied.

        Raises:
            UsageError: a decision of the log differs from that of its values.
        """
        match record:
            case records.Segment():
                return self._trained(record)
            case records.TrialEntry():
                return self._announced(record)
            case records.Verdict() | records.SchedulerStop():
                return self._decided(record)
            case records.WorkerLoss():
                return self._loss(record)
            case records.Withdrawal():
                return self._withdrawn(record)
            case records.SpaceExhausted():
                return self._verdicts(self._asha.close()) if self._asha else []
            case records.Audit():
                self._audited(record)
            case records.DriverStart():
                for trial in self._trials.values():
                    self._release(trial)
                    trial.losses = 0
                    self._offer(trial)
            case records.SegmentStart() | records.ManifestRecord() | records.PreparationRecord():
                pass
            case records.SharedBytes() | records.Proposal():
                pass
            case records.WarmStart() | records.DriverEnd():
                pass
            case _:
                assert_never(record)
        return []

    def audits(self) -> Sequence[records.Audit]:
        """Audits of configurations that were stopped before audits were enabled."""
        groups = self._groups.items()
        return [audit for name, group in groups for audit in self._to_audit(name, group)]

    def unfinished(self) -> list[str]:
        """Trials that have not ended, in order of entry.

        They include trials cut off below a rung that was added later, where rivals wait for them.
        """
        last = self._rungs[-1] if self._rungs else 0
        return [
            trial.trial_id
            for trial in self._trials.values()
            if not trial.status.is_over
            or (trial.status is TrialStatus.TRUNCATED and trial.limit <= last)
        ]

    def is_settled(self, group: str) -> bool:
        """True if no decision and no epoch can change the outcome of ``group``."""
        state = self._groups[group]
        return state.stopped or all(self._trials[i].status.is_over for i in state.trials)

    def _announced(self, entry: records.TrialEntry) -> Sequence[Record]:
        """Enter a trial, new or moved in a changed space."""
        trial_id, name = entry.trial_id, entry.group
        if trial_id not in self._trials:
            order = len(self._trials)
            self._trials[trial_id] = Trial(trial_id, order, name, entry.replicate, entry.limit)
            self.unfinished_count += 1
        trial = self._trials[trial_id]
        group = self._groups.setdefault(name, Group())
        if trial_id not in group.trials:
            group.trials.append(trial_id)
            if self._asha and not group.stopped:
                self._asha.add(name, stratum=entry.stratum, replicate=trial.replicate)
        cut = trial.status in (TrialStatus.TRUNCATED, TrialStatus.WITHDRAWN)
        if cut and entry.limit > trial.epoch:
            self._move(trial, TrialStatus.WAITING)
        if group.stopped and not trial.audited:
            self._end_with_group(trial)
        trial.limit = entry.limit
        effects: list[Record] = []
        for epoch, value in trial.values.items():
            effects += self._value(trial, epoch, value)
        self._offer(trial)
        return effects

    def _trained(self, segment: records.Segment) -> Sequence[Record]:
        trial, end = self._trials[segment.trial_id], segment.end
        self._release(trial)
        trial.losses = 0
        if end:
            self._groups[trial.group].failed |= end.status == "failed"
            self._move(trial, TrialStatus.TRUNCATED if end.truncated else TrialStatus.FINISHED)
        effects: list[Record] = []
        for row in segment.rows:
            epoch = row["epoch"]
            trial.epoch = max(trial.epoch, epoch)
            value = row[self._metric]
            trial.last_value = math.nan if value is None else value
            if epoch in self._rungs and epoch not in trial.values:
                trial.values[epoch] = trial.last_value
                effects += self._value(trial, epoch, trial.last_value)
        if end and self._asha and not (end.truncated or self._groups[trial.group].stopped):
            settled = math.nan if end.status == "failed" else trial.last_value
            decisions = self._asha.settle(trial.group, settled, replicate=trial.replicate)
            effects += self._verdicts(decisions)
        self._offer(trial)
        return effects

    def _decided(self, record: records.Verdict | records.SchedulerStop) -> Sequence[Record]:
        name = record.group if isinstance(record, records.Verdict) else ", ".join(record.trials)
        expected = self._pending.pop((name, record.epoch), None)
        if isinstance(record, records.SchedulerStop) or expected != record:
            raise UsageError(
                f"the log decides {verdict_text(name, record)} where its values give "
                f"{verdict_text(name, expected)}; it was written by another version of "
                "hedgesweep: use that version, or give another --storage"
            )
        group = self._groups[name]
        if record.goes_on:
            group.passed += 1
        else:
            group.stopped, group.judged = True, record.trials
        for trial_id in group.trials:
            trial = self._trials[trial_id]
            if group.stopped:
                self._end_with_group(trial)
            self._offer(trial)
        return self._to_audit(name, group)

    def _loss(self, loss: records.WorkerLoss) -> Sequence[Record]:
        trial = self._trials[loss.trial_id]
        self._release(trial)
        # The loss of a node, such as a spot instance, does not count against the trial.
        trial.losses += not loss.node
        if trial.losses < MOST_LOSSES:
            self._offer(trial)
            return []
        error = f"{loss.error} ({trial.losses} times in a row)"
        end = records.End(status="failed", metrics={}, error=error)
        return [records.Segment(trial_id=trial.trial_id, rows=(), end=end)]

    def _to_audit(self, name: str, group: Group) -> Sequence[records.Audit]:
        if not group.stopped or group.audited or group.failed or not self._audit(name):
            return []
        return [records.Audit(group=name, trials=group.judged)]

    def _audited(self, audit: records.Audit) -> None:
        self._groups[audit.group].audited = True
        for trial_id in audit.trials:
            trial = self._trials[trial_id]
            trial.audited = True
            cut = trial.status.is_over and trial.status is not TrialStatus.FINISHED
            if cut and trial.epoch < trial.limit:
                self._move(trial, TrialStatus.WAITING)
                self._offer(trial)

    def _withdrawn(self, withdrawal: records.Withdrawal) -> Sequence[Record]:
        """Withdraw trials that left the space; their results are kept."""
        decisions = []
        for trial_id in withdrawal.trials:
            trial = self._trials[trial_id]
            group = self._groups[trial.group]
            group.trials.remove(trial_id)
            self._move(trial, TrialStatus.WITHDRAWN)
            if self._asha and not group.stopped:
                decisions += self._asha.withdraw(trial.group, replicate=trial.replicate)
            if not (group.trials or group.stopped):
                del self._groups[trial.group]
        # A contender that is decided by the withdrawal and leaves with it needs no verdict.
        return self._verdicts(d for d in decisions if str(d.key) in self._groups)

    def _value(self, trial: Trial, epoch: int, value: float) -> Sequence[records.Verdict]:
        if self._asha is None or epoch >= trial.limit or self._groups[trial.group].stopped:
            return []
        decisions = self._asha.record(trial.group, epoch, value, replicate=trial.replicate)
        return self._verdicts(decisions)

    def _verdicts(self, decisions: Iterable[Decision]) -> Sequence[records.Verdict]:
        verdicts = []
        for decision in decisions:
            group = str(decision.key)
            trials = [self._trials[trial_id] for trial_id in self._groups[group].trials]
            record = verdict(decision, trials)
            self._pending[group, decision.epoch] = record
            verdicts.append(record)
        return verdicts

    def _stop(self, trial: Trial) -> int:
        """Epoch to which ``trial`` may train."""
        group = self._groups[trial.group]
        judged = not group.stopped and group.passed < len(self._rungs)
        return min(self._rungs[group.passed], trial.limit) if judged else trial.limit

    def _is_ready(self, trial: Trial) -> bool:
        return trial.status is TrialStatus.WAITING and trial.epoch < self._stop(trial)

    def _offer(self, trial: Trial) -> None:
        if self._is_ready(trial):
            group = self._groups[trial.group]
            # Promoted trials come before new ones, and audits come last.
            key = (group.stopped, -group.passed, trial.order, trial.trial_id)
            heapq.heappush(self._ready, key)

    def _release(self, trial: Trial) -> None:
        """Mark a trial as without a worker."""
        if trial.status is TrialStatus.RUNNING:
            self._move(trial, TrialStatus.WAITING)

    def _end_with_group(self, trial: Trial) -> None:
        if not trial.status.is_over:
            self._move(trial, TrialStatus.STOPPED)

    def _move(self, trial: Trial, status: TrialStatus) -> None:
        self.unfinished_count += trial.status.is_over - status.is_over
        trial.status = status
