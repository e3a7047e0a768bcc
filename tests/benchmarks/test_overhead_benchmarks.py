"""Smoke tests of the benchmarks of the engine: tiny sizes, figures that are complete."""

import pytest
from benchmarks.complete import assert_complete

from benchmarks.loading import loading
from benchmarks.overhead import overhead
from benchmarks.simulated_slots import simulated_slots


@pytest.mark.ray
@pytest.mark.slow
def test_the_overhead_of_a_trial_is_measured_on_every_side():
    sizes = {"lanes": (3, 6), "tune, reusing actors": (2, 3), "tune": (1, 2)}
    figures = overhead(sizes, rounds=1)
    names = ("6 no-op trials, start included", "memory of the driver", "a further no-op trial")
    assert_complete(figures, *names, "a further no-op trial, tune")


@pytest.mark.ray
@pytest.mark.slow
def test_a_load_is_measured_beside_that_of_tune():
    figures = loading(trials=4, epochs=3, peer_trials=2, rounds=1)
    assert_complete(figures, "load of 4 x 3 rows", "load of 4 x 3 rows, ResultGrid")


def test_simulated_slots_take_the_floor_and_the_time_of_the_driver():
    figures = simulated_slots(trials=8, slots=4, seconds=1.0, rounds=1)
    assert_complete(figures)
    (figure,) = figures.values()
    assert figure["other"] == 2.0
    assert figure["ours"] >= figure["other"]
