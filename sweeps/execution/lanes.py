"""Lanes: one Ray Tune worker per slot, which runs one segment after another.

With one Tune trial per configuration, a trial that waits for a decision either holds its slot or
gives up its process and pays for a new one. A lane avoids both: it is a Tune trial that lives as
long as the sweep; Tune places, retries and scales it, and each segment occupies it for one rung.

A lane whose segment was just recorded receives its next order before Tune continues it. If there
is no job for it yet, the order is to wait at a mailbox, an actor that starts when first needed; if
the trials are not entered yet, to wait for the preparations that they start from.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

import ray
from ray import tune
from ray.exceptions import RayActorError
from ray.tune.experiment import Trial
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from hedgecore.experiment import Run
from sweeps.errors import SweepError
from sweeps.execution.execution import Execution
from sweeps.execution.lane import Lane, Parcel, Pause, Wait
from sweeps.execution.mailbox import Mailbox
from sweeps.execution.nodes import Nodes, node_of
from sweeps.execution.tune import (
    Finished,
    Listener,
    Trials,
    died_with_node,
    fit,
    last_failure,
    reason,
)
from sweeps.execution.worker import accepted
from sweeps.journal.records import SegmentStart, WorkerLoss
from sweeps.scheduling.trial_status import Job

_MOST_FALSE_STARTS, _LOOK = 5, 1.0  # the latter in seconds, between looks for requests


class Opening(Protocol):
    """Preparations that trials start from."""

    @property
    def pending(self) -> "list[ray.ObjectRef]":
        """Results that lanes wait for."""

    def poll(self) -> Mapping[str, Any] | None:
        """Preparations by key, once all are there and the trials are entered; None before."""


def run_lanes(
    execution: Execution,
    open_run: Callable[..., Run],
    opening: Opening,
    changed: Callable[[], None],
    *,
    lanes: int,
    starting: int | None = None,
) -> bool:
    """Run all trials of ``execution`` on ``lanes`` lanes; False if the deadline came first.

    Args:
        open_run: called on a worker with a trial, a checkpoint and, as keyword ``preparations``,
            those of ``opening``.
        opening: polled until its preparations are there.
        changed: called after every event.
        starting: lanes that start at a time; None for all.
    Raises:
        PreparationError: from ``opening``.
        SweepError: workers die before they run anything.
        WriteError: the log can no longer be written.
    """
    dispatcher = _LaneDispatcher(execution, opening, changed, _mailbox)
    name = execution.plan.space.experiment
    trainable = tune.with_resources(
        tune.with_parameters(Lane, open_run=open_run, experiment_name=name),
        asdict(execution.resources),
    )
    try:
        return fit(
            trainable,
            dispatcher,
            param_space={"lane": tune.grid_search(list(range(lanes)))},
            tune_config=tune.TuneConfig(max_concurrent_trials=lanes),
            failures=-1,  # the dispatcher counts losses per trial; lanes always restart
            stop=dispatcher.stopper,
            starting=starting,
        )
    finally:
        dispatcher.close()


def _mailbox() -> Any:
    """A new mailbox on the driver's node, since a worker's node may be reclaimed."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Mailbox.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]


