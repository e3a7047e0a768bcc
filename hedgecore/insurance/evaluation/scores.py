"""Scores of class probabilities, by the name of their column.

Classes are 0..7 everywhere except in the table itself; ``Response`` is the class plus one.
Accuracy, kappa and macro-F1 are functions of a confusion table, so that they can be computed for
many resampled tables at once.
"""

import numpy as np
from jaxtyping import Float, Int, Integer, Real
from numpy.typing import ArrayLike

from hedgecore.insurance.data.schema import CLASSES

ECE_BINS = 15
"""Equal-width bins of confidence in (0, 1], closed on the right, as in Guo et al. (2017)."""


def scores(
    probability: Float[np.ndarray, "rows 8"], label: Integer[np.ndarray, " rows"]
) -> dict[str, float]:
    """All scores, by column.

    Args:
        probability: probabilities of every class; each row sums to 1.
        label: true class, in 0..7.
    Raises:
        ValueError: no rows, a label outside 0..7, or a row that is not a distribution.
    """
    probability = probability.astype(np.float64)
    _check(probability, label)
    likely = probability.argmax(axis=1)
    table = confusion(label, likely)
    # Ties go to the even class, half of them down and half up, as in numpy.round.
    expected = np.rint(probability @ np.arange(CLASSES)).astype(np.int64)
    return {
        "cross_entropy": cross_entropy(probability, label),
        "accuracy": float(accuracy(table)),
        "kappa": float(quadratic_kappa(table)),
        "kappa_expected": float(quadratic_kappa(confusion(label, expected))),
        "macro_f1": float(macro_f1(table)),
        "ece": calibration_error(probability, label),
    }


def cross_entropy(
    probability: Float[np.ndarray, "rows 8"], label: Integer[np.ndarray, " rows"]
) -> float:
    """Mean of -log p of the true class, in nats; p is at least its machine epsilon."""
    return float(log_losses(probability, label).mean())


def log_losses(
    probability: Float[np.ndarray, "rows 8"], label: Integer[np.ndarray, " rows"]
) -> Float[np.ndarray, " rows"]:
    """-log p of the true class by row, in nats; p is at least its machine epsilon."""
    p = probability[np.arange(len(label)), label]
    return -np.log(p.clip(min=np.finfo(p.dtype).eps))


def confusion(
    label: Integer[np.ndarray, " rows"], predicted: Integer[np.ndarray, " rows"]
) -> Int[np.ndarray, "8 8"]:
    """Rows by true class (down) and predicted class (across)."""
    cells = np.bincount(CLASSES * label + predicted, minlength=CLASSES**2)
    return cells.reshape(CLASSES, CLASSES)


def accuracy(table: Real[np.ndarray, "*tables 8 8"]) -> Float[np.ndarray, "*tables"]:
    """Share of rows on the diagonal; NaN for a table without rows."""
    return quotient(np.trace(table, axis1=-2, axis2=-1), table.sum(axis=(-2, -1)))


def quadratic_kappa(table: Real[np.ndarray, "*tables 8 8"]) -> Float[np.ndarray, "*tables"]:
    """Cohen's kappa with the squared distance of classes as weight: 1 is perfect, 0 is chance.

        1 - sum_ij w_ij O_ij / sum_ij w_ij E_ij,    w_ij = (i - j)^2,  E the product of margins

    NaN if all labels and predictions are of one class, as chance is perfect too.
    """
    i = np.arange(CLASSES)
    weight = (i[:, None] - i) ** 2
    true, predicted = table.sum(axis=-1), table.sum(axis=-2)
    chance = np.einsum("...i,ij,...j->...", true, weight, predicted)
    disagreement = (weight * table).sum(axis=(-2, -1)) * table.sum(axis=(-2, -1))
    return quotient(chance - disagreement, chance)


def kappa_influence(
    label: Integer[np.ndarray, " rows"], predicted: Integer[np.ndarray, " rows"]
) -> Float[np.ndarray, " rows"]:
    """Influence of every row on :func:`quadratic_kappa`; its mean over the rows is 0.

    Rows of one true and predicted class have the same influence, the derivative by the count of
    their cell of the confusion table, as central differences.
    """
    table = confusion(label, predicted).astype(np.float64)
    step = 1e-4 * np.eye(CLASSES**2).reshape(-1, CLASSES, CLASSES) * table.sum()
    slope = quadratic_kappa(table + step) - quadratic_kappa(table - step)
    return slope[CLASSES * label + predicted] / 2e-4


def kappa_difference_error(
    label: Integer[np.ndarray, " rows"],
    first: Integer[np.ndarray, " rows"],
    second: Integer[np.ndarray, " rows"],
) -> float:
    """Standard error over rows of the kappa of ``first`` less that of ``second`` (classes)."""
    return standard_error(kappa_influence(label, first) - kappa_influence(label, second))


def standard_error(values: Float[np.ndarray, " rows"]) -> float:
    """Standard error of the mean of ``values``; NaN of a single row."""
    n = len(values)
    return float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def macro_f1(table: Real[np.ndarray, "*tables 8 8"]) -> Float[np.ndarray, "*tables"]:
    """Mean F1 = 2 TP / (2 TP + FP + FN) of the classes that occur as label or as prediction."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    occurring = table.sum(axis=-1) + table.sum(axis=-2)
    f1 = 2 * hits / np.maximum(occurring, 1)
    return quotient(f1.sum(axis=-1), (occurring > 0).sum(axis=-1))


def calibration_error(
    probability: Float[np.ndarray, "rows 8"],
    label: Integer[np.ndarray, " rows"],
    *,
    bins: int = ECE_BINS,
) -> float:
    """Expected calibration error: mean over rows of |accuracy - confidence| of the row's bin.

    Confidence is the largest probability, in ``bins`` equal intervals of (0, 1].
    """
    confidence = probability.max(axis=1)
    hit = probability.argmax(axis=1) == label
    where = np.ceil(confidence * bins).astype(np.int64).clip(1, bins) - 1
    excess = np.bincount(where, weights=hit - confidence, minlength=bins)
    return float(np.abs(excess).sum() / len(label))


def quotient(numerator: ArrayLike, denominator: ArrayLike) -> Float[np.ndarray, "..."]:
    """Quotient in float64, NaN where the denominator is 0; always an array."""
    nothing = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=nothing, where=np.not_equal(denominator, 0))


def defined_mean(values: Float[np.ndarray, " _"]) -> float:
    """Mean of the values that are not NaN; NaN if all are."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")


def _check(probability: Float[np.ndarray, "rows 8"], label: Integer[np.ndarray, " rows"]) -> None:
    if not len(label):
        raise ValueError("probability has no rows; score at least one")
    if label.min() < 0 or label.max() >= CLASSES:
        raise ValueError(
            f"label must lie in 0..7 (Response less one), got {label.min()}..{label.max()}"
        )
    # Written so that NaN fails as well.
    fair = (probability >= 0).all(axis=1) & (np.abs(probability.sum(axis=1) - 1) <= 1e-4)
    if not fair.all():
        row = int(np.argmin(fair))
        raise ValueError(
            f"probability must be non-negative and sum to 1, got {probability[row].round(3)}"
            f" in row {row}; give probabilities, not logits"
        )
