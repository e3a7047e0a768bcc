import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score

from hedgecore.insurance.evaluation.information import (
    BINS,
    adjusted_information,
    concentration,
    gini,
    information_gap,
    levels,
    memberships,
)
from hedgecore.rng import numpy_stream

ROWS = 2000


@pytest.fixture(scope="module")
def noise():
    return numpy_stream(0, "noise").normal(size=(ROWS, 5))


def test_every_value_lies_in_one_bin_and_bins_hold_equally_many(noise):
    found = levels(noise)
    assert (found.sum(axis=2) == 1).all()
    assert (found.sum(axis=0) == ROWS / BINS).all()


def test_bins_are_in_the_order_of_values(noise):
    bins = levels(noise).argmax(axis=2)
    assert (np.diff(bins[noise[:, 0].argsort(), 0]) >= 0).all()


def test_a_constant_lies_in_the_last_bin():
    assert (levels(np.full((9, 1), 0.3)).argmax(axis=2) == BINS - 1).all()


def test_the_nearest_centroid_is_the_first_among_equals():
    found = memberships(np.array([[2.0, 1, 1], [0, 0, 5]]))
    assert found.argmax(axis=2).tolist() == [[1], [0]]


def test_a_node_that_tells_the_centroid_has_information_1(noise):
    first = noise[:, 0] > np.median(noise[:, 0])
    nearest = memberships(np.column_stack([first, ~first]).astype(float))
    assert adjusted_information(levels(noise[:, :1]), nearest) == pytest.approx([1])


def test_a_node_that_tells_nothing_has_information_0_where_the_raw_one_is_above(noise):
    nearest = memberships(noise[:, 2:])
    found = adjusted_information(levels(noise[:, :2]), nearest)
    raw = mutual_info_score(
        levels(noise[:, :1]).argmax(axis=2)[:, 0], nearest.argmax(axis=2)[:, 0]
    )
    assert np.abs(found).max() < 0.004
    assert raw > 0.003


def test_information_is_that_of_scikit_learn(noise):
    nodes, nearest = noise[:, :2] + noise[:, 2:4], memberships(noise[:, 2:])
    # Three centroids have less entropy than ten bins, so the smaller is theirs.
    expected = [
        adjusted_mutual_info_score(bins, nearest.argmax(axis=2)[:, 0], average_method="min")
        for bins in levels(nodes).argmax(axis=2).T
    ]
    found = adjusted_information(levels(nodes), nearest)
    np.testing.assert_allclose(found, expected)
    assert found.min() > 0.05


def test_one_centroid_leaves_nothing_to_tell(noise):
    nearest = memberships(np.ones((ROWS, 1)))
    assert adjusted_information(levels(noise), nearest).tolist() == [0] * 5


def test_the_gap_is_1_for_a_distance_that_one_node_alone_repeats(noise):
    gap = information_gap(levels(noise[:, :3]), levels(noise[:, :2]))
    assert gap == pytest.approx([1, 1], abs=0.03)


def test_the_gap_is_0_for_a_distance_that_two_nodes_repeat(noise):
    nodes = noise[:, [0, 0, 1]] * [1, -2, 1]
    assert information_gap(levels(nodes), levels(noise[:, :1])) == pytest.approx([0], abs=1e-9)


def test_the_gap_of_the_only_node_is_all_that_it_tells(noise):
    assert information_gap(levels(noise[:, :1]), levels(noise[:, :1])) == pytest.approx([1])


@pytest.mark.parametrize(
    ("importance", "expected"),
    [
        (np.eye(4), 1),
        (np.ones((3, 4)), 0),
        (np.array([[1.0, 1, 0, 0]]), 0.5),
        (np.array([[3.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]]), 0.75),  # weights 3 and 1
        (np.ones((3, 1)), 1),
        (np.zeros((3, 4)), 0),
    ],
)
def test_concentration_is_one_less_the_entropy_of_shares(importance, expected):
    assert concentration(importance) == pytest.approx(expected)


def test_completeness_is_the_concentration_of_the_transpose():
    two_nodes_for_one_distance = np.array([[1.0, 0], [1, 0], [0, 2]])
    assert concentration(two_nodes_for_one_distance) == pytest.approx(1)
    assert concentration(two_nodes_for_one_distance.T) == pytest.approx(
        (2 * (1 - np.log(2) / np.log(3)) + 2) / 4
    )


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([1.0, 1, 1, 1], 0), ([0.0, 5, 0, 0], 3 / 4), ([1.0, 3], 1 / 4), ([0.0, 0], 0), ([2.0], 0)],
)
def test_gini_closed_forms(sizes, expected):
    assert gini(np.array([sizes])) == pytest.approx([expected])


def test_gini_has_no_units_and_no_order(noise):
    sizes = np.abs(noise)
    np.testing.assert_allclose(gini(7 * sizes[:, ::-1]), gini(sizes))
