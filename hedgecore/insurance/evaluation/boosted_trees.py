"""Boosted trees, the baselines of the X-NN: rounded regression, with offsets, and softprob.

The regression predicts ``Response`` in 1..8 and so uses the order of the classes; its offsets
shift each unit interval of predictions by a constant before rounding. Everything is
single-threaded, so that results do not depend on the number of cores. NaN and the sentinel of the
published encoding count as missing.

Source: the published notebook, whose figures are in-sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xgboost
from jaxtyping import Float, Float32, Integer
from scipy.optimize import minimize

from hedgecore.insurance.data.encoding import SENTINEL
from hedgecore.insurance.evaluation.scores import (
    CLASSES,
    accuracy,
    confusion,
    macro_f1,
    quadratic_kappa,
)
from hedgecore.insurance.evaluation.scores import scores as class_scores
from hedgecore.insurance.evaluation.tree_cache import cached
from hedgecore.rng import numpy_stream

OFFSETS = (0.1, -1.0, -2.0, -1.0, -0.8, 0.02, 0.8, 1.0)
"""Start of the search: offsets added to predictions in [j, j + 1), j = 0..7."""

SEARCHED = (6, 4, 5, 3)
"""Intervals whose offsets are searched, in this order; the others keep their start values."""

_REGRESSION = {
    "objective": "reg:squarederror",
    "eta": 0.05,
    "min_child_weight": 360,
    "subsample": 0.85,
    "colsample_bytree": 0.3,
    "max_depth": 7,
}
# The notebook has no such model. Rounds are those of the regression, the rest is our choice.
_SOFTPROB = {
    "objective": "multi:softprob",
    "num_class": CLASSES,
    "eta": 0.1,
    "min_child_weight": 20,
    "subsample": 0.85,
    "colsample_bytree": 0.3,
    "max_depth": 6,
}

Features = Mapping[str, Float[np.ndarray, "_ columns"]]
Labels = Mapping[str, Integer[np.ndarray, " _"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosted:
    """Fitted model, its predictions on every split, and their scores.

    Args:
        model: XGBoost's JSON; see :func:`predict`.
        prediction: by split; probabilities (rows x 8), or ``Response`` before rounding (rows).
        scores: by split; with offsets also under "out_of_fold" and "in_sample".
        offsets: added to predictions in [j, j + 1) before rounding; empty for none.
    """

    model: bytes
    prediction: Mapping[str, Float32[np.ndarray, "_ *classes"]]
    scores: Mapping[str, Mapping[str, float]]
    offsets: tuple[float, ...] = ()


def regression(features: Features, labels: Labels, *, seed: int, rounds: int = 720) -> Boosted:
    """Least squares on ``Response``, to be rounded, fitted on the split "train".

    Args:
        features: rows x columns of every split; all are predicted and scored.
        labels: class of every row, in 0..7.
        seed: seed of XGBoost's sampling of rows and columns.
        rounds: number of trees.
    Raises:
        ValueError: no split "train", or splits that differ between features and labels.
    """
    _check(features, labels)
    model = _fit(_REGRESSION, features["train"], labels["train"] + 1, seed=seed, rounds=rounds)
    prediction = {split: predict(model, x) for split, x in features.items()}
    scores = {split: rounded_scores(p, labels[split]) for split, p in prediction.items()}
    return Boosted(model=model, prediction=prediction, scores=scores)


def with_offsets(
    plain: Boosted, features: Features, labels: Labels, *, seed: int, folds: int = 5
) -> Boosted:
    """``plain`` with offsets before rounding, searched on out-of-fold predictions.

    Scores under "out_of_fold" are therefore unbiased by the trees; those under "train" are not.
    "in_sample" is the published procedure, which searches and scores the offsets on the rows that
    the trees were fitted on: optimistic, kept for comparison with the notebook.

    Args:
        plain: result of :func:`regression`.
        features: as passed to it.
        labels: as passed to it.
        seed: seed of the folds, and of XGBoost's sampling as for ``plain``.
        folds: parts of the split "train", each predicted by trees fitted on the others.
    Raises:
        ValueError: fewer than 2 ``folds`` or more than rows.
    """
    x, y = features["train"], labels["train"]
    if not 2 <= folds <= len(y):
        raise ValueError(f"folds must lie in 2..{len(y)} (the training rows), got {folds}")
    rounds = _restored(plain.model).num_boosted_rounds()
    held_out = np.empty(len(y), dtype=np.float32)
    order = numpy_stream(seed, "boosted", "folds").permutation(len(y))
    for fold in np.array_split(order, folds):
        complement = np.setdiff1d(order, fold)
        model = _fit(_REGRESSION, x[complement], y[complement] + 1, seed=seed, rounds=rounds)
        held_out[fold] = predict(model, x[fold])

    offsets = fit_offsets(held_out, y)
    raw = {**plain.prediction, "out_of_fold": held_out}
    prediction = {split: shifted(p, offsets) for split, p in raw.items()}
    truth = {**labels, "out_of_fold": y}
    scores = {split: rounded_scores(p, truth[split]) for split, p in prediction.items()}
    in_sample = plain.prediction["train"]
    scores["in_sample"] = rounded_scores(shifted(in_sample, fit_offsets(in_sample, y)), y)
    return Boosted(model=plain.model, prediction=prediction, scores=scores, offsets=offsets)


def softprob(features: Features, labels: Labels, *, seed: int, rounds: int = 120) -> Boosted:
    """Class probabilities by multinomial boosting; for arguments see :func:`regression`."""
    _check(features, labels)
    model = _fit(_SOFTPROB, features["train"], labels["train"], seed=seed, rounds=rounds)
    prediction = {split: predict(model, x) for split, x in features.items()}
    scores = {split: class_scores(p, labels[split]) for split, p in prediction.items()}
    return Boosted(model=model, prediction=prediction, scores=scores)


def predict(
    model: bytes, features: Float[np.ndarray, "rows columns"]
) -> Float32[np.ndarray, "rows *classes"]:
    """Prediction of a :class:`Boosted` model on ``features``, before any offsets."""
    return _restored(model).predict(_matrix(features))


def gain_shares(model: bytes, columns: int) -> Float[np.ndarray, " columns"]:
    """Share of every column in the gain of all splits of a :class:`Boosted` model; 0 if unused."""
    gains = np.zeros(columns)
    for name, gain in _restored(model).get_score(importance_type="total_gain").items():
        gains[int(name.removeprefix("f"))] = gain
    return gains / max(float(gains.sum()), np.finfo(float).tiny)


def fit_offsets(
    prediction: Float[np.ndarray, " rows"], label: Integer[np.ndarray, " rows"]
) -> tuple[float, ...]:
    """Offsets that maximise quadratic kappa after rounding, one interval at a time, by Powell.

    Kappa is piecewise constant in an offset; the result is never worse than ``OFFSETS``.
    """
    offsets = list(OFFSETS)

    def cost(x: np.ndarray, j: int) -> float:
        candidates = [*offsets[:j], float(x.item()), *offsets[j + 1 :]]
        # In per cent, the scale of the published procedure, as Powell's tolerances are absolute.
        return -100 * float(quadratic_kappa(_table(shifted(prediction, candidates), label)))

    for j in SEARCHED:
        optimum = minimize(cost, [offsets[j]], args=(j,), method="Powell")
        if optimum.fun < cost(np.array(offsets[j]), j):
            offsets[j] = float(optimum.x.item())
    return tuple(offsets)


def shifted(
    prediction: Float[np.ndarray, " rows"], offsets: tuple[float, ...] | list[float]
) -> Float[np.ndarray, " rows"]:
    """Predictions plus the offset of their integer part; unchanged outside 0..7."""
    interval = np.trunc(prediction)
    inside = (interval >= 0) & (interval < CLASSES)
    steps = np.asarray(offsets, dtype=prediction.dtype)
    return prediction + np.where(inside, steps[np.where(inside, interval, 0).astype(np.int64)], 0)


def rounded_scores(
    prediction: Float[np.ndarray, " rows"], label: Integer[np.ndarray, " rows"]
) -> dict[str, float]:
    """Scores of ``Response`` predicted as a number: kappa, accuracy and macro-F1 of its rounding.

    "rmse" is the root mean square error before rounding, in classes.
    """
    table = _table(prediction, label)
    error = prediction.astype(np.float64) - (label + 1)
    return {
        "kappa": float(quadratic_kappa(table)),
        "accuracy": float(accuracy(table)),
        "macro_f1": float(macro_f1(table)),
        "rmse": float(np.sqrt(np.square(error).mean())),
    }


def rounded(prediction: Float[np.ndarray, " rows"]) -> Integer[np.ndarray, " rows"]:
    """Class in 0..7 of a ``Response`` predicted as a number: the nearest one."""
    return np.rint(prediction).clip(1, CLASSES).astype(np.int64) - 1


def _table(prediction: np.ndarray, label: np.ndarray) -> np.ndarray:
    return confusion(label, rounded(prediction))


def _fit(
    settings: Mapping[str, object], x: np.ndarray, target: np.ndarray, *, seed: int, rounds: int
) -> bytes:
    parameters = {**settings, "seed": seed, "nthread": 1, "verbosity": 0}

    def fit() -> bytes:
        booster = xgboost.train(parameters, _matrix(x, target), num_boost_round=rounds)
        return bytes(booster.save_raw("json"))

    return cached(fit, {**parameters, "rounds": rounds}, x, target)


def _restored(model: bytes) -> xgboost.Booster:
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(model))
    return booster


def _matrix(x: np.ndarray, target: np.ndarray | None = None) -> xgboost.DMatrix:
    return xgboost.DMatrix(x, label=target, missing=SENTINEL, nthread=1)


def _check(features: Features, labels: Labels) -> None:
    if "train" not in features or features.keys() != labels.keys():
        raise ValueError(
            "features and labels must name the same splits, 'train' among them, got"
            f" {sorted(features)} and {sorted(labels)}"
        )
