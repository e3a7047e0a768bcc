"""Trials and configurations under an engine, and the segments that are ready to run."""

import heapq
from collections.abc import Callable, Iterable, Sequence

from sweeps.journal import records
from sweeps.scheduling.asha import Asha, Decision
from sweeps.scheduling.trial_status import Group, Job, Trial, TrialStatus, verdict


class EngineState:
    """State of an :class:`.engine.Engine`, whose records change it.

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
