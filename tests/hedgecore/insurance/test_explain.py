import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from hedgecore.insurance.columns import TEST
from hedgecore.insurance.evaluation.node_regression import (
    explain,
    explanation_gain,
    linear_fit,
    regress,
)
from hedgecore.rng import numpy_stream

ROWS, CENTROIDS, NODES = 1200, 6, 8


@pytest.fixture(scope="module")
def distances():
    """To six points in four dimensions, of training rows and of others."""
    g = numpy_stream(0, "points")
    x, c = g.normal(size=(2 * ROWS, 4)), g.normal(size=(CENTROIDS, 4))
    d = np.linalg.norm(x[:, None] - c, axis=2)
    return d[:ROWS], d[ROWS:]


@pytest.fixture(scope="module")
def nodes(distances):
    """Half signal, half noise."""
    g = numpy_stream(0, "nodes")
    mix = g.normal(size=(CENTROIDS, NODES))
    return tuple(
        signal + signal.std(axis=0) * g.normal(size=signal.shape)
        for signal in (d @ mix for d in distances)
    )


@pytest.fixture(scope="module")
def factors():
    """Distances that are uncorrelated and of variance 1, exactly, for closed forms."""
    raw = numpy_stream(0, "factors").normal(size=(ROWS, 4))
    q, _ = np.linalg.qr(raw - raw.mean(axis=0))
    return np.sqrt(ROWS) * q + 5


def explained(nodes, distances):
    """Fitted and measured on the same rows, where only closed forms are wanted."""
    return explain(nodes, distances, nodes, distances)


# The fit.


def test_an_affine_node_is_found_exactly(distances):
    train, other = distances
    coefficients, intercept = np.array([[1.0], [0], [-2], [0], [0.5], [3]]), 7.0
    fit = linear_fit(train @ coefficients + intercept, train)
    np.testing.assert_allclose(fit.coefficients, coefficients, atol=1e-10)
    np.testing.assert_allclose(fit(other), other @ coefficients + intercept)


def test_the_fit_is_that_of_scikit_learn(nodes, distances):
    oracle = LinearRegression().fit(distances[0], nodes[0])
    fit = linear_fit(nodes[0], distances[0])
    np.testing.assert_allclose(fit.coefficients, oracle.coef_.T, rtol=1e-8)
    np.testing.assert_allclose(fit.intercept, oracle.intercept_, rtol=1e-8)


def test_standardised_coefficients_of_uncorrelated_distances_are_correlations(factors):
    node = factors @ np.array([[3.0], [-4], [0], [0]])
    fit = linear_fit(100 * node, factors)
    np.testing.assert_allclose(fit.beta, [[0.6, -0.8, 0, 0]], atol=1e-10)


def test_standardised_coefficients_have_no_units(nodes, distances):
    scales = np.geomspace(0.1, 100, CENTROIDS)
    plain = linear_fit(nodes[0], distances[0])
    scaled = linear_fit(1000 * nodes[0] - 3, distances[0] * scales + 1)
    np.testing.assert_allclose(scaled.beta, plain.beta)


def test_a_centroid_given_twice_lowers_the_rank_and_shares_its_effect(nodes, distances):
    plain, twice = (
        explain(nodes[0], a, nodes[1], b)
        for a, b in (distances, [np.hstack([d, d[:, :1]]) for d in distances])
    )
    assert twice.fit.rank == plain.fit.rank == CENTROIDS
    np.testing.assert_allclose(twice.r2, plain.r2)
    np.testing.assert_allclose(twice.fit.beta[:, 0], plain.fit.beta[:, 0] / 2)
    np.testing.assert_allclose(twice.fit.beta[:, -1], plain.fit.beta[:, 0] / 2)


def test_a_constant_distance_has_no_coefficient(nodes, distances):
    train = distances[0].copy()
    train[:, 2] = 3.3
    fit = linear_fit(nodes[0], train)
    assert fit.rank == CENTROIDS - 1
    assert not fit.coefficients[2].any()


def test_inflation_is_1_for_uncorrelated_distances(factors):
    np.testing.assert_allclose(linear_fit(factors, factors).inflation, 1)


def test_inflation_is_that_of_each_distance_on_the_others(distances):
    d = distances[0]
    others = [np.delete(d, k, axis=1) for k in range(CENTROIDS)]
    expected = [
        1 / (1 - LinearRegression().fit(x, d[:, k]).score(x, d[:, k]))
        for k, x in enumerate(others)
    ]
    np.testing.assert_allclose(linear_fit(d, d).inflation, expected)


def test_inflation_of_what_the_others_determine_is_beyond_measure(factors):
    d = np.column_stack([factors, factors.sum(axis=1)])
    assert linear_fit(factors, d).inflation.min() > 1e9


def test_as_many_rows_as_centroids_are_refused(factors):
    with pytest.raises(ValueError, match="rows must exceed the 4 centroids for a fit, got 4"):
        linear_fit(factors[:4], factors[:4])


# R^2.


def test_r2_is_that_of_held_out_rows(nodes, distances):
    oracle = LinearRegression().fit(distances[0], nodes[0])
    expected = r2_score(nodes[1], oracle.predict(distances[1]), multioutput="raw_values")
    found = explain(nodes[0], distances[0], nodes[1], distances[1])
    np.testing.assert_allclose(found.r2, expected)


def test_r2_of_signal_and_orthogonal_noise_is_the_share_of_signal(factors):
    node = factors @ np.array([[1.0], [1], [1], [0]])
    assert explained(node, factors[:, :2]).r2 == pytest.approx([2 / 3])


