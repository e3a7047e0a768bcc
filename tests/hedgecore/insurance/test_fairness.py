import numpy as np
import pytest
from fairlearn import metrics as fairlearn

from hedgecore.insurance.evaluation.fairness import RATES, SELECTED, fairness, grouped
from hedgecore.insurance.evaluation.scores import CLASSES
from hedgecore.rng import numpy_stream

ROWS = 3000


@pytest.fixture(scope="module")
def rows():
    """Labels, predictions that know them, and two groups of which the second is favoured."""
    g = numpy_stream(0, "rows")
    label = g.integers(CLASSES, size=ROWS)
    group = g.integers(1, 3, size=ROWS).astype(float)
    predicted = np.where(g.random(ROWS) < 0.6, label, g.integers(CLASSES, size=ROWS))
    predicted[(group == 2) & (g.random(ROWS) < 0.2)] = SELECTED
    return label, predicted, group


def draws():
    return numpy_stream(0, "bootstrap")


def measured(label, predicted, column, *, least=1, **options):
    groups = grouped(np.asarray(column), least=least)
    return fairness(np.asarray(label), np.asarray(predicted), groups, generator=draws(), **options)


@pytest.fixture(scope="module")
def found(rows):
    return measured(*rows)


@pytest.fixture(scope="module")
def by_hand():
    """Four rows a group: a: 3 of 4 selected, both of the best class; b: 1 of 4, one of two."""
    label = [7, 7, 0, 1, 7, 7, 0, 1]
    predicted = [7, 7, 7, 1, 7, 0, 0, 1]
    return measured(label, predicted, list("aaaabbbb"))


# Rates.


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("selection_rate", (3 / 4, 1 / 4)),
        ("true_positive_rate", (1, 1 / 2)),
        ("false_positive_rate", (1 / 2, 0)),
        ("accuracy", (3 / 4, 3 / 4)),
    ],
)
def test_rates_by_hand(by_hand, rate, expected):
    assert by_hand.by_group[rate].value == pytest.approx(expected)
    assert by_hand.difference[rate].value == pytest.approx(expected[0] - expected[1])
    assert by_hand.ratio[rate].value == pytest.approx(expected[1] / expected[0])


def test_rates_are_those_of_fairlearn(rows, found):
    label, predicted, group = rows
    of_best = fairlearn.MetricFrame(
        metrics={
            "selection_rate": fairlearn.selection_rate,
            "true_positive_rate": fairlearn.true_positive_rate,
            "false_positive_rate": fairlearn.false_positive_rate,
        },
        y_true=label == SELECTED,
        y_pred=predicted == SELECTED,
        sensitive_features=group,
    )
    for rate, values in of_best.by_group.items():
        np.testing.assert_allclose(found.by_group[rate].value, values)
        assert found.difference[rate].value == pytest.approx(of_best.difference()[rate])
        assert found.ratio[rate].value == pytest.approx(of_best.ratio()[rate])


def test_intervals_are_those_of_a_bootstrap_of_rows(rows, found):
    label, predicted, group = rows
    g = numpy_stream(0, "rows drawn")
    rates = []
    for _ in range(1000):
        drawn = g.integers(ROWS, size=ROWS)
        best = label[drawn] == SELECTED
        right = best & (predicted[drawn] == SELECTED)
        rates.append([right[m].sum() / best[m].sum() for m in (group[drawn] == v for v in (1, 2))])
    rates = np.sort(rates, axis=1)
    for interval, oracle in (
        (found.difference["true_positive_rate"], rates[:, 1] - rates[:, 0]),
        (found.ratio["true_positive_rate"], rates[:, 0] / rates[:, 1]),
    ):
        # An end of 1000 resamples is known to about a fiftieth of the width; here are two.
        margin = (interval.high - interval.low) / 10
        assert interval.low == pytest.approx(np.quantile(oracle, 0.025), abs=margin)
        assert interval.high == pytest.approx(np.quantile(oracle, 0.975), abs=margin)


def test_the_planted_favour_is_found_and_the_four_fifths_rule_fails(found):
    assert found.ratio["selection_rate"].high < 0.8
    assert found.difference["selection_rate"].low > 0.05


def test_groups_that_are_drawn_at_random_are_alike(rows):
    label, predicted, group = rows
    shuffled = numpy_stream(0, "shuffle").permutation(group)
    found = measured(label, predicted, shuffled)
    assert found.ratio["selection_rate"].value > 0.9
    assert found.difference["accuracy"].value < 0.05


# Intervals.


def test_intervals_hold_the_value_in_the_order_of_their_ends(found):
    for rate in RATES:
        interval = found.by_group[rate]
        assert (interval.low <= interval.value).all()
        assert (interval.value <= interval.high).all()


