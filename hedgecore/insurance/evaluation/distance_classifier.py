"""Logistic regression of the class on distances to centroids, without any network.

It shows how much of an answer the distances contain by themselves, and so stands beside a network
whose nodes are replaced by values predicted from the same distances.
"""

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Integer
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from hedgecore.insurance.data.schema import CLASSES

_ITERATIONS = 200


def fit_logistic(
    distances: Float[np.ndarray, "rows centroids"], label: Integer[np.ndarray, " rows"]
) -> dict[str, Tensor]:
    """Coefficients of every class per unit of distance, and intercepts, on training rows.

    scikit-learn's multinomial regression with its L2 penalty, C = 1, on standardised distances. A
    class without rows has the intercept -inf.
    """
    mean, sd = distances.mean(axis=0, dtype=np.float64), distances.std(axis=0, dtype=np.float64)
    sd = np.where(sd > 0, sd, 1.0)
    classes = np.unique(label)
    coefficients = np.zeros((CLASSES, distances.shape[1]))
    intercept = np.full(CLASSES, -np.inf)
    intercept[classes] = 0.0
    if len(classes) > 1:
        model = LogisticRegression(max_iter=_ITERATIONS)
        with warnings.catch_warnings():
            # Near the optimum on collinear distances more steps change no probability visibly.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit((distances - mean) / sd, label)
        # Of two classes scikit-learn gives the second alone.
        rows = model.coef_ if len(classes) > 2 else np.vstack((0 * model.coef_, model.coef_))
        offsets = model.intercept_ if len(classes) > 2 else np.append(0.0, model.intercept_)
        coefficients[classes] = rows / sd
        intercept[classes] = offsets - rows @ (mean / sd)
    return {
        "logistic_coefficients": torch.from_numpy(coefficients),
        "logistic_intercept": torch.from_numpy(intercept),
    }


def logistic_probabilities(
    fitted: Mapping[str, Tensor], distances: Float[np.ndarray, "rows centroids"]
) -> Float[np.ndarray, "rows 8"]:
    """Probability of every class for rows with the given ``distances``."""
    coefficients = fitted["logistic_coefficients"].numpy()
    logits = distances @ coefficients.T + fitted["logistic_intercept"].numpy()
    return np.asarray(softmax(logits, axis=1))
