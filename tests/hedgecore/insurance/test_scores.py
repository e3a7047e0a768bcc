import math

import numpy as np
import pytest
from sklearn import metrics

from hedgecore.insurance.evaluation.scores import (
    CLASSES,
    accuracy,
    calibration_error,
    confusion,
    cross_entropy,
    kappa_difference_error,
    kappa_influence,
    macro_f1,
    quadratic_kappa,
    scores,
    standard_error,
)
from hedgecore.rng import numpy_stream


def one_hot(label):
    return np.eye(CLASSES)[label]


@pytest.fixture(scope="module")
def guesses():
    """Probabilities that know something of the label, and the labels."""
    g = numpy_stream(0, "guesses")
    label = g.integers(CLASSES, size=3000)
    logits = g.normal(size=(3000, CLASSES)) + 1.5 * one_hot(label)
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), label


@pytest.fixture(scope="module")
def all_classes():
    return np.arange(CLASSES).repeat(3)


# Closed forms.


def test_certain_and_right_is_the_best_of_every_score(all_classes):
    best = {"cross_entropy": 0, "ece": 0}
    found = scores(one_hot(all_classes), all_classes)
    assert found == {name: best.get(name, 1) for name in found}


def test_cross_entropy_of_the_uniform_guess_is_log_8(all_classes):
    p = np.full((len(all_classes), CLASSES), 1 / CLASSES)
    assert cross_entropy(p, all_classes) == pytest.approx(math.log(8))


def test_certain_and_wrong_costs_a_finite_cross_entropy(all_classes):
    found = cross_entropy(one_hot((all_classes + 1) % CLASSES), all_classes)
    assert found == pytest.approx(-math.log(np.finfo(float).eps))


def test_kappa_of_a_prediction_that_never_changes_is_0(all_classes):
    constant = np.full_like(all_classes, 3)
    assert quadratic_kappa(confusion(all_classes, constant)) == pytest.approx(0)


def test_kappa_of_independent_margins_is_0():
    table = np.outer(np.arange(1, 9), np.arange(8, 0, -1))
    assert quadratic_kappa(table) == pytest.approx(0)


def test_kappa_of_the_reversed_classes_is_minus_1(all_classes):
    table = confusion(all_classes, CLASSES - 1 - all_classes)
    assert quadratic_kappa(table) == pytest.approx(-1)


def test_kappa_of_two_classes_is_the_textbook_table():
    table = np.zeros((CLASSES, CLASSES), dtype=int)
    table[:2, :2] = [[20, 5], [10, 15]]  # observed agreement 0.7, by chance 0.5
    assert quadratic_kappa(table) == pytest.approx(0.4)


def test_kappa_pays_for_the_square_of_the_distance(all_classes):
    first = all_classes == 0
    near, far = (np.where(first, miss, all_classes) for miss in (1, 7))
    losses = [1 - quadratic_kappa(confusion(all_classes, p)) for p in (near, far)]
    # The eighth missed by 1 and by 7, over the mean squared distance by chance: 9.75 and 10.5.
    assert losses == pytest.approx([1 / 8 / 9.75, 49 / 8 / 10.5])


def test_kappa_is_undefined_where_only_one_class_occurs():
    table = np.zeros((CLASSES, CLASSES))
    table[2, 2] = 9
    assert math.isnan(quadratic_kappa(table))


def test_macro_f1_counts_the_classes_that_occur():
    table = np.zeros((CLASSES, CLASSES), dtype=int)
    table[:2, :2] = [[3, 1], [0, 4]]  # F1 6/7 and 8/9
    assert macro_f1(table) == pytest.approx((6 / 7 + 8 / 9) / 2)


def test_calibration_error_of_a_constant_confidence_is_its_distance_from_accuracy():
    p = np.full((10, CLASSES), 0.3 / 7)
    p[:, 0] = 0.7
    label = np.array([0] * 4 + [1] * 6)
    assert calibration_error(p, label) == pytest.approx(0.3)


def test_errors_of_one_bin_cancel_and_those_of_two_do_not():
    confidence, hit = np.array([0.61, 0.65]), np.array([1, 0])
    p = np.zeros((2, CLASSES))
    p[:, 0], p[:, 1] = confidence, 1 - confidence
    label = 1 - hit
    assert calibration_error(p, label) == pytest.approx(abs(1 - 1.26) / 2)
    assert calibration_error(p, label, bins=100) == pytest.approx((0.39 + 0.65) / 2)


def test_a_confidence_on_a_border_belongs_to_the_bin_below():
    p = np.zeros((2, CLASSES))
    p[:, 0], p[:, 1] = [0.5, 0.45], [0.5, 0.55]
    # Of two bins, 0.5 is in the lower and 0.55 in the upper: the errors do not cancel.
    assert calibration_error(p, np.array([0, 0]), bins=2) == pytest.approx((0.5 + 0.55) / 2)


