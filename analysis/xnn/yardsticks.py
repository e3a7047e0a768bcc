"""Controls beside an explained network: of its surrogate, its specificity and its coefficients."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import WITH_INTERVAL, bounded, bracketed, estimate
from analysis.text_table import TextTable
from analysis.wording import amount, percent

MEASURES: Mapping[str, Mapping[str, str]] = {
    "likeliest class kept": {
        "X-NN": "surrogate_agreement",
        "plain network": "plain_surrogate_agreement",
        "logistic regression": "logistic_agreement",
        "constant answer": "constant_agreement",
    },
    "cross-entropy (nat)": {
        "X-NN": "surrogate_cross_entropy",
        "plain network": "plain_surrogate_cross_entropy",
        "logistic regression": "logistic_cross_entropy",
        "class shares": "prior_cross_entropy",
    },
    "accuracy": {
        "X-NN": "surrogate_accuracy",
        "plain network": "plain_surrogate_accuracy",
        "logistic regression": "logistic_accuracy",
        "constant answer": "prior_accuracy",
    },
    "R2 of nodes": {
        "centroids": "r2_mean",
        "centroids, rotated": "r2_rotated",
        "random rows": "r2_random_points",
    },
    "variance inflation": {"largest of a distance": "inflation_max"},
}
"""Columns of trials by measure and subject; the first subject is the explained network."""


_VALUE = bounded("value")


@checked
def yardsticks(trials: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """One row per measure and subject: mean over seeds, with Student's interval.

    Columns ``measure``, ``subject``, ``seeds``, ``value``, ``value_low`` and ``value_high``; a
    measure that no trial has is omitted. The first three measures are of networks whose nodes are
    replaced by values predicted from distances, and of answers that need no network.

    Args:
        trials: those of one cell, from :func:`analysis.xnn.cells.members`.
    """
    rows: list[dict[str, Any]] = []
    for measure, subjects in MEASURES.items():
        for subject, column in subjects.items():
            if column in trials and trials[column].notna().any():
                values = trials[column].astype("float64")
                row = {"measure": measure, "subject": subject, "seeds": values.count()}
                rows.append(row | estimate(values, _VALUE, confidence=confidence))
    texts = dict.fromkeys(("measure", "subject"), "string")
    return typed(rows, {**texts, "seeds": "Int64", **dict.fromkeys(_VALUE, "float64")})


def sentences(rows: pd.DataFrame) -> list[str]:
    """Sentences with the means in ``rows``, from :func:`yardsticks`: descriptive, without test."""
    means = rows.set_index(["measure", "subject"])["value"].to_dict()
    lines = []
    for measure, text in (("likeliest class kept", _share), ("cross-entropy (nat)", amount)):
        first, *others = MEASURES[measure]
        beside = [f"{n} {text(means[measure, n])}" for n in others if (measure, n) in means]
        if beside and (measure, first) in means:
            own = f"{first} {text(means[measure, first])}"
            lines.append(f"From distances alone, {measure}: {own}; {', '.join(beside)}.")
    r2 = [means.get(("R2 of nodes", name)) for name in ("centroids", "centroids, rotated")]
    if r2[0] is not None and r2[1] is not None:
        lines.append(
            f"R2 of its nodes is {amount(r2[0])} on distances to its centroids, and "
            f"{amount(r2[1])} on distances to the same centroids rotated about the mean at equal "
            "radius."
        )
    factor = means.get(("variance inflation", "largest of a distance"))
    if factor is not None:
        lines.append(
            f"The largest variance inflation factor of its distances is {factor:.3g}, at which a "
            f"coefficient has a standard error {math.sqrt(factor):.2g} times that on uncorrelated "
            "distances."
        )
    return lines


def table(rows: pd.DataFrame) -> TextTable:
    """:func:`yardsticks`, for the terminal."""
    cells = {name: rows[name].astype(str).tolist() for name in ("measure", "subject")}
    cells["value"] = [bracketed(row, "value") for _, row in rows.iterrows()]
    return TextTable(
        cells=cells,
        title="Controls of the chosen network; means over seeds",
        caption="Likeliest class kept, cross-entropy and accuracy: with nodes replaced by values "
        "predicted from distances; the logistic regression predicts the class from the same "
        "distances. Rotated: about the mean of the training rows, at equal radius. "
        f"[{WITH_INTERVAL}.]",
    )


def _share(value: float) -> str:
    return percent(round(value, 3))
