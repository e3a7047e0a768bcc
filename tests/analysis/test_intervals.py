"""Student's intervals, bounds that hold under skew, and the e-process, by simulation and form."""

import math

import numpy as np
import pytest
import scipy

from analysis import e_values, interval, one_sided_e_values
from analysis.intervals import one_sided_p, one_sided_reach, skew_safe_p, skew_safe_t


@pytest.fixture
def generator():
    return np.random.default_rng(20260101)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_interval_of_a_mean_covers_normal_values_as_often_as_it_says(generator, n):
    hits = [
        (ends := interval(generator.normal(size=n))).low <= 0.0 <= ends.high for _ in range(4000)
    ]
    assert 0.93 < np.mean(hits) < 0.97


@pytest.mark.parametrize("n", [3, 5, 10])
def test_differences_of_networks_with_skewed_noise_are_covered_at_least_nominally(generator, n):
    ours, theirs = generator.lognormal(size=(2, 4000, n))
    hits = [(ends := interval(d)).low <= 0.0 <= ends.high for d in ours - theirs]
    assert np.mean(hits) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 4000)


def test_the_interval_is_that_of_the_t_distribution():
    ends = interval([1.0, 2.0, 4.0, 7.0], confidence=0.9)
    low, high = scipy.stats.ttest_1samp([1.0, 2.0, 4.0, 7.0], 0.0).confidence_interval(0.9)
    assert (ends.low, ends.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    "values",
    [[], [1.0], [1.0, 4.0], [1.0, math.nan, 3.0, 5.0], [1.0, 2.0, math.inf], [0.1, 0.1, 0.1]],
)
def test_few_missing_infinite_or_equal_seeds_have_no_interval(values):
    ends = interval(values)
    assert math.isnan(ends.low)
    assert math.isnan(ends.high)


def test_a_constant_of_any_size_has_no_interval():
    # The mean of equal values rounds, so that their spread is not exactly zero.
    assert math.isnan(interval(np.full(7, 0.1) * 3.0).low)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_a_confidence_that_is_no_share_is_refused(confidence):
    with pytest.raises(ValueError, match=r"confidence must lie in \(0, 1\), got"):
        interval([1.0, 2.0, 3.0], confidence=confidence)


NOISE = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1.0,
    "lognormal": lambda rng, shape: rng.lognormal(size=shape) - math.exp(0.5),
    "gumbel": lambda rng, shape: rng.gumbel(size=shape) - np.euler_gamma,
    "student": lambda rng, shape: rng.standard_t(3, size=shape),
    "uniform": lambda rng, shape: rng.uniform(-1.0, 1.0, size=shape),
}


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("n", [3, 5, 10, 80])
def test_a_skew_safe_bound_errs_at_most_as_often_as_it_says_on_either_side(generator, noise, n):
    repeats, level = 20_000, 0.05
    x = NOISE[noise](generator, (repeats, n))
    t = x.mean(axis=1) / x.std(axis=1, ddof=1) * math.sqrt(n)
    allowed = level + 3 * math.sqrt(level * (1 - level) / repeats)
    assert np.mean(t > skew_safe_t(n, level)) < allowed
    assert np.mean(-t > skew_safe_t(n, level)) < allowed