def test_the_expected_class_is_rounded_and_may_be_one_that_is_never_likely():
    p = np.zeros((8, CLASSES))
    p[:, 0] = p[:, 2] = 0.5
    p[4:] = one_hot(np.arange(4, 8))
    label = np.array([1, 1, 1, 1, 4, 5, 6, 7])
    found = scores(p, label)
    assert found["kappa_expected"] == pytest.approx(1)
    assert found["kappa"] < 1


# Invariants.


def test_scores_do_not_depend_on_the_order_of_rows(guesses):
    p, label = guesses
    order = numpy_stream(1, "order").permutation(len(label))
    assert scores(p[order], label[order]) == pytest.approx(scores(p, label))


def test_shuffled_labels_leave_no_kappa(guesses):
    p, label = guesses
    found = scores(p, numpy_stream(1, "shuffle").permutation(label))
    assert abs(found["kappa"]) < 4 / math.sqrt(len(label))


def test_many_tables_are_scored_as_each_alone(guesses):
    p, label = guesses
    parts = [slice(0, 100), slice(100, 1000), slice(1000, None)]
    tables = np.stack([confusion(label[s], p[s].argmax(axis=1)) for s in parts])
    for measure in (accuracy, quadratic_kappa, macro_f1):
        np.testing.assert_allclose(measure(tables), [float(measure(t)) for t in tables])


# Against scikit-learn.


def test_scores_are_those_of_scikit_learn(guesses):
    p, label = guesses
    likely, expected = p.argmax(axis=1), np.rint(p @ np.arange(CLASSES)).astype(int)
    found = scores(p, label)
    assert found.pop("ece") == pytest.approx(looped_calibration_error(p, label))
    assert found == pytest.approx(
        {
            "cross_entropy": metrics.log_loss(label, p),
            "accuracy": metrics.accuracy_score(label, likely),
            "kappa": metrics.cohen_kappa_score(label, likely, weights="quadratic"),
            "kappa_expected": metrics.cohen_kappa_score(label, expected, weights="quadratic"),
            "macro_f1": metrics.f1_score(label, likely, average="macro"),
        }
    )


def looped_calibration_error(p, label):
    confidence, hit = p.max(axis=1), p.argmax(axis=1) == label
    total = 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            total += inside.sum() * abs(hit[inside].mean() - confidence[inside].mean())
    return total / len(label)


# Errors.


def test_labels_that_begin_at_1_are_refused(guesses):
    p, label = guesses
    with pytest.raises(ValueError, match=r"label must lie in 0\.\.7 .*got 1\.\.8"):
        scores(p, label + 1)


def test_logits_are_refused(guesses):
    p, label = guesses
    with pytest.raises(ValueError, match="give probabilities, not logits"):
        scores(np.log(p), label)


def test_probabilities_that_are_not_numbers_are_refused(guesses):
    p, label = guesses
    broken = p.copy()
    broken[5, 2] = np.nan
    with pytest.raises(ValueError, match="in row 5"):
        scores(broken, label)


def test_no_rows_cannot_be_scored():
    with pytest.raises(ValueError, match="no rows"):
        scores(np.zeros((0, CLASSES)), np.zeros(0, dtype=int))


def test_the_influence_of_rows_on_kappa_gives_its_bootstrap_error(guesses):
    p, label = guesses
    likely = p.argmax(axis=1)
    influence = kappa_influence(label, likely)
    assert influence.mean() == pytest.approx(0.0, abs=1e-6)
    g = numpy_stream(0, "resampled")
    rows = (g.integers(0, len(label), len(label)) for _ in range(400))
    drawn = [quadratic_kappa(confusion(label[r], likely[r])) for r in rows]
    error = influence.std() / math.sqrt(len(label))
    assert error == pytest.approx(np.std(drawn), rel=0.15)


def test_the_error_of_a_difference_of_kappas_is_that_of_paired_rows(guesses):
    p, label = guesses
    likely = p.argmax(axis=1)
    worse = np.where(np.arange(len(label)) % 3 == 0, 0, likely)
    g = numpy_stream(0, "resampled pairs")
    rows = (g.integers(0, len(label), len(label)) for _ in range(400))
    pairs = ((confusion(label[r], likely[r]), confusion(label[r], worse[r])) for r in rows)
    drawn = [quadratic_kappa(first) - quadratic_kappa(second) for first, second in pairs]
    error = kappa_difference_error(label, likely, worse)
    assert error == pytest.approx(np.std(drawn), rel=0.15)
    assert kappa_difference_error(label, likely, likely) == 0.0


def test_the_standard_error_is_that_of_a_mean():
    assert standard_error(np.array([1.0, 2.0, 4.0, 5.0])) == pytest.approx(np.sqrt(10 / 3 / 4))
    assert np.isnan(standard_error(np.array([1.0])))
