import numpy as np
import pytest
from scipy.stats import entropy

from hedgecore.insurance.evaluation.distance_classifier import (
    fit_logistic,
    logistic_probabilities,
)
from hedgecore.insurance.evaluation.node_regression import linear_fit
from hedgecore.insurance.evaluation.scores import cross_entropy
from hedgecore.insurance.evaluation.surrogate_controls import surrogate_controls

rng = np.random.default_rng(0)
PLAIN = {"surrogate_cross_entropy": 1.5, "surrogate_agreement": 0.4}


def test_the_cross_entropy_of_class_shares_is_their_entropy():
    label = np.repeat(np.arange(8), [8, 1, 4, 2, 5, 3, 6, 11])
    share = np.bincount(label) / len(label)
    found = cross_entropy(np.tile(share, (len(label), 1)), label)
    assert found == pytest.approx(entropy(share))


def test_without_signal_the_logistic_regression_gives_the_class_shares():
    label = np.repeat(np.arange(8), [80, 10, 40, 20, 50, 30, 60, 110])
    share = np.bincount(label) / len(label)
    p = logistic_probabilities(fit_logistic(np.ones((400, 2)), label), np.ones((1, 2)))
    np.testing.assert_allclose(p[0], share, atol=1e-3)


def test_the_logistic_regression_finds_planted_log_odds():
    d = rng.uniform(1, 5, size=(40_000, 2))
    odds = np.array([[0.0, 0.0], [1.5, -0.5], [-1.0, 1.0]])
    gumbel = rng.gumbel(size=(len(d), 3))
    fitted = fit_logistic(d, (d @ odds.T + gumbel).argmax(axis=1))
    slopes = fitted["logistic_coefficients"].numpy()[:3]
    np.testing.assert_allclose(slopes - slopes[0], odds, atol=0.1)


def test_the_units_of_the_distances_change_no_probability():
    d, label = rng.uniform(1, 5, size=(500, 3)), rng.integers(0, 8, 500)
    units = np.array([100.0, 0.01, 1.0])
    one, other = (logistic_probabilities(fit_logistic(x, label), x) for x in (d, d * units))
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("classes", [[3], [2, 5], [0, 4, 7]])
def test_classes_without_rows_have_probability_zero(classes):
    d, label = rng.uniform(1, 5, size=(90, 3)), np.tile(classes, 90 // len(classes))
    p = logistic_probabilities(fit_logistic(d, label), d)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (np.delete(p, classes, axis=1) == 0).all()
    assert (p[:, classes] > 0).all()


def test_a_constant_answer_agrees_with_the_commonest_class():
    likely, label = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 2, 3, 4])
    logistic = np.eye(8)[[0, 0, 1, 1, 4]]
    found = surrogate_controls(likely, label, plain=PLAIN, logistic=logistic)
    assert found["constant_agreement"] == 0.6
    assert found["logistic_agreement"] == 0.6
    assert found["logistic_accuracy"] == 0.4
    assert found["plain_surrogate_agreement"] == 0.4


def test_variance_inflation_is_1_for_orthogonal_distances_and_huge_for_a_duplicate():
    orthogonal = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]] * 10, dtype=float)
    nodes = rng.normal(size=(40, 3))
    np.testing.assert_allclose(linear_fit(nodes, orthogonal).inflation, 1)
    duplicated = np.hstack((orthogonal, orthogonal[:, :1]))
    inflation = linear_fit(nodes, duplicated).inflation
    assert inflation[[0, 2]].min() > 1e10
    assert inflation[1] == pytest.approx(1)


@pytest.mark.parametrize("rho", [0.5, 0.9, 0.99])
def test_variance_inflation_of_two_distances_is_that_of_their_correlation(rho):
    d = rng.normal(size=(1000, 2))
    d -= d.mean(axis=0)
    d = np.linalg.qr(d)[0] @ np.linalg.cholesky([[1, rho], [rho, 1]]).T
    inflation = linear_fit(rng.normal(size=(1000, 1)), d).inflation
    np.testing.assert_allclose(inflation, 1 / (1 - rho**2))
