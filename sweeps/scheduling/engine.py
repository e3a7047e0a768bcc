"""Engine: the next jobs and the verdicts, as a function of the log.

The engine sees records only, neither clocks nor workers. The log of a killed sweep restores its
state; recorded curves make it a simulation.
"""

import math
from collections.abc import Sequence
from typing import assert_never

from sweeps.errors import UsageError
from sweeps.journal import records
from sweeps.journal.records import Record
from sweeps.scheduling.engine_state import EngineState
from sweeps.scheduling.trial_status import Group, Trial, TrialStatus, verdict_text

MOST_LOSSES = 4
"""Workers that one segment of a trial may lose before the trial counts as failed."""


class Engine(EngineState):
    """Schedules segments from rung to rung; the arguments are those of its state."""

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
            case records.UserStop():
                return self._stopped_by_user(record)
            case records.Retry():
                return self._retried(record)
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
            case records.SharedBytes() | records.Proposal() | records.TrialRequest():
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

    def _announced(self, entry: records.TrialEntry) -> Sequence[Record]:
        """Enter a trial, new or moved in a changed space."""
        trial_id, name = entry.trial_id, entry.group
        if trial_id not in self._trials:
            order = len(self._trials)
            self._trials[trial_id] = Trial(trial_id, order, name, entry.replicate, entry.limit)
            self.unfinished_count += 1
        trial = self._trials[trial_id]
        group = self._groups.setdefault(name, Group(stratum=entry.stratum))
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
        if not group.stopped or group.audited or group.failed or group.withheld:
            return []
        if not self._audit(name):
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

    def _stopped_by_user(self, stop: records.UserStop) -> Sequence[Record]:
        """Stop whole configurations, for which no rival waits any more."""
        decisions = []
        for name, group in self._groups_of(stop.trials).items():
            if self._asha and not group.stopped:
                decisions += self._asha.leave(name)
            # Its end tells nothing of the rule, so it is not audited.
            group.stopped = group.withheld = True
            for trial_id in group.trials:
                self._end_with_group(self._trials[trial_id])
        return self._verdicts(d for d in decisions if not self._groups[str(d.key)].stopped)

    def _retried(self, retry: records.Retry) -> Sequence[Record]:
        """Start trials again, and judge their configurations anew at the end of their strata."""
        effects: list[Record] = []
        for name, group in self._groups_of(retry.trials).items():
            if self._asha:
                effects += self._verdicts(self._asha.leave(name))
            self._groups[name] = Group(trials=group.trials, stratum=group.stratum)
            trials = [self._trials[trial_id] for trial_id in group.trials]
            for trial in trials:
                if trial.trial_id in retry.trials:
                    trial.start_again()
                if trial.trial_id in retry.trials or trial.status is TrialStatus.STOPPED:
                    self._move(trial, TrialStatus.WAITING)
                if self._asha:
                    self._asha.add(name, stratum=group.stratum, replicate=trial.replicate)
            for trial in trials:
                for epoch, value in trial.values.items():
                    effects += self._value(trial, epoch, value)
                if self._asha and trial.status is TrialStatus.FINISHED:
                    last, replicate = trial.last_value, trial.replicate
                    effects += self._verdicts(self._asha.settle(name, last, replicate=replicate))
                self._offer(trial)
        return effects

    def _groups_of(self, trial_ids: Sequence[str]) -> dict[str, Group]:
        names = dict.fromkeys(self._trials[trial_id].group for trial_id in trial_ids)
        return {name: self._groups[name] for name in names}
