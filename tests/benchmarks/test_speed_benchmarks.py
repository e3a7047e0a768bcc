"""Smoke tests of the benchmarks of one machine without Ray: tiny sizes, complete figures."""

import logging

import optuna
import pytest
from benchmarks.complete import assert_complete

from benchmarks import growth as trial_growth
from benchmarks.attack_cost import attack_cost
from benchmarks.distances import distances
from benchmarks.growth import growth
from benchmarks.heston_paths import MARKETS, heston_paths
from benchmarks.proposals import SAMPLERS, proposals
from benchmarks.simulation import simulation


def test_paths_are_compared_in_every_market_and_precision():
    pytest.importorskip("pfhedge")
    figures = heston_paths(paths=100, rounds=1)
    assert_complete(figures)
    assert len(figures) == 2 * len(MARKETS)


def test_distances_are_equal_to_those_of_the_peers_and_timed():
    figures = distances(rows=900, rounds=1)
    assert_complete(figures)
    assert len(figures) == 4


def test_an_attacked_epoch_is_measured_in_clean_ones():
    figures = attack_cost(paths=512, rounds=1)
    assert_complete(figures, "epoch at 32-32, batch 256, path_pgd 7, against 8 clean ones")


@pytest.mark.ray  # Ray's scheduler draws from a global generator
def test_a_simulation_is_timed_beside_rays_scheduler():
    figures = simulation(trials=60, workers=(2,), rounds=1)
    name = "60 trials on 2 workers, Ray's ASHA"
    assert_complete(figures, f"simulation of {name}", f"makespan of {name}")


def test_proposals_are_timed_beside_optunas():
    optuna.logging.set_verbosity(logging.WARNING)
    figures = proposals(sizes=(12, 24))
    assert len(figures) == 4 * len(SAMPLERS)
    assert {figure["runs"] for figure in figures.values()} == {12, 24}


def test_a_sweep_of_no_op_trials_is_measured_in_all_its_parts():
    measured = trial_growth.measured("random", 40)
    assert measured.keys() == trial_growth.UNITS.keys()
    assert min(measured.values()) > 0


@pytest.mark.slow
def test_a_trial_of_a_large_sweep_is_compared_with_one_of_a_small_sweep():
    figures = growth(few=40, many=80, rounds=1)
    assert_complete(figures, "run, a trial among 80 against one among 40")