class _LaneDispatcher(Listener):
    """Dispatcher of jobs to lanes: receives Tune's events and appends records.

    ``mailbox`` makes the mailbox of lanes that wait.
    """

    def __init__(
        self,
        execution: Execution,
        opening: Opening,
        changed: Callable[[], None],
        mailbox: Callable[[], Any],
    ) -> None:
        super().__init__(execution, changed)
        assert execution.engine is not None
        self._opening = opening
        self._shared: ray.ObjectRef | None = None  # preparations
        self._queue, self._engine = execution.queue, execution.engine
        self._make_mailbox, self._mailbox = mailbox, None
        self._jobs: dict[int, tuple[Job, float]] = {}
        self._idle: list[int] = []
        self._due: int | None = None  # lane whose next step Tune starts after this event
        self._hung: dict[int, str] = {}
        self._cut: set[int] = set()  # lanes killed since their trial was stopped by request
        self._next_look = 0.0  # time.monotonic at which requests are looked for
        self._nodes, self._node_ids = Nodes(), dict[int, str | None]()
        self._job_count = self._false_starts = 0
        self.stopper = Finished()

    def on_trial_start(self, iteration: int, trials: Trials, trial: Trial, **info: Any) -> None:
        """Give the new lane a job, or let it wait for the preparations."""
        lane = trial.config["lane"]
        self.live[lane] = trial
        self._cut.discard(lane)
        self._node_ids[lane] = node_of(trial.temporary_state.ray_actor)
        self.guarded(lambda: self._admit(lane))

    def on_trial_result(
        self, iteration: int, trials: Trials, trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Record a segment; Tune lets the lane continue when this returns."""
        # Popped, since Tune keeps results in memory.
        lane, segment = trial.config["lane"], result.pop("segment", None)
        if segment is not None:
            self.guarded(lambda: self._take(lane, segment))
        elif not result.get("done"):
            self.guarded(lambda: self._admit(lane))

    def on_trial_recover(self, iteration: int, trials: Trials, trial: Trial, **info: Any) -> None:
        """Record that a lane lost its process; Tune starts another."""
        self.guarded(lambda: self._lose(trial.config["lane"], last_failure(trial)))

    def on_trial_complete(self, iteration: int, trials: Trials, trial: Trial, **info: Any) -> None:
        """Forget a lane that ended for lack of work."""
        self.live.pop(trial.config["lane"], None)
        self.stopper.finished = self._queue.exhausted and not self._engine.unfinished_count

    def close(self) -> None:
        """End the mailbox."""
        if self._mailbox is not None:
            ray.kill(self._mailbox)

    def on_step_end(self, iteration: int, trials: Trials, **info: Any) -> None:
        """Check the deadline, and kill workers that hang, or wait on a node that is to end."""
        super().on_step_end(iteration, trials, **info)
        self.guarded(self._opening.poll)
        self.guarded(self._steer)
        for lane in filter(self._ends_soon, list(self._idle)):
            self._idle.remove(lane)
            self.kill(lane)
        patience, now = self.execution.hang_after, time.monotonic()
        if patience is None:
            return
        for lane, (job, since) in self._jobs.items():
            if now - since > patience:
                self._jobs[lane] = job, now
                self._hung[lane] = f"it hung: no rung within {patience:g} s"
                self.kill(lane)

    def _steer(self) -> None:
        """Take up requests, and kill the workers of trials that they stop."""
        if (now := time.monotonic()) < self._next_look:
            return
        self._next_look = now + _LOOK
        if (stopped := self.execution.steering.take_up()) is None:
            return
        for lane in [n for n, (job, _) in self._jobs.items() if job.trial_id in stopped]:
            del self._jobs[lane]
            self._cut.add(lane)
            self.kill(lane)
        self._hand_out()
        self.changed()

    def _admit(self, lane: int) -> None:
        """Send the preparations to ``lane`` and free it, or let it wait for them."""
        preparations = self._opening.poll()
        if preparations is None:
            self._actor(lane).order.remote(Pause(self._opening.pending))
            return
        self._shared = self._shared or ray.put(preparations)
        self._actor(lane).prepare.remote(self._shared)
        self._free(lane)

    def _take(self, lane: int, segment: dict[str, Any]) -> None:
        segment = accepted(segment)
        if lane in self._cut:  # it was under way when its trial was stopped
            return
        job, _ = self._jobs.pop(lane)
        assert segment["trial_id"] == job.trial_id
        self._false_starts = 0
        self._hung.pop(lane, None)
        self.ledger.append(self.ledger.stored_segment(segment))
        ended = self._queue.exhausted and not self._engine.unfinished_count
        if ended or not self._ends_soon(lane):
            self._free(lane)
            return
        self.kill(lane)  # Tune starts it on another node
        # Lanes that wait may have work now, and the next one of this lane may need their room.
        self._hand_out()
        self.changed()

    def _ends_soon(self, lane: int) -> bool:
        """True if the node of ``lane`` is being drained."""
        return self._node_ids.get(lane) in self._nodes.draining()

    def _free(self, lane: int) -> None:
        self._idle.append(lane)
        self._due = lane
        self._hand_out()
        if self._due is not None:
            self._mailbox = self._mailbox or self._make_mailbox()
            self._order(lane, Wait(lane, self._mailbox))
        self.changed()

    def _hand_out(self) -> None:
        while self._idle:
            job = self._engine.next()
            if job is None:
                if self._queue.more():
                    continue
                break
            lane = self._idle.pop()
            self.ledger.append_unsynced(SegmentStart(trial_id=job.trial_id, epoch=job.start))
            self._jobs[lane] = job, time.monotonic()
            checkpoint = self.ledger.checkpoint(job.trial_id) if job.start else None
            start = job.start if checkpoint else 0
            spec = self._queue.spec(job.trial_id)
            self._send(lane, ({**spec, "start": start, "stop": job.stop}, checkpoint))
        stuck = self._idle and not self._jobs and self._engine.unfinished_count
        assert not stuck, "no trial can run"
        if self._queue.exhausted:
            # Keep one lane per unfinished trial; one that loses its worker needs it again.
            spare = len(self._jobs) + len(self._idle) - self._engine.unfinished_count
            for _ in range(min(len(self._idle), spare)):
                self._send(self._idle.pop(), None)

    def _send(self, lane: int, job: Parcel | None) -> None:
        if lane == self._due:
            self._order(lane, job)
            return
        self._job_count += 1
        assert self._mailbox is not None, "a lane waits without a mailbox"
        self._mailbox.put.remote(lane, self._job_count, job)

    def _order(self, lane: int, order: Parcel | Wait | None) -> None:
        self._due = None
        self._actor(lane).order.remote(order)

    def _actor(self, lane: int) -> Any:
        return self.live[lane].temporary_state.ray_actor

    def _lose(self, lane: int, failure: str) -> None:
        # The loss of a node, such as a reclaimed spot instance, does not count as a false start.
        node_id = self._node_ids.pop(lane, None)
        node = self._nodes.lost(node_id) if node_id else died_with_node(failure)
        error = self._hung.pop(lane, reason(failure))
        self.live.pop(lane, None)
        try:
            if self._mailbox is not None:
                ray.get(self._mailbox.reset.remote(lane, self._job_count))
        except RayActorError as lost:
            raise SweepError(
                "the process that dispatches work has died; run the same command again to continue"
            ) from lost
        if lane in self._idle:
            self._idle.remove(lane)
        if lane in self._cut:
            return
        if lane not in self._jobs:
            self._false_starts += not node
            if self._false_starts > _MOST_FALSE_STARTS:
                raise SweepError(f"workers die before they run anything: {error}")
            return
        job, _ = self._jobs.pop(lane)
        self.ledger.append(WorkerLoss(trial_id=job.trial_id, error=error, node=node))
        self._hand_out()
        self.changed()
