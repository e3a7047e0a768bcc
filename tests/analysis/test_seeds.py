"""Closed forms first, then coverage and power by simulation, within standard errors."""

import math

import numpy as np
import pytest
import scipy

from analysis import (
    bootstrap_interval,
    e_values,
    holm,
    interquartile_mean,
    more_seeds,
    paired_size,
)


@pytest.fixture
def generator():
    return np.random.default_rng(20260101)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], 7.0),
        ([1.0, 3.0], 2.0),
        ([0.0, 6.0, 30.0], (0.25 * 0 + 6 + 0.25 * 30) / 1.5),
        ([9.0, 1.0, 2.0, -50.0], 1.5),
        ([1.0, 2.0, 3.0, 4.0, 100.0], (0.75 * 2 + 3 + 0.75 * 4) / 2.5),
        ([1, 2, 3, 4, 5, 600], (0.5 * 2 + 3 + 4 + 0.5 * 5) / 3),
    ],
)
def test_the_interquartile_mean_counts_the_values_on_the_border_by_fractions(values, expected):
    assert interquartile_mean(values) == pytest.approx(expected)


def test_the_interquartile_mean_of_a_symmetric_sample_is_its_centre():
    for n in range(1, 14):
        assert interquartile_mean(np.arange(n)) == pytest.approx((n - 1) / 2)


def test_the_interquartile_mean_does_not_change_when_every_value_is_repeated(generator):
    # A fraction that is exact does not depend on how finely the sample is cut.
    values = generator.normal(size=7)
    assert interquartile_mean(np.repeat(values, 4)) == pytest.approx(
        float(interquartile_mean(values))
    )


def test_the_interquartile_mean_takes_all_values_or_those_of_one_axis(generator):
    values = generator.normal(size=(3, 5))
    rows = [float(interquartile_mean(row)) for row in values]
    assert interquartile_mean(values, axis=1) == pytest.approx(rows)
    assert interquartile_mean(values, axis=0).shape == (5,)
    assert interquartile_mean(values) == pytest.approx(interquartile_mean(values.ravel()))


def test_an_interquartile_mean_of_nothing_is_refused():
    with pytest.raises(ValueError, match="needs at least one value, got none"):
        interquartile_mean([])


def pooled(generator, repeats=100):
    """Shares of intervals over 10 seeds x 6 configurations with the truth: by seed, by value."""
    seeds, configurations, by_seed, by_value = 10, 6, 0, 0
    for _ in range(repeats):
        luck = generator.normal(size=(seeds, 1))
        scores = luck + 0.3 * generator.normal(size=(seeds, configurations))
        whole = bootstrap_interval(scores, rng=generator)
        each = bootstrap_interval(scores.ravel(), rng=generator)
        by_seed += whole.low <= 0.0 <= whole.high
        by_value += each.low <= 0.0 <= each.high
    return by_seed / repeats, by_value / repeats


def test_whole_seeds_are_drawn_because_configurations_share_their_luck(generator):
    by_seed, by_value = pooled(generator)
    error = 3 * math.sqrt(0.95 * 0.05 / 100)
    assert by_seed > 0.93 - error
    assert by_value < 0.8


def test_every_configuration_keeps_its_number_of_values_in_a_draw():
    # Columns that differ by a constant: were they mixed, the mean over both would vary.
    scores = np.stack([np.zeros(12), np.full(12, 10.0)], axis=1)
    found = bootstrap_interval(scores, rng=0)
    assert (found.low, found.high) == (5.0, 5.0)


def test_the_interval_moves_and_scales_with_its_values(generator):
    values = generator.normal(size=12)
    plain, moved = (
        bootstrap_interval(values, rng=3),
        bootstrap_interval(10.0 - 2.0 * values, rng=3),
    )
    # Quantiles of a negated sample are mirrored.
    assert moved.low == pytest.approx(10.0 - 2.0 * plain.high)
    assert moved.high == pytest.approx(10.0 - 2.0 * plain.low)


def test_a_whole_number_draws_the_same_whatever_was_drawn_before(generator):
    values = generator.normal(size=12)
    before = bootstrap_interval(values, rng=1)
    bootstrap_interval(values, rng=generator)
    assert bootstrap_interval(values, rng=1) == before
    assert bootstrap_interval(values, rng=2) != before


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_a_confidence_that_is_no_share_is_refused(confidence):
    with pytest.raises(ValueError, match=r"confidence must lie in \(0, 1\), got"):
        bootstrap_interval([1.0, 2.0], confidence=confidence, rng=0)


