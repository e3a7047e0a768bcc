"""Deterministic ASHA: its rule by hand, and survivors that depend on values only."""

import math
import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.scheduling.asha import Asha

RUNGS = (1, 3, 9)


def judge(values, *, order, block=27, lag=27, factor=3, mode="min", rungs=RUNGS, fails=()):
    """Feed ``values[key][rung]`` in ``order`` of (key, rung) as far as contenders are promoted."""
    asha = Asha(rungs, mode=mode, reduction_factor=factor, block=block, lag=lag)
    for key in values:
        asha.add(key, stratum=key[0])
    decisions = {(d.key, d.epoch): d for d in asha.close()}
    waiting = list(order)
    while waiting:
        for key, rung in waiting:
            before = [decisions.get((key, rungs[r])) for r in range(rung)]
            if all(d is not None and d.goes_on for d in before):
                break
        else:
            break
        waiting.remove((key, rung))
        if (key, rung) in fails:
            made = asha.settle(key, math.nan)
        else:
            made = asha.record(key, rungs[rung], values[key][rung])
        for d in made:
            assert (d.key, d.epoch) not in decisions, "decided twice"
            decisions[d.key, d.epoch] = d
    return {place: (d.goes_on, d.rank, d.of, d.value) for place, d in decisions.items()}


def contenders(n, strata=1, seed=0):
    rng = random.Random(seed)
    return {(i % strata, i): [rng.random() for _ in RUNGS] for i in range(n)}


def survivors(decisions):
    return {(key, epoch) for (key, epoch), (goes_on, *_) in decisions.items() if goes_on}


def in_order(values):
    return list(product(values, range(len(RUNGS))))


def test_a_small_stratum_halves_as_one_cohort():
    decided = judge(values := contenders(27), order=in_order(values))
    counts = [sum(epoch == rung for _, epoch in survivors(decided)) for rung in RUNGS]
    assert counts == [9, 3, 1]


def test_the_best_third_goes_on():
    values = {(0, i): [float(i)] * 3 for i in range(6)}
    decided = judge(values, order=in_order(values)[::-1])
    assert survivors(decided) == {((0, 0), 1), ((0, 1), 1), ((0, 0), 3), ((0, 0), 9)}


def test_larger_is_better_where_the_mode_says_so():
    values = {(0, i): [float(i)] * 3 for i in range(6)}
    decided = judge(values, order=in_order(values), mode="max")
    assert {key for key, epoch in survivors(decided) if epoch == 1} == {(0, 5), (0, 4)}


def test_a_stratum_of_one_finishes():
    decided = judge({(0, 0): [5.0, 5.0, 5.0]}, order=in_order({(0, 0): 0}))
    assert [goes_on for goes_on, *_ in decided.values()] == [True] * 3


def test_ties_go_to_the_older():
    values = {(0, i): [1.0] * 3 for i in range(6)}
    decided = judge(values, order=in_order(values)[::-1])
    assert {key for key, epoch in survivors(decided) if epoch == 1} == {(0, 0), (0, 1)}


def test_a_value_that_is_not_finite_stops_but_counts():
    values = {(0, i): [float(i)] * 3 for i in range(6)}
    for bad in (4, 5):
        values[0, bad] = [math.nan] * 3
    decided = judge(values, order=in_order(values))
    # 6 are compared, so 2 go on; of the 4 finite ones alone it would also be 2, of 3 just 1.
    assert {key for key, epoch in survivors(decided) if epoch == 1} == {(0, 0), (0, 1)}
    assert decided[(0, 5), 1][:3] == (False, 6, 6)


def test_where_nothing_is_finite_nobody_goes_on():
    values = {(0, i): [math.inf] * 3 for i in range(4)}
    assert survivors(judge(values, order=in_order(values))) == set()


def test_strata_do_not_see_one_another():
    values = {(s, i): [float(i + 100 * s)] * 3 for s in range(2) for i in range(3)}
    decided = judge(values, order=in_order(values))
    assert {key for key, epoch in survivors(decided) if epoch == 9} == {(0, 0), (1, 0)}


@pytest.mark.parametrize(("block", "lag"), [(1, 0), (5, 0), (5, 5), (27, 27), (3, 7)])
def test_every_decision_is_the_one_that_the_rule_gives(block, lag):
    """Against the definition, computed without pointers."""
    values = contenders(40, seed=3)
    expected = {}
    for rung, epoch in enumerate(RUNGS):
        for key in values:
            if not all(expected[key, RUNGS[r]] for r in range(rung)):
                expected[key, epoch] = False
                continue
            p = key[1]
            need = min(max(block, p + 1 - lag), len(values))
            seen = {
                k[1]
                for k in values
                if k[1] < need and all(expected[k, RUNGS[r]] for r in range(rung))
            }
            ranks = sorted((values[0, q][rung], q) for q in seen | {p})
            quota = max(1, math.ceil(len(ranks) / 3))
            expected[key, epoch] = ranks.index((values[key][rung], p)) < quota
    decided = judge(values, order=in_order(values), block=block, lag=lag)
    assert survivors(decided) == {place for place, goes_on in expected.items() if goes_on}


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 45),
    strata=st.integers(1, 3),
    rule=st.sampled_from([(1, 0), (4, 0), (4, 4), (27, 27)]),
)
def test_no_order_of_arrival_changes_a_decision(seed, n, strata, rule):
    rng = random.Random(seed)
    values = contenders(n, strata, seed)
    for key in values:
        if rng.random() < 0.15:
            values[key][rng.randrange(3)] = rng.choice([math.nan, math.inf, -math.inf])
    fails = {(key, rng.randrange(3)) for key in values if rng.random() < 0.1}
    block, lag = rule
    first = judge(values, order=in_order(values), block=block, lag=lag, fails=fails)
    shuffled = in_order(values)
    rng.shuffle(shuffled)
    again = judge(values, order=shuffled, block=block, lag=lag, fails=fails)
    assert repr(sorted(first.items())) == repr(sorted(again.items()))