def test_the_skew_safe_value_is_above_students_and_falls_with_the_seeds():
    values = [skew_safe_t(n, 0.05) for n in (3, 5, 10, 30)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > scipy.stats.t.isf(0.05, 29)


@pytest.mark.parametrize("n", [3, 8])
def test_the_skew_safe_p_inverts_the_critical_value(n):
    assert skew_safe_p(skew_safe_t(n, 0.04), n) == pytest.approx(0.04, rel=0.01)
    assert math.isnan(skew_safe_p(math.nan, n))


def bayes_factor(x):
    """The definition: the t density averaged over effects N(0, 1), against that of no effect."""
    n = len(x)
    t = np.mean(x) / np.std(x, ddof=1) * math.sqrt(n)
    effects = np.linspace(-8.0, 8.0, 4001)
    density = scipy.stats.nct.pdf(t, n - 1, effects * math.sqrt(n))
    mixed = scipy.integrate.trapezoid(density * scipy.stats.norm.pdf(effects), effects)
    upper = effects > -1e-9
    half = scipy.integrate.trapezoid(
        density[upper] * 2.0 * scipy.stats.norm.pdf(effects[upper]), effects[upper]
    )
    null = scipy.stats.t.pdf(t, n - 1)
    return mixed / null, half / null


@pytest.mark.parametrize("values", [[0.3, 1.2, 0.8], [1.0, -2.0, 0.5, 0.7, 2.0], [5.0, 5.1, 4.9]])
def test_e_values_are_the_bayes_factors_of_the_noncentral_t(values):
    both, above = bayes_factor(values)
    assert e_values(values)[-1] == pytest.approx(both, rel=1e-5)
    assert one_sided_e_values(values)[-1] == pytest.approx(above, rel=1e-4)


def test_e_values_of_a_true_null_exceed_twenty_at_most_as_often_as_the_level(generator):
    repeats = 2000
    studies = [e_values(x)[3:].max() >= 20.0 for x in generator.normal(size=(repeats, 40))]
    assert np.mean(studies) < 0.05
    skewed = generator.lognormal(size=(repeats, 40)) - generator.lognormal(size=(repeats, 40))
    assert np.mean([e_values(x).max() >= 20.0 for x in skewed]) < 0.05


def test_an_effect_of_one_standard_deviation_is_decided_in_about_thirteen_seeds(generator):
    stops = [
        int(np.argmax(e >= 20.0)) + 1
        for e in map(e_values, generator.normal(1.0, 1.0, size=(1000, 60)))
    ]
    assert 11 < np.mean(stops) < 16


def test_e_values_are_martingales_of_mean_one(generator):
    e = np.array([e_values(x) for x in generator.normal(size=(20_000, 4))])
    assert e.mean(axis=0) == pytest.approx(np.ones(4), abs=0.1)


def test_e_values_do_not_change_with_the_unit_and_start_at_one():
    x = np.array([0.2, 1.0, -0.4, 0.9])
    assert e_values(1000.0 * x) == pytest.approx(e_values(x))
    assert e_values(x)[0] == 1.0
    assert e_values([]).size == 0
    assert e_values([2.0, 2.0, 2.0]).tolist() == [1.0, 1.0, 1.0]


def test_one_sided_e_values_grow_only_with_means_above_zero():
    up, down = one_sided_e_values([1.0, 1.2, 0.9, 1.1]), one_sided_e_values([-1.0, -1.2, -0.9])
    assert up[-1] > 20.0
    assert (down[1:] < 1.0).all()


RATIOS = (0.0, 0.1, 1.0, 10.0)
"""Variance due to shared rows over that of the mean due to seeds."""


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_over_seeds_and_shared_rows_cover_as_often_as_they_say(generator, n, ratio):
    repeats, rows = 4000, math.sqrt(ratio / n)
    x = generator.normal(size=(repeats, n)) + rows * generator.normal(size=(repeats, 1))
    hits = [(ends := interval(values, shared_error=rows)).low <= 0.0 <= ends.high for values in x]
    error = math.sqrt(0.05 * 0.95 / repeats)
    assert 0.95 - 3 * error < np.mean(hits) < 0.97 + 3 * error


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("noise", ["normal", "lognormal"])
@pytest.mark.parametrize("n", [3, 5])
def test_skew_safe_bounds_over_seeds_and_shared_rows_hold(generator, n, noise, ratio):
    repeats, level = 20_000, 0.05
    x = NOISE[noise](generator, (repeats, n))
    rows = math.sqrt(ratio / n) * x.std()
    means = x.mean(axis=1) + rows * generator.normal(size=repeats)
    errors = x.std(axis=1, ddof=1) / math.sqrt(n)
    reach = np.hypot(skew_safe_t(n, level) * errors, scipy.stats.norm.isf(level) * rows)
    assert reach[0] == pytest.approx(
        one_sided_reach(level, errors[0], n, shared_error=rows, symmetric=False)
    )
    allowed = level + 3 * math.sqrt(level * (1 - level) / repeats)
    assert np.mean(means > reach) < allowed
    assert np.mean(-means > reach) < allowed


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("rows", [0.0, 0.3, 3.0])
def test_a_one_sided_p_inverts_the_reach(symmetric, rows):
    noise = {"shared_error": rows, "symmetric": symmetric}
    reach = one_sided_reach(0.02, 0.5, 5, **noise)
    assert one_sided_p(reach, 0.5, 5, **noise) == pytest.approx(0.02, rel=1e-2)
    assert one_sided_p(-reach, 0.5, 5, **noise) > 0.5
    assert math.isnan(one_sided_p(math.nan, 0.5, 5, **noise))