def test_scores_of_three_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"\[seeds\] or \[seeds, configurations\], got \(2, 2, 2"):
        bootstrap_interval(np.zeros((2, 2, 2)), rng=0)


@pytest.mark.parametrize("measure", [more_seeds, e_values])
def test_a_difference_that_is_not_finite_is_refused(measure):
    with pytest.raises(ValueError, match=r"must be finite, got \[1.0, nan\]; leave such seeds"):
        measure([1.0, math.nan])


def test_holm_on_a_worked_example():
    # Sorted .01, .03, .04 times 3, 2, 1 is .03, .06, .04; the last is lifted to .06.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_holm_is_monotone_never_below_raw_and_never_above_bonferroni(generator):
    for size in (1, 2, 7):
        p = generator.uniform(size=size)
        adjusted = holm(p)
        assert (np.diff(adjusted[np.argsort(p)]) >= 0.0).all()
        assert (adjusted >= p).all()
        assert (adjusted <= np.minimum(1.0, size * p)).all()


def test_holm_of_nothing_is_nothing_and_of_one_is_itself():
    assert holm([]).size == 0
    assert holm([0.2]).tolist() == [0.2]


@pytest.mark.parametrize("p", [[1.1], [-0.1], [math.nan]])
def test_holm_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match=r"p-values must lie in \[0, 1\]"):
        holm(p)


@pytest.mark.parametrize(
    ("effect", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15), (-1.0, 10), (50.0, 2)]
)
def test_the_sizes_are_the_textbook_ones_at_power_eighty_percent(effect, seeds):
    assert paired_size(effect) == seeds


def test_the_size_found_has_the_power_and_one_seed_less_has_not(generator):
    effect, repeats = 0.9, 20_000
    n = paired_size(effect)
    power = {}
    for size in (n, n - 1):
        d = generator.normal(effect, 1.0, size=(repeats, size))
        p = scipy.stats.ttest_1samp(d, 0.0, axis=1).pvalue
        power[size] = float(np.mean(p <= 0.05))
    error = math.sqrt(0.8 * 0.2 / repeats)
    assert power[n] > 0.8 - 3 * error
    assert power[n - 1] < 0.8 + 3 * error
    assert power[n] - power[n - 1] > 3 * error


def test_a_tiny_effect_needs_as_many_seeds_as_a_known_spread_would():
    normal = scipy.stats.norm.isf(0.025) + scipy.stats.norm.ppf(0.8)
    assert paired_size(1e-6) == pytest.approx((normal / 1e-6) ** 2, rel=1e-9)


def test_a_stricter_level_or_a_higher_power_needs_more_seeds():
    assert paired_size(0.5) < paired_size(0.5, level=0.01)
    assert paired_size(0.5) < paired_size(0.5, power=0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"effect": 0.0}, "effect must be finite and not 0, got 0.0"),
        ({"effect": math.inf}, "effect must be finite and not 0, got inf"),
        ({"effect": 1.0, "power": 1.0}, r"power must lie in \[0.5, 1\)"),
        ({"effect": 1.0, "level": 0.0}, r"level in \(0, 0.5\)"),
    ],
)
def test_a_size_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        paired_size(**arguments)


def test_seeds_at_hand_are_taken_off_what_is_needed():
    d = np.array([1.5, 0.5, 1.5, 0.5])
    effect = 1.0 / np.std(d, ddof=1)
    assert more_seeds(d) == max(0, paired_size(effect) - 4)
    noisy = np.array([3.0, -2.0, 1.0])
    assert more_seeds(noisy) == paired_size(np.mean(noisy) / np.std(noisy, ddof=1)) - 3


def test_enough_seeds_need_none_more_and_equal_differences_need_two():
    assert more_seeds([1.0, 1.1, 0.9, 1.0, 1.05]) == 0
    assert more_seeds([1.0, 1.0]) == 0


@pytest.mark.parametrize("differences", [[], [1.0], [1.0, -1.0], [0.0, 0.0]])
def test_how_many_more_is_unknown_below_two_seeds_or_without_a_difference(differences):
    assert more_seeds(differences) is None