def test_arrival_does_change_the_survivors_of_a_rule_that_judges_who_is_there():
    """The negative control: without waiting, the same values give other survivors."""

    def eager(order):
        there, passed = [], set()
        for key in order:
            there.append(values[key][0])
            rank = sorted(there).index(values[key][0]) + 1
            if rank <= max(1, math.ceil(len(there) / 3)):
                passed.add(key)
        return passed

    values = contenders(20)
    assert eager(list(values)) != eager(list(values)[::-1])


def test_replicates_are_judged_by_their_mean_and_go_together():
    asha = Asha((2,), mode="min", reduction_factor=2)
    for name in "ab":
        for seed in range(2):
            asha.add(name, stratum=0, replicate=seed)
    asha.close()
    assert asha.record("a", 2, 0.0, replicate=0) == []
    assert asha.record("a", 2, 9.0, replicate=1) == []
    assert asha.record("b", 2, 4.0, replicate=1) == []
    a, b = sorted(asha.record("b", 2, 4.0, replicate=0), key=lambda d: d.key)
    assert (a.value, a.goes_on, b.value, b.goes_on) == (4.5, False, 4.0, True)


def test_one_failed_seed_stops_its_configuration():
    asha = Asha((2,), mode="min", reduction_factor=2)
    for name, seed in product("ab", range(2)):
        asha.add(name, stratum=0, replicate=seed)
    asha.close()
    made = asha.settle("a", math.nan, replicate=1)
    made += asha.record("a", 2, 0.0, replicate=0)
    for seed in range(2):
        made += asha.record("b", 2, 4.0, replicate=seed)
    assert {d.key: d.goes_on for d in made} == {"a": False, "b": True}


def test_the_mean_does_not_depend_on_the_order_of_seeds():
    means = set()
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        asha = Asha((1,), mode="min", reduction_factor=2)
        for seed in range(3):
            asha.add("a", stratum=0, replicate=seed)
        made = asha.close()
        for seed in order:
            made += asha.record("a", 1, [0.1, 0.2, 0.3][seed], replicate=seed)
        means.add(made[0].value)
    assert len(means) == 1


def test_a_trial_that_ended_early_holds_its_last_value_at_later_rungs():
    asha = Asha(RUNGS, mode="min", reduction_factor=2)
    for name in "ab":
        asha.add(name, stratum=0)
    asha.close()
    made = asha.settle("a", 1.0)
    for epoch in RUNGS:
        made += asha.record("b", epoch, 2.0)
        if not made[-1].goes_on:
            break
    assert [(d.key, d.epoch, d.goes_on) for d in made] == [
        ("a", 1, True),
        ("b", 1, False),
        ("a", 3, True),
        ("a", 9, True),
    ]


def test_the_first_value_counts():
    asha = Asha((1,), mode="min", reduction_factor=2)
    asha.add("a", stratum=0)
    asha.add("b", stratum=0)
    asha.record("a", 1, 1.0)
    asha.record("a", 1, 99.0)
    asha.record("b", 1, 2.0)
    assert {d.key: d.value for d in asha.close()} == {"a": 1.0, "b": 2.0}


def test_nothing_is_decided_before_the_block_is_full_or_closed():
    asha = Asha((1,), mode="min", reduction_factor=3, block=4)
    for i in range(3):
        asha.add(i, stratum=0)
        assert asha.record(i, 1, float(i)) == []
    assert [d.goes_on for d in asha.close()] == [True, False, False]


def test_rivals_do_not_wait_for_the_withdrawn():
    asha = Asha((1,), mode="min", reduction_factor=2)
    for name in "ab":
        asha.add(name, stratum=0)
    asha.close()
    assert asha.record("b", 1, 1.0) == []
    (made,) = asha.withdraw("a")
    assert (made.key, made.goes_on, made.of) == ("b", True, 1)


def test_a_straggler_is_judged_by_what_its_position_sees():
    """Position 4 is late: those after it may be judged first, and see more than it does."""
    values = contenders(12, seed=7)
    orders = [in_order(values), [p for p in in_order(values) if p[0] != (0, 4)]]
    orders[1] += [((0, 4), rung) for rung in range(3)]
    one, other = (judge(values, order=order, block=2, lag=3) for order in orders)
    assert one == other


def test_contenders_added_after_the_close_meet_those_before():
    asha = Asha((1,), mode="min", reduction_factor=2)
    for i in range(2):
        asha.add(i, stratum=0)
        asha.record(i, 1, float(i))
    assert [d.goes_on for d in asha.close()] == [True, False]
    for i in (2, 3):
        asha.add(i, stratum=0)
        asha.record(i, 1, float(i))
    assert [(d.key, d.goes_on, d.of) for d in asha.close()] == [(2, False, 4), (3, False, 4)]
