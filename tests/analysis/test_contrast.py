"""Paired contrasts: censored seeds, verdicts, and the family of a page."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy
from printed import numbers
from quick import quick_of

from analysis.contrast import (
    BETTER,
    EQUIVALENT,
    NO_INTERVAL,
    OPEN,
    WORSE,
    contrast,
    corrected,
    no_interval,
    verdict,
)


def series(*values):
    return pd.Series(values, index=range(len(values)), dtype=float)


def test_the_tests_are_students_paired_ones():
    ours, theirs = series(1.0, 2.5, 3.1, 4.9), series(0.8, 2.0, 3.3, 4.0)
    paired = contrast(ours, theirs, margin=1.0)
    assert paired.p == pytest.approx(scipy.stats.ttest_rel(ours, theirs).pvalue)
    d = ours - theirs
    sides = (
        scipy.stats.ttest_1samp(d, 1.0, alternative="less").pvalue,
        scipy.stats.ttest_1samp(d, -1.0, alternative="greater").pvalue,
    )
    assert paired.p_equivalent == pytest.approx(max(sides))


@pytest.mark.parametrize("missing", [math.nan, math.inf, -math.inf])
def test_a_seed_without_a_result_leaves_a_mean_without_interval_or_tests(missing):
    paired = contrast(series(1.0, 2.0, 3.0, missing, 5.0), series(0.9, 1.7, 3.2, 4.0, 4.5))
    assert (paired.pairs, paired.gaps) == (4, 1)
    assert paired.differences.mean() == pytest.approx(0.175)
    assert math.isnan(paired.ends.low)
    assert math.isnan(paired.p)
    assert paired.e_value == 1.0


@pytest.mark.parametrize("seeds", [(0, 0), (1, 1), (2, 0)])
def test_below_three_seeds_their_number_is_the_reason_without_an_interval(seeds):
    assert no_interval(seeds[0], gaps=seeds[1]) == NO_INTERVAL


def test_from_three_seeds_on_those_without_a_result_are_the_reason():
    assert numbers(no_interval(4, gaps=1)) == [1]
    assert numbers(no_interval(2, gaps=3)) == [3]
    assert numbers(no_interval(5)) == [], "a value is missing or all are equal"


def test_only_seeds_of_both_are_compared():
    paired = contrast(series(1.0, 2.0, 3.0, 4.0), series(0.9, 1.7, 3.2))
    assert (paired.pairs, paired.gaps) == (3, 0)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_seeds_have_no_verdict(n):
    paired = contrast(series(*range(5, 5 + n)), series(*np.zeros(n)), margin=1.0)
    (row,) = corrected([paired.columns()])
    assert verdict(row) == OPEN


def test_the_verdict_has_three_values_and_the_direction_of_the_metric():
    rng = np.random.default_rng(0)
    noise = pd.Series(rng.normal(0.0, 0.01, 6))
    zeros = series(*np.zeros(6))
    cases = {BETTER: noise + 1.0, WORSE: noise - 1.0, EQUIVALENT: noise - noise.mean()}
    for expected, values in cases.items():
        (row,) = corrected([contrast(values, zeros, margin=0.1).columns()])
        assert verdict(row) == expected
        reverse = {BETTER: WORSE, WORSE: BETTER}.get(expected, expected)
        assert verdict(row, larger_is_better=False) == reverse
    (row,) = corrected([contrast(100.0 * noise, zeros, margin=0.1).columns()])
    assert verdict(row) == OPEN


def test_without_a_margin_nothing_is_equivalent():
    values = series(0.01, -0.02, 0.01, 0.0, 0.001)
    (row,) = corrected([contrast(values, series(*np.zeros(5))).columns()])
    assert math.isnan(row["p_equivalent_holm"])
    assert verdict(row) == OPEN


@pytest.mark.parametrize("n", quick_of([3, 5, 10], every=3))
@pytest.mark.parametrize("noise", ["normal", "lognormal"])
def test_a_page_of_comparisons_errs_at_most_as_often_as_one_test(n, noise):
    rng = np.random.default_rng(n)
    repeats, wrong, equal = 400, 0, 0
    for _ in range(repeats):
        luck, draws = rng.normal(size=n), getattr(rng, noise)(size=(9, n))
        ticket, *rivals = (pd.Series(luck + d) for d in draws)
        rows = corrected(contrast(ticket, rival, margin=1.0).columns() for rival in rivals)
        wrong += any(verdict(row) in (BETTER, WORSE) for row in rows)
        # A true difference at the margin is not equivalent.
        rows = corrected(contrast(ticket, r + 1.0, margin=1.0).columns() for r in rivals)
        equal += any(verdict(row) == EQUIVALENT for row in rows)
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert wrong / repeats < allowed
    assert equal / repeats < allowed