def test_permuted_rows_leave_r2_of_k_over_n(nodes, distances):
    """In sample the mean is K / (n - 1) exactly, whatever nodes and distances are."""
    g = numpy_stream(0, "permutations")
    d = distances[0]
    found = [explained(g.permutation(nodes[0]), d).r2.mean() for _ in range(40)]
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(CENTROIDS / (ROWS - 1), abs=4 * error)
    assert explained(nodes[0], d).r2.mean() > 50 * CENTROIDS / ROWS


def test_permuted_rows_leave_no_held_out_r2(nodes, distances):
    g = numpy_stream(0, "permuted")
    permuted = [g.permutation(z) for z in nodes]
    found = explain(permuted[0], distances[0], permuted[1], distances[1])
    assert abs(found.r2.mean()) < 3 * CENTROIDS / ROWS


def test_a_fit_to_noise_misleads_on_other_rows():
    g = numpy_stream(0, "noise")
    z, d = g.normal(size=(2, 60, 5)), g.normal(size=(2, 60, 40))
    assert explained(z[0], d[0]).r2.min() > 0.4
    assert explain(z[0], d[0], z[1], d[1]).r2.max() < 0


# What else is measured of a node.


def test_a_constant_node_is_dead_and_explained_by_nothing(nodes, distances):
    constant = [np.hstack([z, np.full((ROWS, 1), 0.1)]) for z in nodes]
    found = explain(constant[0], distances[0], constant[1], distances[1])
    assert (found.r2[-1], found.top[-1], found.information[-1]) == pytest.approx((0, 0, 0))
    assert found.dead.tolist() == [False] * NODES + [True]


def test_a_node_that_relu_silences_is_dead(nodes, distances):
    silent = nodes[1].copy()
    silent[:, 3] -= silent[:, 3].max()
    found = explain(nodes[0], distances[0], silent, distances[1])
    assert np.flatnonzero(found.dead).tolist() == [3]


def test_a_node_belongs_to_the_centroid_it_correlates_with_most(factors):
    nodes = factors @ np.array([[0.0, 3], [0, 0], [-4, 0], [3, 4]])
    found = explained(nodes, factors)
    assert found.owner.tolist() == [2, 3]
    assert found.top == pytest.approx([0.8, 0.8])
    assert found.gap == pytest.approx([0.2, 0.2])


def test_the_gap_of_a_single_centroid_is_all_of_rho(factors):
    found = explained(factors[:, :1], factors[:, :1])
    assert found.gap == pytest.approx([1])


def test_coverage_counts_centroids_that_a_node_speaks_for(factors):
    # Two nodes for centroid 0, one for centroid 3, and one with too low a correlation for centroid
    # 1.
    rest = np.sqrt((1 - 0.69**2) / 2)
    nodes = factors @ np.array(
        [[1.0, 5, 0, rest], [0, 1, 0, 0.69], [0, 0, 0, rest], [0, 0, -2, 0]]
    )
    assert explained(nodes, factors).summary()["coverage"] == 2


def test_members_count_every_centroid_even_one_with_no_rows(factors):
    d = np.column_stack([factors[:, 0], factors[:, 0] - 1, factors[:, 0] + 1])
    assert explained(factors, d).members.tolist() == [0, ROWS, 0]


def test_one_distance_for_each_node_is_the_best_of_everything(factors):
    found = explained(factors - factors.mean(axis=0), factors).summary()
    best = dict.fromkeys(found.keys() - {"mi_mean", "mi_max", "mig"}, 1.0)
    best |= {"beta_gini": 3 / 4, "coverage": 4, "dead_nodes": 0}
    assert {n: found[n] for n in best} == pytest.approx(best)
    assert found["mig"] > 0.9


def test_every_measure_is_reported_and_finite(nodes, distances):
    found = explain(nodes[0], distances[0], nodes[1], distances[1]).summary()
    assert found.keys() <= {column.name for column in TEST}
    assert len(found) == 15
    assert all(np.isfinite(v) for v in found.values())


def test_float32_is_measured_as_float64(nodes, distances):
    wide = [nodes[0], distances[0], nodes[1], distances[1]]
    narrow = explain(*(a.astype(np.float32) for a in wide)).summary()
    assert narrow == pytest.approx(explain(*wide).summary(), rel=1e-3, abs=1e-3)


def test_nothing_can_be_measured_on_one_row(nodes, distances):
    with pytest.raises(ValueError, match="rows must be at least 2 to measure anything on, got 1"):
        explain(nodes[0], distances[0], nodes[1][:1], distances[1][:1])


# Gain.


def test_the_error_of_a_difference_of_r2_is_that_of_resampled_rows(nodes, distances):
    halves = slice(0, NODES // 2), slice(NODES // 2, NODES)

    def difference(rows):
        parts = [
            regress(nodes[0][:, h], distances[0], nodes[1][rows][:, h], distances[1][rows])
            for h in halves
        ]
        return parts[0], parts[1], float(parts[0].r2.mean() - parts[1].r2.mean())

    own, rival, _ = difference(slice(None))
    np.testing.assert_allclose(own.influence.mean(axis=0), 0.0, atol=1e-10)
    g = numpy_stream(0, "bootstrap")
    drawn = [difference(g.integers(0, ROWS, ROWS))[2] for _ in range(400)]
    assert own.less_error(rival) == pytest.approx(np.std(drawn), rel=0.15)


def test_the_gain_is_over_the_best_control():
    controls = {"untrained": 0.4, "random_points": 0.6, "permuted": 0.0}
    assert explanation_gain(0.9, controls) == pytest.approx(0.3)


def test_no_control_is_no_gain():
    with pytest.raises(ValueError, match="needs at least one matched control"):
        explanation_gain(0.9, {})
