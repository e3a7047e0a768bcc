"""Engine by its records: the next jobs, and outcomes that no kill changes."""

import copy
import math
import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from driven_engine import (
    EPOCHS,
    START,
    Driver,
    KilledError,
    Space,
    applied,
    finished,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from sweeps.errors import UsageError
from sweeps.scheduling.asha import Asha
from sweeps.scheduling.engine import MOST_LOSSES, Engine
from sweeps.scheduling.trial_status import Job, TrialStatus


def outcome(log):
    """All that a sweep comes to: every verdict, every audit and where every trial ended.

    A configuration that left the space and came back has a life more.
    """
    lives, verdicts, last, audits = Counter(), {}, {}, set()
    for record in log:
        if record["type"] == "decision":
            place = (record["group"], lives[record["group"]], record["epoch"])
            assert place not in verdicts, f"two verdicts on {place}"
            verdicts[place] = record
        elif record["type"] == "withdrawn":
            lives.update({f"g{i.partition('/')[0]}" for i in record["trials"]})
        elif record["type"] == "audit":
            audits.update(record["trials"])
        elif record["type"] == "segment":
            epochs = [row["epoch"] for row in record["rows"]]
            end = record.get("end", {}).get("status")
            before = last.get(record["trial_id"], (0, None))
            last[record["trial_id"]] = max([before[0], *epochs]), end or before[1]
    return verdicts, last, audits


def tiny(limit=EPOCHS, metric="val_loss", rungs=(1, 3), trials="ab", seeds=(0,)):
    """An engine of one stratum, whose configurations are called as their trials."""
    engine = Engine(Asha(rungs, mode="min", reduction_factor=2), metric=metric)
    for name in trials:
        for seed in seeds:
            applied(engine, entry(f"{name}{seed}", name, limit=limit, seed=seed))
    applied(engine, {"type": "closed"})
    return engine


def entry(trial_id, group, *, limit=EPOCHS, seed=0):
    known = {"type": "trial", "trial_id": trial_id, "index": 0, "config": {}, "group": group}
    return {**known, "stratum": "s", "replicate": seed, "limit": limit}


def rows(trial_id, *epochs, value=1.0, **end):
    listed = [{"epoch": epoch, "val_loss": value} for epoch in epochs]
    return {"type": "segment", "trial_id": trial_id, "rows": listed, **end}


def told(engine, *records):
    """Apply ``records`` and those derived; the derived ones."""
    todo, made = list(records), []
    while todo:
        followed = applied(engine, todo.pop(0))
        made += followed
        todo += followed
    return made


def lost(trial_id, *, node=False):
    return {"type": "lost", "trial_id": trial_id, "error": "oom", "node": node}


def test_trials_run_to_the_first_rung_in_their_order_of_entry():
    engine = tiny()
    assert [engine.next(), engine.next(), engine.next()] == [
        Job("a0", 0, 1),
        Job("b0", 0, 1),
        None,
    ]


def test_what_goes_on_runs_before_what_is_new():
    engine = Engine(Asha((1,), mode="min", reduction_factor=2, block=2, lag=2))
    for name in "abc":
        applied(engine, entry(name, name))
    assert (engine.next(), engine.next()) == (Job("a", 0, 1), Job("b", 0, 1))
    told(engine, rows("a", 1, value=2.0), rows("b", 1, value=1.0))
    assert [engine.next(), engine.next()] == [Job("b", 1, EPOCHS), Job("c", 0, 1)]


def test_a_trial_that_waits_for_its_verdict_is_not_run():
    engine = tiny()
    engine.next()
    assert told(engine, rows("a0", 1)) == []
    assert [engine.next(), engine.next()] == [Job("b0", 0, 1), None]


def test_the_verdict_follows_from_the_last_value_that_it_needs():
    engine = tiny()
    told(engine, rows("a0", 1, value=2.0))
    loser, winner = told(engine, rows("b0", 1, value=1.0))
    assert (loser["group"], loser["goes_on"], loser["rank"], loser["of"]) == ("a", False, 2, 2)
    assert (winner["group"], winner["goes_on"], engine.unfinished_count) == ("b", True, 1)


def test_without_a_rule_every_trial_runs_to_its_limit():
    engine = Engine(None)
    applied(engine, entry("a", "a", limit=5))
    assert engine.next() == Job("a", 0, 5)


def test_a_trial_that_ended_stays_a_rival_with_its_last_value():
    engine = tiny(rungs=(1, 3))
    told(engine, entry("a0", "a", limit=2), rows("a0", 1), rows("b0", 1, value=None))
    (verdict,) = told(engine, rows("a0", 2, value=7.0, end={"status": "completed"}))
    assert (verdict["epoch"], verdict["value"], verdict["ended"]) == (3, 7.0, True)
    assert engine.unfinished_count == 0


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_value_that_is_not_finite_stops_a_configuration(value):
    engine = tiny(trials="a")
    (verdict,) = told(engine, rows("a0", 1, value=value))
    assert (verdict["goes_on"], verdict["value"], engine.unfinished_count) == (False, None, 0)


def test_seeds_wait_for_one_another_and_stop_together():
    engine = tiny(seeds=(0, 1))
    told(engine, rows("a0", 1, value=9.0), rows("b0", 1), rows("b1", 1))
    assert engine.unfinished_count == 4
    told(engine, rows("a1", 1, value=9.0))
    assert engine.unfinished() == ["b0", "b1"]


def test_a_worker_that_is_lost_costs_a_trial_nothing_but_time():
    engine = tiny(trials="a")
    job = engine.next()
    assert told(engine, lost("a0")) == []
    assert engine.next() == job


def test_a_segment_that_takes_down_many_workers_fails_its_trial():
    engine = tiny(trials="a")
    for _ in range(MOST_LOSSES - 1):
        assert told(engine, lost("a0")) == []
    failed, verdict = told(engine, lost("a0"))
    assert failed["end"] == {"status": "failed", "error": f"oom ({MOST_LOSSES} times in a row)"}
    assert (verdict["goes_on"], verdict["ended"], engine.unfinished_count) == (False, True, 0)


def test_a_node_that_goes_away_is_not_counted():
    engine = tiny(trials="a")
    assert told(engine, *[lost("a0", node=True)] * (3 * MOST_LOSSES)) == []
    assert engine.next() == Job("a0", 0, 1)


def test_losses_are_forgiven_when_a_segment_is_done():
    engine = tiny(trials="a")
    told(engine, *[lost("a0")] * (MOST_LOSSES - 1), rows("a0", 1))
    assert told(engine, lost("a0")) == []
    assert engine.unfinished_count == 1


def test_a_driver_that_dies_before_it_fails_a_trial_gives_its_losses_back():
    engine = tiny(trials="a")
    for _ in range(MOST_LOSSES):
        assert engine.next() == Job("a0", 0, 1)
        applied(engine, lost("a0"))
    assert engine.next() is None
    applied(engine, START)
    assert engine.next() == Job("a0", 0, 1)


def test_a_trial_that_ends_at_the_rung_has_ended_whenever_its_verdict_comes():
    """Immediately or after a rival, the record is the same: nothing was there to stop."""
    ends, rival = rows("b0", 1, value=2.0, end={"status": "completed"}), rows("a0", 1)
    verdicts = [told(tiny(), *order) for order in ([ends, rival], [rival, ends])]
    first, second = ({d["group"]: d for d in made} for made in verdicts)
    assert first == second
    assert (first["b"]["goes_on"], first["b"]["ended"]) == (False, True)


def test_a_decision_of_the_log_that_its_values_do_not_give_is_refused():
    engine = tiny(trials="a")
    (verdict,) = applied(engine, rows("a0", 1))
    with pytest.raises(
        UsageError, match=r"decides that a stops .* give that a goes on at epoch 1"
    ):
        applied(engine, {**verdict, "goes_on": False})


def test_rivals_that_leave_together_need_no_verdict():
    engine = tiny()
    told(engine, rows("b0", 1))
    assert told(engine, {"type": "withdrawn", "trials": ["a0", "b0"]}) == []
    assert engine.unfinished_count == 0


def test_a_configuration_that_comes_back_goes_on_where_it_was():
    engine = tiny()
    told(engine, rows("b0", 1), {"type": "withdrawn", "trials": ["b0"]}, entry("b0", "b"))
    told(engine, {"type": "closed"}, rows("a0", 1, value=2.0))
    assert (engine.unfinished_count, engine.next()) == (1, Job("b0", 1, 3))


def test_a_larger_limit_takes_up_what_the_smaller_one_cut_off():
    cut = {"status": "completed", "truncated": True}
    engine = tiny(trials="a", rungs=(1,), limit=2)
    told(engine, rows("a0", 1), rows("a0", 2, end=cut))
    assert engine.unfinished_count == 0
    told(engine, entry("a0", "a", limit=4))
    assert (engine.unfinished_count, engine.next()) == (1, Job("a0", 2, 4))


def test_nobody_waits_at_a_new_rung_for_one_that_was_cut_off_below_it_and_left():
    cut = {"status": "completed", "truncated": True}
    engine = tiny(trials="abcd", rungs=(1, 3), limit=2)
    told(engine, *(rows(f"{name}0", 1, value=i) for i, name in enumerate("abcd")))
    told(engine, rows("a0", 2, end=cut), rows("b0", 2, end=cut))
    assert engine.unfinished() == ["a0", "b0"]  # they hold up their rivals at epoch 3
    told(engine, {"type": "withdrawn", "trials": ["a0"]}, entry("b0", "b"), {"type": "closed"})
    told(engine, rows("b0", 3))
    assert engine.next() == Job("b0", 3, EPOCHS)


def test_an_audit_comes_after_everything_else_and_changes_no_verdict():
    engine = Engine(Asha((1,), mode="min", reduction_factor=2), audit=lambda group: True)
    for name in "ab":
        applied(engine, entry(name, name, limit=3))
    made = told(engine, {"type": "closed"}, rows("a", 1, value=2.0), rows("b", 1))
    assert [r["type"] for r in made] == ["decision", "decision", "audit"]
    assert [engine.next(), engine.next()] == [Job("b", 1, 3), Job("a", 1, 3)]
    assert told(engine, rows("a", 2, 3, end={"status": "completed"})) == []
    assert engine.unfinished_count == 1


def test_an_audit_does_not_train_again_what_had_ended_by_itself():
    engine = Engine(Asha((3,), mode="min", reduction_factor=2), audit=lambda group: True)
    for seed in (0, 1):
        applied(engine, entry(f"a{seed}", "a", seed=seed))
    applied(engine, {"type": "closed"})
    told(engine, rows("a0", 1, 2, end={"status": "completed"}), rows("a1", 3, value=None))
    assert (engine.next(), engine.next()) == (Job("a1", 3, EPOCHS), None)


def test_an_audited_trial_that_leaves_comes_back_to_its_audit():
    engine = Engine(Asha((1,), mode="min", reduction_factor=2), audit=lambda group: True)
    applied(engine, entry("a", "a"))
    told(engine, {"type": "closed"}, rows("a", 1, value=None))
    told(engine, {"type": "withdrawn", "trials": ["a"]})
    assert (engine.unfinished_count, engine.next()) == (0, None)
    told(engine, entry("a", "a"), {"type": "closed"})
    assert (engine.unfinished_count, engine.next()) == (1, Job("a", 1, EPOCHS))


def test_a_seed_that_came_after_the_stop_is_not_audited():
    asked = set()
    engine = Engine(Asha((1,), mode="min", reduction_factor=2), audit=asked.__contains__)
    applied(engine, entry("a0", "a"))
    told(engine, {"type": "closed"}, rows("a0", 1, value=None), entry("a1", "a", seed=1))
    asked.add("a")
    assert [record.trials for record in engine.audits()] == [("a0",)]


def test_a_larger_limit_lengthens_an_audit():
    engine = Engine(Asha((1,), mode="min", reduction_factor=2), audit=lambda group: True)
    applied(engine, entry("a", "a", limit=2))
    cut = {"status": "completed", "truncated": True}
    told(engine, {"type": "closed"}, rows("a", 1, value=None), rows("a", 2, end=cut))
    told(engine, entry("a", "a", limit=4))
    assert engine.next() == Job("a", 2, 4)


@pytest.mark.parametrize("seed", range(3))
def test_cut_after_any_record_a_sweep_comes_to_the_same(seed):
    space = Space(tuple(range(seed, seed + 12)), seeds=(0, 1))
    whole = finished(space, seed=seed)
    for cut in range(len(whole)):
        again = finished(space, whole[:cut], seed=cut, workers=1 + cut % 5)
        assert outcome(again) == outcome(whole), f"cut after {cut} of {len(whole)} records"


def test_what_is_tried_here_has_every_kind_of_end():
    """Else the tests of kills would prove little."""
    log = [r for seeds in ((0,), (0, 1)) for r in finished(Space(tuple(range(40)), seeds))]
    ends = Counter(r["end"]["status"] for r in log if "end" in r)
    verdicts = Counter((r["goes_on"], r["ended"]) for r in log if r["type"] == "decision")
    assert min(ends["completed"], ends["failed"]) > 3
    assert min(verdicts[goes_on, ended] for goes_on in (0, 1) for ended in (0, 1)) > 0
    assert {r["type"] for r in log} >= {"lost", "audit", "segment", "decision"}


def test_an_engine_that_forgets_its_rungs_is_caught():
    """The negative control: after the cut only those that are still open are known, as to Ray."""
    space = Space(tuple(range(16)), strata=1)
    whole = finished(space)
    differ = 0
    for cut in range(20, len(whole), 10):
        past = whole[:cut]
        stops = [r for r in past if r["type"] == "decision" and not r["goes_on"]]
        gone = {r["trial_id"] for r in past if "end" in r} | {
            i for r in stops for i in r["trials"]
        }
        memory = [r for r in past if r["type"] in ("trial", "segment", "closed")]
        memory = [r for r in memory if r.get("trial_id") not in gone]
        still = tuple(i for i in space.configurations if f"{i}/0" not in gone)
        again = finished(replace(space, configurations=still), memory)
        differ += {**outcome(past)[0], **outcome(again)[0]} != outcome(whole)[0]
    assert differ > 3


S = TrialStatus
MOVES = {
    (S.WAITING, S.RUNNING),
    (S.RUNNING, S.WAITING),
    *((before, after) for before in S for after in (S.FINISHED, S.TRUNCATED, S.WITHDRAWN)),
    *((before, S.STOPPED) for before in (S.WAITING, S.RUNNING)),
    *((before, S.WAITING) for before in (S.TRUNCATED, S.WITHDRAWN, S.STOPPED)),
}


def test_statuses_change_only_as_their_table_says(monkeypatch):
    moves, move = Counter(), Engine._move

    def observed(engine, trial, status):
        moves[trial.status, status] += 1
        move(engine, trial, status)

    monkeypatch.setattr(Engine, "_move", observed)
    for seed in range(6):
        dice, space, log = random.Random(seed), Space(tuple(range(8)), limit=3), []
        for edit in ("values", "leave", "limit", "leave", "return"):
            driver = Driver(space, log, dice, fuse=dice.randint(10, 40))
            with suppress(KilledError):
                driver.start()
                driver.finish()
            space = edited(space, edit, dice)
        finished(space, log, seed=seed)
    assert moves.keys() <= MOVES
    assert {after for _, after in moves} == {*S}


EDITS = ("values", "seed", "limit", "leave", "return")


def edited(space, edit, dice):
    """``space`` after an edit that a user could make to it."""
    numbers = space.configurations
    if edit == "values":
        first = max(numbers) + 1
        return replace(space, configurations=(*numbers, *range(first, first + dice.randint(1, 6))))
    if edit == "seed":
        return replace(space, seeds=(*space.seeds, len(space.seeds)))
    if edit == "limit":
        return replace(space, limit=min(EPOCHS, space.limit * 3))
    if edit == "leave" and len(numbers) > 2:
        gone = set(dice.sample(numbers, dice.randint(1, len(numbers) // 2)))
        return replace(space, configurations=tuple(i for i in numbers if i not in gone))
    return replace(space, configurations=tuple(range(max(numbers) + 1)))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6),
    first=st.integers(2, 9),
    limit=st.sampled_from([2, 3, 9]),
    edits=st.lists(st.sampled_from(EDITS), max_size=4),
)
def test_kills_do_not_change_the_history_of_a_sweep_that_is_edited_between(
    seed, first, limit, edits
):
    spaces, dice = [Space(tuple(range(first)), limit=limit)], random.Random(seed)
    for edit in edits:
        spaces.append(edited(spaces[-1], edit, dice))
    whole, cut = [], []
    for space in spaces:
        whole = finished(space, whole, seed=seed)
        while True:
            driver = Driver(space, cut, dice, fuse=dice.randint(1, 60), workers=dice.randint(1, 6))
            try:
                driver.start()
                driver.finish()
                break
            except KilledError:
                pass
        # Within a life of the sweep its losses differ, and nothing else.
        assert outcome(cut) == outcome(whole)


class Life(RuleBasedStateMachine):
    """A user who starts, kills and edits a sweep at any moment."""

    def __init__(self):
        super().__init__()
        self.dice = random.Random(0)
        self.space = Space(tuple(range(6)), limit=3)
        self.log = []
        self.driver = None

    @precondition(lambda self: self.driver is None)
    @rule(fuse=st.none() | st.integers(0, 40), workers=st.integers(1, 5), seed=st.integers(0, 99))
    def start(self, fuse, workers, seed):
        self.dice = random.Random(seed)
        self.driver = Driver(self.space, self.log, self.dice, fuse, workers)
        self.attempt(self.driver.start)

    @precondition(lambda self: self.driver)
    @rule(steps=st.integers(1, 40), fuse=st.none() | st.integers(0, 30))
    def work(self, steps, fuse):
        self.driver.fuse = fuse
        self.attempt(lambda: [self.driver.step() for _ in range(steps)])

    @precondition(lambda self: self.driver)
    @rule()
    def finish(self):
        self.driver.fuse = None
        self.driver.finish()

    @precondition(lambda self: self.driver)
    @rule(edits=st.lists(st.sampled_from(EDITS), max_size=3))
    def kill(self, edits):
        self.driver = None
        for edit in edits:
            self.space = edited(self.space, edit, self.dice)

    def attempt(self, act):
        try:
            act()
        except KilledError:
            self.driver = None

    @invariant()
    def no_configuration_has_two_verdicts_at_a_rung(self):
        outcome(self.log)

    @precondition(lambda self: self.driver)
    @invariant()
    def what_was_stopped_does_not_run_unless_audited(self):
        stopped, audits = set(), set()
        for record in self.log:
            if record["type"] == "decision" and not record["goes_on"]:
                stopped.add(record["group"])
            elif record["type"] == "audit":
                audits.update(record["trials"])
        for job in jobs(self.driver):
            assert f"g{job.trial_id.partition('/')[0]}" not in stopped or job.trial_id in audits

    @precondition(lambda self: self.driver)
    @invariant()
    def what_is_left_is_counted(self):
        assert self.driver.engine.unfinished_count == len(self.driver.engine.unfinished())

    @precondition(lambda self: self.driver)
    @invariant()
    def a_replay_of_the_log_is_where_the_engine_is(self):
        replayed = Driver(self.space, list(self.log))
        replayed.start()
        assert replayed.log[len(self.log) :] == [START, {"type": "closed"}]
        assert replayed.engine.unfinished_count == self.driver.engine.unfinished_count
        # What runs was told how far to train when it began; a verdict since may let it go further.
        begun = {job.trial_id for job in self.driver.running}
        here, there = (
            {(job.trial_id, job.start, job.stop * (job.trial_id not in begun)) for job in found}
            for found in (jobs(self.driver), jobs(replayed))
        )
        assert here == there

    def teardown(self):
        for _ in range(2):  # whatever was, the next two starts bring it to its end, and leave it
            driver = Driver(self.space, self.log)
            driver.start()
            driver.finish()
            before = len(self.log)
        driver = Driver(self.space, self.log)
        driver.start()
        assert not driver.step()
        assert len(self.log) == before + 2


def jobs(driver):
    """Trials that run, or could run now."""
    engine, ready = copy.deepcopy(driver.engine), list(driver.running)
    while job := engine.next():
        ready.append(job)
    return ready


def test_no_sequence_of_starts_kills_and_edits_breaks_a_sweep():
    run_machine(
        Life,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
