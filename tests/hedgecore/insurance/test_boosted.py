import json
import math

import numpy as np
import pytest

from hedgecore.insurance.data.encoding import SENTINEL
from hedgecore.insurance.evaluation.boosted_trees import (
    OFFSETS,
    fit_offsets,
    predict,
    regression,
    rounded_scores,
    shifted,
    softprob,
    with_offsets,
)
from hedgecore.insurance.evaluation.scores import CLASSES
from hedgecore.rng import numpy_stream

SPLITS = {"train": 2400, "val": 800, "test": 800}
ROUNDS = 120


@pytest.fixture(scope="module")
def table():
    """Ordered classes that depend on two of five columns, a third of one column missing."""
    features, labels = {}, {}
    for split, rows in SPLITS.items():
        g = numpy_stream(0, "table", split)
        x = g.normal(size=(rows, 5)).astype(np.float32)
        index = x[:, 0] + np.abs(x[:, 1]) + 0.5 * g.normal(size=rows)
        labels[split] = np.digitize(index, np.linspace(-1, 2.5, CLASSES - 1))
        x[g.random(rows) < 1 / 3, 4] = SENTINEL
        features[split] = x
    return features, labels


@pytest.fixture(scope="module")
def plain(table):
    return regression(*table, seed=0, rounds=ROUNDS)


@pytest.fixture(scope="module")
def offset(table, plain):
    return with_offsets(plain, *table, seed=0, folds=3)


@pytest.fixture(scope="module")
def likely(table):
    return softprob(*table, seed=0, rounds=ROUNDS)


@pytest.fixture(params=["plain", "offset", "likely"])
def fitted(request):
    return request.getfixturevalue(request.param)


# Rounding and offsets, by hand.


def test_offsets_are_those_of_the_whole_part_toward_zero():
    p = np.array([-1.2, -0.4, 0.9, 1.0, 1.999, 6.5, 7.9, 8.0, 9.1])
    moved = shifted(p, OFFSETS) - p
    expected = [0, 0.1, 0.1, -1, -1, 0.8, 1, 0, 0]
    np.testing.assert_allclose(moved, expected, atol=1e-12)


def test_no_offsets_change_nothing():
    p = np.linspace(-1, 9, 50)
    np.testing.assert_array_equal(shifted(p, (0.0,) * CLASSES), p)


def test_predictions_are_rounded_into_1_to_8():
    label = np.array([0, 0, 3, 7, 7])
    found = rounded_scores(np.array([-3.0, 1.4, 4.4, 7.6, 11.0]), label)
    assert (found["kappa"], found["accuracy"], found["macro_f1"]) == (1, 1, 1)


def test_rmse_is_measured_before_rounding():
    found = rounded_scores(np.array([1.3, 2.4]), np.array([0, 1]))
    assert found["rmse"] == pytest.approx(math.sqrt((0.09 + 0.16) / 2))


def test_a_planted_offset_is_found():
    # 0.6 is rounded to 1 as it should be; 6.2 must become 8, for which 0.8 is too little.
    p, label = np.array([0.5, 6.2]).repeat(100), np.array([0, 7]).repeat(100)
    assert rounded_scores(shifted(p, OFFSETS), label)["kappa"] < 1
    assert rounded_scores(shifted(p, fit_offsets(p, label)), label)["kappa"] == 1


def test_only_the_searched_offsets_move(offset):
    assert [offset.offsets[j] for j in (0, 1, 2, 7)] == [OFFSETS[j] for j in (0, 1, 2, 7)]
    assert offset.offsets != OFFSETS


def test_searched_offsets_are_never_worse_than_those_they_began_with(table, plain):
    y = table[1]["train"]
    p = plain.prediction["train"]
    begun, ended = (
        rounded_scores(shifted(p, o), y)["kappa"] for o in (OFFSETS, fit_offsets(p, y))
    )
    assert ended >= begun


def test_offsets_that_are_perfect_already_are_kept():
    p, label = np.array([0.5, 6.4]).repeat(100), np.array([0, 6]).repeat(100)
    assert fit_offsets(p, label) == OFFSETS


# Fitted models.


def test_every_split_is_predicted_and_scored(fitted):
    assert SPLITS.keys() <= fitted.scores.keys()
    assert all(len(fitted.prediction[s]) == rows for s, rows in SPLITS.items())
    assert all(math.isfinite(v) for row in fitted.scores.values() for v in row.values())


