"""Dispatch of jobs to lanes on nodes that end soon, with an engine that is a list."""

from types import SimpleNamespace

import pytest

from sweeps.execution import lanes
from sweeps.execution.lane import Pause, Wait
from sweeps.scheduling.trial_status import Job

pytestmark = pytest.mark.ray  # imports it, starts none


@pytest.fixture
def sweep(monkeypatch):
    """A dispatcher with lanes 0 on a node that is being drained, and 1 on another."""
    jobs, sent, killed, mailboxes, waiting, opened = [], [], [], [], [], []
    engine = SimpleNamespace(next=lambda: jobs.pop() if jobs else None, unfinished_count=0)
    queue = SimpleNamespace(exhausted=True, more=lambda: False, spec=lambda i: {"trial_id": i})
    ledger = SimpleNamespace(
        append=lambda record: None,
        append_unsynced=lambda record: None,
        stored_segment=lambda segment: segment,
        checkpoint=lambda trial_id: None,
    )
    execution = SimpleNamespace(
        engine=engine, queue=queue, ledger=ledger, hang_after=None, seconds_left=None,
        steering=SimpleNamespace(take_up=lambda: None),
    )  # fmt: skip
    put = SimpleNamespace(remote=lambda lane, number, job: sent.append((lane, job and job[0])))

    def mailbox():
        mailboxes.append(SimpleNamespace(put=put))
        return mailboxes[-1]

    pending: list[str] = []
    opening = SimpleNamespace(pending=pending, poll=lambda: None if pending else {"key": "facts"})
    monkeypatch.setattr(lanes.ray, "put", lambda preparations: preparations)
    dispatcher = lanes._LaneDispatcher(execution, opening, lambda: None, mailbox)
    monkeypatch.setattr(lanes, "node_of", lambda actor: actor.node)
    monkeypatch.setattr(dispatcher._nodes, "draining", lambda: frozenset({"drained"}))
    monkeypatch.setattr(dispatcher, "kill", killed.append)

    def start(lane, node):
        def order(order):
            if isinstance(order, Wait | Pause):
                waiting.append(order)
            else:
                sent.append((lane, order and order[0]))

        prepare = SimpleNamespace(remote=lambda preparations: opened.append((lane, preparations)))
        actor = SimpleNamespace(node=node, order=SimpleNamespace(remote=order), prepare=prepare)
        state = SimpleNamespace(ray_actor=actor)
        trial = SimpleNamespace(config={"lane": lane}, temporary_state=state)
        dispatcher.on_trial_start(0, [], trial)
        return trial

    def train(trial, trial_id):
        segment = {"type": "segment", "trial_id": trial_id}
        dispatcher.on_trial_result(0, [], trial, {"segment": segment})

    return SimpleNamespace(
        execution=execution, dispatcher=dispatcher, engine=engine, jobs=jobs, sent=sent,
        killed=killed, start=start, train=train, mailboxes=mailboxes, waiting=waiting,
        pending=pending, opened=opened,
    )  # fmt: skip


def job(trial_id):
    return Job(trial_id, 0, 1)


def test_a_lane_of_a_drained_node_is_replaced_after_its_segment(sweep):
    sweep.engine.unfinished_count = 1
    sweep.jobs.append(job("a"))
    drained = sweep.start(0, "drained")
    sweep.jobs.append(job("a"))
    sweep.train(drained, "a")
    assert sweep.killed == [0]
    assert [lane for lane, _ in sweep.sent] == [0]


def test_work_that_a_segment_frees_goes_to_a_lane_that_waits_elsewhere(sweep):
    sweep.engine.unfinished_count = 2
    sweep.jobs.append(job("a"))
    drained = sweep.start(0, "drained")
    sweep.start(1, "other")
    sweep.jobs.append(job("b"))
    sweep.train(drained, "a")
    assert [lane for lane, _ in sweep.sent] == [0, 1]


def test_the_last_lane_of_a_sweep_ends_on_its_drained_node(sweep):
    sweep.engine.unfinished_count = 1
    sweep.jobs.append(job("a"))
    drained = sweep.start(0, "drained")
    sweep.engine.unfinished_count = 0
    sweep.train(drained, "a")
    assert sweep.killed == []
    assert sweep.sent[-1] == (0, None)


def test_a_lane_that_waits_on_a_drained_node_is_replaced(sweep):
    sweep.engine.unfinished_count = 2
    sweep.jobs.append(job("a"))
    sweep.start(1, "other")
    sweep.start(0, "drained")
    sweep.dispatcher.on_step_end(0, [])
    assert sweep.killed == [0]
    assert sweep.sent == [(1, sweep.sent[0][1])]


def test_a_sweep_in_which_no_lane_waits_has_no_mailbox(sweep):
    sweep.engine.unfinished_count = 2
    sweep.jobs += [job("b"), job("a")]
    lane = sweep.start(0, "other")
    sweep.engine.unfinished_count = 1
    sweep.train(lane, "a")
    sweep.engine.unfinished_count = 0
    sweep.train(lane, "b")
    assert [lane for lane, _ in sweep.sent] == [0, 0, 0]
    assert sweep.sent[-1] == (0, None)
    assert sweep.mailboxes == sweep.waiting == []


def test_lanes_that_wait_share_one_mailbox(sweep):
    sweep.engine.unfinished_count = 3
    sweep.jobs.append(job("a"))
    for lane in range(3):
        sweep.start(lane, "other")
    (mailbox,) = sweep.mailboxes
    assert sweep.waiting == [Wait(1, mailbox), Wait(2, mailbox)]


def test_a_lane_waits_for_the_preparations_and_then_receives_them_before_its_first_job(sweep):
    sweep.engine.unfinished_count = 1
    sweep.jobs.append(job("a"))
    sweep.pending.append("facts of seed 0")
    trial = sweep.start(0, "other")
    assert sweep.waiting == [Pause(["facts of seed 0"])]
    assert not sweep.sent
    # Another task has ended, and this one not yet.
    sweep.dispatcher.on_trial_result(0, [], trial, {})
    assert len(sweep.waiting) == 2
    assert not sweep.opened
    sweep.pending.clear()
    sweep.dispatcher.on_trial_result(0, [], trial, {})
    assert sweep.opened == [(0, {"key": "facts"})]
    assert sweep.sent == [(0, {"trial_id": "a", "start": 0, "stop": 1})]
    assert not sweep.mailboxes


def test_a_lane_whose_trial_is_stopped_is_replaced_without_a_loss_and_its_segment_dropped(sweep):
    recorded = []
    sweep.execution.ledger.append = recorded.append
    sweep.engine.unfinished_count = 2
    sweep.jobs += [job("b"), job("a")]
    lane = sweep.start(0, "other")
    sweep.execution.steering.take_up = lambda: frozenset({"a"})
    sweep.dispatcher.on_step_end(0, [])
    assert sweep.killed == [0]
    sweep.train(lane, "a")  # was under way
    assert recorded == []
    lane = sweep.start(0, "other")
    assert [spec["trial_id"] for _, spec in sweep.sent if spec] == ["a", "b"]
    sweep.engine.unfinished_count = 0
    sweep.train(lane, "b")
    assert [segment["trial_id"] for segment in recorded] == ["b"]
