"""i-Epoch: all trials for a few epochs, then the best to the end."""

import math
import random

import pytest
from logs import manifest
from spaces import TINY

from search_spaces import SpaceError
from sweeps.journal import records
from sweeps.planning.estimate import estimate
from sweeps.planning.plan import plan
from sweeps.planning.summary import lines
from sweeps.scheduling.asha import Asha
from sweeps.scheduling.rule import Rule
from sweeps.simulation.curves import synthetic
from sweeps.simulation.simulate import simulate

RULE = Rule(rungs=(1,), finish=3)


def decided(values, order, finish=2):
    rule = Asha((1,), mode="min", reduction_factor=3, block=10**9, finish=finish)
    for key in range(len(values)):
        rule.add(key, stratum=0)
    made = rule.close()
    for key in order:
        made += rule.record(key, 1, values[key])
    return {d.key: d.goes_on for d in made}


def test_the_best_are_promoted_in_every_order_of_arrival():
    values = [3.0, math.nan, 1.0, 2.0, 1.0, math.inf]
    orders = [random.Random(i).sample(range(6), 6) for i in range(20)]
    made = [decided(values, order) for order in orders]
    assert all(one == made[0] for one in made)
    assert {key for key, goes_on in made[0].items() if goes_on} == {2, 4}


def test_nothing_is_judged_before_the_last_is_trained():
    rule = Asha((1,), mode="min", reduction_factor=3, block=10**9, finish=1)
    for key in range(3):
        rule.add(key, stratum=0)
    rule.close()
    assert rule.record(0, 1, 1.0) + rule.record(2, 1, 2.0) == []
    assert [d.goes_on for d in rule.record(1, 1, 0.0)] == [False, True, False]


def test_fewer_configurations_than_finish_all_run_to_the_end():
    assert decided([1.0], [0]) == {0: True}


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_the_number_of_epochs_is_that_of_the_formula(workers):
    curves = synthetic(50, limit=20, seed=3)
    run = simulate(curves, RULE, workers=workers)
    assert run.epochs == 50 * 1 + 3 * 19
    best = sorted(curves, key=lambda c: c.values[0])[:3]
    assert run.finishers == {c.trial_id for c in best}


def test_the_log_of_a_killed_sweep_gives_the_same_verdicts():
    """Records up to any point, then the rest again from an engine that replays them."""
    values = {"a": 3.0, "b": 1.0, "c": 2.0}
    log = [manifest()]
    log += [
        records.TrialEntry(
            trial_id=name, index=i, config={}, group=name, stratum="s", replicate=0, limit=5,
            columns={},
        )
        for i, name in enumerate(values)
    ]  # fmt: skip
    log.append(records.SpaceExhausted())
    log += [
        records.Segment(trial_id=name, rows=({"epoch": 1, "val_loss": value},), end=None)
        for name, value in values.items()
    ]
    rule = Rule(rungs=(1,), finish=1)
    whole = rule.engine()
    made = [list(whole.apply(record)) for record in log[1:]]
    assert {v.group: v.goes_on for v in made[-1]} == {"a": False, "b": True, "c": False}
    restarted = rule.engine()
    for record in log[1:]:
        restarted.apply(record)
    assert restarted.pending_verdicts == whole.pending_verdicts == made[-1]
    for verdict in made[-1]:
        restarted.apply(verdict)
    job = restarted.next()
    assert (job.trial_id, job.start, job.stop) == ("b", 1, 5)


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "first.yaml"
    rule = "scheduler: {i_epoch: {finish: 2, stratify_by: [sparsity], replicates: seed}}\n"
    path.write_text(TINY.replace("scheduler: null\n", rule))
    return path


def test_a_space_gives_its_rung_and_its_expected_epochs(space):
    made = plan(space)
    assert made.rungs == (1,)
    strata = {made.stratum(trial.config) for trial in made.trials}
    configurations = len({made.group(trial) for trial in made.trials})
    expected = estimate(made, cpus=2)
    finishers = 2 * len(strata)
    assert expected.finishers == finishers < configurations
    assert expected.epochs == configurations + finishers * (made.limit - 1)
    assert any("best 2" in line for line in lines(made))


def test_a_search_that_learns_cannot_wait_for_all(space):
    space.write_text(space.read_text() + "search: {algorithm: tpe, num_samples: 9}\n")
    with pytest.raises(SpaceError, match="would wait for all others; use asha, or search"):
        plan(space)
