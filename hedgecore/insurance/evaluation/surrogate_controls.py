"""Controls of the surrogate, whose nodes are replaced by values predicted from distances.

=================== ===========================================================================
constant            one answer for every row, the network's commonest
plain_surrogate     the plain network, its nodes replaced in the same way
logistic            a logistic regression of the class on the same distances, without a network
=================== ===========================================================================

The class shares, which need no distances, are the baseline "prior" of the preparation.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int, Integer

from hedgecore.insurance.evaluation.scores import cross_entropy


def surrogate_controls(
    likely: Int[np.ndarray, " rows"],
    label: Integer[np.ndarray, " rows"],
    *,
    plain: Mapping[str, float],
    logistic: Float[np.ndarray, "rows 8"],
) -> dict[str, float]:
    """Scores of every control on held-out rows, by column.

    Args:
        likely: likeliest class of the network.
        label: true class, in 0..7.
        plain: scores of the plain network's surrogate.
        logistic: class probabilities of the logistic regression.
    """
    answer = logistic.argmax(axis=1)
    return {
        "constant_agreement": float(np.bincount(likely).max() / len(likely)),
        **{f"plain_{name}": value for name, value in plain.items()},
        "logistic_cross_entropy": cross_entropy(logistic, label),
        "logistic_accuracy": float((answer == label).mean()),
        "logistic_agreement": float((answer == likely).mean()),
    }