def test_the_interval_of_a_share_is_the_normal_one(found):
    interval, n = found.by_group["accuracy"], ROWS / 2
    p = interval.value
    expected = 2 * 1.96 * np.sqrt(p * (1 - p) / n)
    np.testing.assert_allclose(interval.high - interval.low, expected, rtol=0.12)


def test_a_difference_is_of_the_largest_rate_wherever_it_is(by_hand):
    assert by_hand.difference["selection_rate"].low >= 0
    assert by_hand.difference["selection_rate"].high > 0.5


def test_an_undefined_rate_of_one_group_leaves_intervals_between_the_others(rows):
    label, predicted, group = rows
    none = np.arange(ROWS) < 100
    found = measured(np.where(none, label % SELECTED, label), predicted, np.where(none, 0, group))
    rate = "true_positive_rate"
    assert np.isnan(found.by_group[rate].value).tolist() == [True, False, False]
    assert np.isfinite([found.difference[rate].low, found.ratio[rate].high]).all()


def test_less_confidence_is_a_narrower_interval(rows, found):
    half = measured(*rows, confidence=0.5)
    for rate in RATES:
        wide, narrow = (f.by_group[rate].high - f.by_group[rate].low for f in (found, half))
        assert (narrow < 0.6 * wide).all()


def test_the_same_stream_gives_the_same_intervals(rows, found):
    assert measured(*rows).summary() == found.summary()


def test_the_summary_holds_difference_and_ratio_of_every_rate(found):
    assert len(found.summary()) == len(RATES) * 2 * 3
    assert all(np.isfinite(v) for v in found.summary().values())


def test_a_rate_without_rows_is_undefined_and_the_others_are_compared():
    label = [7, 0, 7, 0, 1, 0]
    predicted = [7, 0, 0, 0, 7, 0]
    found = measured(label, predicted, [1.0, 1, 2, 2, 3, 3], resamples=50)
    rate = found.by_group["true_positive_rate"]
    np.testing.assert_array_equal(rate.value, [1, 0, np.nan])
    assert found.difference["true_positive_rate"].value == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"confidence": 1.0}, r"confidence must lie in \(0, 1\), got 1\.0"),
        ({"resamples": 0}, "resamples must be at least 1, got 0"),
    ],
)
def test_a_bootstrap_of_nothing_is_refused(rows, option, message):
    with pytest.raises(ValueError, match=message):
        measured(*rows, **option)


# Groups.


def test_levels_are_groups_in_their_order_and_missing_is_the_last():
    groups = grouped(np.array([3.0, np.nan, 1, 3, np.nan]), least=1)
    assert groups.names == ("1", "3", "missing")
    assert groups.index.tolist() == [1, 2, 0, 1, 2]


def test_text_is_grouped_by_its_levels():
    groups = grouped(np.array(["D3", "A1", "D3"]), least=1)
    assert groups.names == ("A1", "D3")
    assert groups.index.tolist() == [1, 0, 1]


def test_quantile_bins_are_equally_large_and_closed_below():
    groups = grouped(np.arange(101.0), bins=4, least=1)
    assert np.bincount(groups.index).tolist() == [25, 25, 25, 26]
    assert groups.names == ("[0, 25)", "[25, 50)", "[50, 75)", "[75, 100]")


def test_missing_values_have_no_quantile():
    column = np.append(np.arange(100.0), np.full(40, np.nan))
    groups = grouped(column, bins=2)
    assert groups.names == ("[0, 49.5)", "[49.5, 99]", "missing")
    assert np.bincount(groups.index).tolist() == [50, 50, 40]


def test_bins_whose_cuts_coincide_are_one():
    column = np.append(np.zeros(60), np.arange(1.0, 41))
    assert grouped(column, bins=4, least=1).names == ("[0, 15.25)", "[15.25, 40]")


def test_groups_too_small_to_compare_are_left_out_and_named(rows):
    label, predicted, group = rows
    column = group.copy()
    column[:5] = 9
    groups = grouped(column)
    assert groups.names == ("1", "2")
    assert groups.too_small == {"9": 5}
    assert (groups.index[:5] == -1).all()
    apart = fairness(label, predicted, groups, generator=draws())
    alone = measured(label[5:], predicted[5:], group[5:])
    assert apart.summary() == alone.summary()


@pytest.mark.parametrize("column", [np.ones(50), np.full(50, np.nan), np.arange(50.0)])
@pytest.mark.parametrize("bins", [None, 2])
def test_one_group_cannot_be_compared(column, bins):
    if bins and len(np.unique(column)) > 1:
        column = column[:40]
    with pytest.raises(ValueError, match="must have 2 groups of at least 30 rows to compare"):
        grouped(column, bins=bins)


def test_text_has_no_quantiles():
    with pytest.raises(ValueError, match="bins must be None for text, got 4"):
        grouped(np.array(["a", "b"]), bins=4)


def test_one_bin_is_refused():
    with pytest.raises(ValueError, match="bins must be at least 2, got 1"):
        grouped(np.arange(100.0), bins=1)
