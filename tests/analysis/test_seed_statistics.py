import math

import pytest

from analysis.statistics import over_seeds


def test_one_seed_keeps_its_own_standard_error():
    estimate = over_seeds([-3.0], [0.02], shared_paths=True)
    assert (estimate.mean, estimate.se, estimate.low, estimate.high) == (-3.0, 0.02, -3.0, -3.0)


def test_the_error_of_shared_paths_does_not_average_out():
    estimate = over_seeds([-3.0, -3.0], [0.02, 0.02], shared_paths=True)
    assert estimate.se == pytest.approx(0.02)


def test_the_error_of_independent_paths_averages_out_by_the_root_of_seeds():
    estimate = over_seeds([-3.0] * 4, [0.02] * 4, shared_paths=False)
    assert estimate.se == pytest.approx(0.01)


def test_seeds_that_differ_widen_the_error_to_the_textbook_one():
    # s^2 = 0.02 for {-3.1, -2.9}, so s / sqrt(2) = 0.1, far above the error of the paths.
    estimate = over_seeds([-3.1, -2.9], [0.001, 0.001], shared_paths=False)
    assert estimate.se == pytest.approx(0.1)


def test_shared_paths_and_seeds_add_in_quadrature():
    estimate = over_seeds([-3.1, -2.9], [0.1, 0.1], shared_paths=True)
    assert estimate.se == pytest.approx(math.hypot(0.1, 0.1))


def test_values_that_are_not_there_are_left_out_with_their_errors():
    estimate = over_seeds([-3.0, math.nan], [0.02, 9.0], shared_paths=True)
    assert (estimate.mean, estimate.se) == (-3.0, 0.02)


def test_no_value_gives_nan_without_a_warning():
    estimate = over_seeds([], None, shared_paths=True)
    assert math.isnan(estimate.mean)
    assert math.isnan(estimate.se)


def test_without_errors_one_seed_says_nothing_about_uncertainty():
    assert math.isnan(over_seeds([-3.0], None, shared_paths=True).se)