def test_models_are_json_and_predict_what_they_did_when_fitted(table, plain, likely):
    for fitted in (plain, likely):
        json.loads(fitted.model)
        again = predict(fitted.model, table[0]["test"])
        np.testing.assert_array_equal(again, fitted.prediction["test"])


def test_the_same_seed_gives_the_same_bytes(table, plain):
    assert regression(*table, seed=0, rounds=ROUNDS).model == plain.model


def test_another_seed_samples_other_rows(table, plain):
    assert regression(*table, seed=1, rounds=ROUNDS).model != plain.model


def test_boosting_learns_what_was_planted(fitted):
    assert fitted.scores["test"]["kappa"] > 0.5


def test_shuffled_labels_are_not_predicted_on_other_rows(table):
    features, labels = table
    shuffled = {s: numpy_stream(0, "shuffle", s).permutation(y) for s, y in labels.items()}
    found = softprob(features, shuffled, seed=0, rounds=10)
    assert abs(found.scores["test"]["kappa"]) < 0.12


def test_probabilities_are_better_than_the_share_of_classes(table, likely):
    y = table[1]["test"]
    share = np.bincount(y, minlength=CLASSES) / len(y)
    prior = -(share[share > 0] * np.log(share[share > 0])).sum()
    assert likely.scores["test"]["cross_entropy"] < prior - 0.3


def test_nan_and_the_sentinel_are_both_missing(table):
    features, labels = table
    nan = {s: np.where(x == SENTINEL, np.nan, x).astype(np.float32) for s, x in features.items()}
    assert (
        regression(nan, labels, seed=0, rounds=5).model
        == regression(features, labels, seed=0, rounds=5).model
    )


def test_predictions_are_of_response(table, plain):
    response = table[1]["train"] + 1
    assert plain.prediction["train"].mean() == pytest.approx(response.mean(), abs=0.05)


def test_out_of_fold_scores_are_those_of_other_rows(offset):
    held_out, other = (offset.scores[s] for s in ("out_of_fold", "test"))
    assert held_out["kappa"] == pytest.approx(other["kappa"], abs=0.1)
    assert held_out["rmse"] == pytest.approx(other["rmse"], abs=0.2)


# Leakage.


def test_offsets_are_not_searched_on_what_the_trees_were_fitted_to(table, plain, offset):
    assert offset.offsets != fit_offsets(plain.prediction["train"], table[1]["train"])


def test_rows_that_are_not_for_training_change_nothing_but_their_scores(table, plain, offset):
    features, labels = table
    other = {**labels, "val": labels["test"], "test": labels["val"]}
    again = regression(features, other, seed=0, rounds=ROUNDS)
    assert again.model == plain.model
    assert again.scores["test"] != plain.scores["test"]
    assert with_offsets(again, features, other, seed=0, folds=3).offsets == offset.offsets


def test_offsets_fitted_out_of_fold_do_not_know_the_label_of_their_row():
    """Labels of pure noise: trees fit them in sample, and no row out of its fold."""
    g = numpy_stream(0, "noise")
    features = {"train": g.normal(size=(3000, 20))}
    labels = {"train": g.integers(CLASSES, size=3000)}
    found = with_offsets(
        regression(features, labels, seed=0, rounds=200), features, labels, seed=0, folds=3
    )
    assert found.scores["in_sample"]["kappa"] > 0.15
    assert abs(found.scores["out_of_fold"]["kappa"]) < 0.1


# Errors.


def test_splits_without_labels_are_refused(table):
    features, labels = table
    with pytest.raises(ValueError, match="name the same splits"):
        regression(features, {"train": labels["train"]}, seed=0)


def test_the_split_to_fit_must_be_there(table):
    features, labels = ({"val": part["val"]} for part in table)
    with pytest.raises(ValueError, match="'train' among them"):
        softprob(features, labels, seed=0)


@pytest.mark.parametrize("folds", [1, 2401])
def test_folds_that_leave_no_rows_are_refused(table, plain, folds):
    with pytest.raises(ValueError, match=rf"folds must lie in 2\.\.2400 .*got {folds}"):
        with_offsets(plain, *table, seed=0, folds=folds)
