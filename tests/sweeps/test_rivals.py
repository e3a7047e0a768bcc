"""Rules of early stopping compared on the same curves."""

from dataclasses import replace

import pytest

from sweeps.scheduling.rule import Rule
from sweeps.simulation.curves import Curve, synthetic
from sweeps.simulation.rivals import quality, rivals, table
from sweeps.simulation.simulate import simulate

HALVING = Rule(rungs=(1, 3), reduction_factor=3)


def curve(name, *values, stratum="s", end="completed", group=None, seed=0):
    return Curve(
        trial_id=name,
        group=group or name,
        stratum=stratum,
        replicate=seed,
        limit=len(values),
        values=values,
        seconds=[1.0] * len(values),
        end=end,
    )


CROSSING = [curve("a", 1.0, 1.0, 1.0), curve("b", 2.0, 0.5, 0.2), curve("c", 3.0, 3.0, 3.0)]


def judged(curves, rule):
    return quality(curves, simulate(curves, rule, workers=1), rule)


def test_regret_is_what_the_best_finisher_loses_to_the_best_of_all():
    found = judged(CROSSING, Rule(rungs=(1,), finish=1))
    assert (found.regret, found.found, found.strata) == (pytest.approx(0.8), 0, 1)
    found = judged(CROSSING, Rule(rungs=(1,), finish=2))
    assert (found.regret, found.found) == (0.0, 1)


def test_regret_is_a_mean_over_strata():
    other = [curve(c.trial_id + "2", *c.values[::-1], stratum="t") for c in CROSSING]
    found = judged(CROSSING + other, Rule(rungs=(1,), finish=1))
    assert (found.regret, found.found, found.strata) == (pytest.approx((0.8 + 1.0) / 2), 0, 2)


def test_larger_values_are_better_where_the_mode_says_so():
    curves = [replace(c, values=[-v for v in c.values]) for c in CROSSING]
    found = judged(curves, Rule(rungs=(1,), finish=1, mode="max"))
    assert found.regret == pytest.approx(0.8)


def test_seeds_count_by_the_mean_of_their_configuration():
    curves = [
        curve(f"{name}{seed}", 1.0 + i, final, group=name, seed=seed)
        for i, (name, finals) in enumerate({"a": (0.0, 4.0), "b": (1.0, 1.0)}.items())
        for seed, final in enumerate(finals)
    ]
    assert judged(curves, Rule(rungs=(1,), finish=1)).regret == pytest.approx(1.0)


def test_without_every_end_there_is_no_regret():
    curves = [*CROSSING, curve("d", 4.0, end=None)]
    assert judged(curves, Rule(rungs=(1,), finish=1)) is None
    assert "1 curve cut off" in table(curves, HALVING, (1,))[-1]


def test_i_epoch_has_as_many_finishers_and_as_many_epochs_as_the_rule():
    curves = synthetic(81, limit=27, seed=2)
    rule, *others, everything = rivals(curves, Rule(rungs=(1, 3, 9))).values()
    run = simulate(curves, rule, workers=1)
    spent = [simulate(curves, one, workers=1) for one in others]
    assert len(spent[0].finishers) == len(run.finishers)
    assert run.epochs - 26 < spent[-1].epochs <= run.epochs
    assert all(one.rungs == (1,) for one in others)
    assert judged(curves, everything).regret == 0.0


def test_the_table_has_a_line_for_every_rule_and_a_column_for_every_number_of_workers():
    head, *lines = table(synthetic(30, limit=9, seed=1), HALVING, (1, 4))
    assert "on 4" in head
    assert len(lines) == len(rivals(synthetic(30, limit=9, seed=1), HALVING))
    assert len({len(line) for line in (head, *lines)}) == 1


def test_without_early_stopping_there_is_nothing_to_compare():
    assert [*rivals(CROSSING, Rule()).values()] == [Rule()]
