"""Tests of the cells of an X-NN sweep: claims, their margins, and verdicts after Holm.

A cell is chosen among all of them, so each claim is tested for every cell, and the cells of a
table are one family per claim. A verdict is wrong with a probability of at most 5 % for any cell.

==============================  =====================================================
claim                           test
==============================  =====================================================
difference to the plain         Student's, as both are trained networks
network
gain above 0                    skew-safe, over the best control of every seed
gain below 0                    skew-safe, below one and the same control at all seeds
cost below the limit            skew-safe upper bound
specificity, stability          skew-safe
==============================  =====================================================

The largest of several controls exceeds each of them by chance, so a gain below 0 is no evidence
that a control explains more; a fixed control, corrected for their number, is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.contrast import contrast, corrected, verdict
from analysis.intervals import mean_and_error, one_sided_p, one_sided_reach

COST = "cross_entropy_minus_plain"
GAIN = "explanation_gain"
R2_OVER_PLAIN = "r2_mean_minus_plain"
WITHIN = 0.02
"""Limit of the cost of an explanation, in nats of cross-entropy."""
RECOVERED = 0.65
"""Adjusted Rand index below which recovery of clusters is poor, Steinley (2004)."""
UPPER = f"{COST}_upper"
WITHIN_P, IS_WITHIN = "within_p_holm", "within_limit"

_LEVEL = 0.05
CONTROLS = ("r2_untrained", "r2_plain", "r2_plain_random_points", "r2_permuted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Mean of a metric other than ``null``.

    Args:
        margin: largest distance from ``null`` that counts as none, in the unit of the metric.
        symmetric: the metric is a difference of two trained networks.
        larger_is_better: direction of "better".
    """

    margin: float
    null: float = 0.0
    symmetric: bool = False
    larger_is_better: bool = True


CLAIMS: Mapping[str, Claim] = {
    COST: Claim(margin=0.01, symmetric=True, larger_is_better=False),
    "accuracy_minus_plain": Claim(margin=0.01, symmetric=True),
    "kappa_minus_plain": Claim(margin=0.02, symmetric=True),
    R2_OVER_PLAIN: Claim(margin=0.05, symmetric=True),
    GAIN: Claim(margin=0.05),
    "specificity": Claim(margin=0.05),
    "cluster_stability": Claim(margin=0.05, null=RECOVERED),
}
"""Claims on a cell, by metric; those that a table lacks are not tested."""


def row_error(scores: pd.DataFrame, metric: str) -> float:
    """Standard error of ``metric`` over test rows, which all seeds share.

    0 if no seed has one, and NaN if only some have a finite one, so that nothing is claimed.
    """
    name = f"{metric}_se"
    if name not in scores or scores[name].isna().all():
        return 0.0
    measured = scores[metric if metric in scores else name].notna()
    values = scores.loc[measured, name].astype("float64")
    return float(values.mean()) if np.isfinite(values).all() else math.nan


def tests(scores: pd.DataFrame) -> dict[str, float]:
    """p of every claim on a cell before correction, and the upper bound of its cost.

    Args:
        scores: metrics by seed; a seed without a result is a row of NaN.
    """
    row: dict[str, float] = {}
    for metric, claim in CLAIMS.items():
        if metric not in scores:
            continue
        null = pd.Series(claim.null, index=scores.index)
        paired = contrast(
            scores[metric],
            null,
            margin=claim.margin,
            symmetric=claim.symmetric,
            shared_error=row_error(scores, metric),
        )
        p = _gain_p(scores) if metric == GAIN else paired.p
        row |= {_p(metric): p, _p_equivalent(metric): paired.p_equivalent}
    if COST in scores:
        mean, error = mean_and_error(scores[COST])
        options: Any = {"shared_error": row_error(scores, COST), "symmetric": False}
        row["within_p"] = one_sided_p(WITHIN - mean, error, len(scores), **options)
        bound = np.isfinite(error)
        reach = one_sided_reach(_LEVEL, error, len(scores), **options) if bound else np.nan
        row[UPPER] = mean + reach
    return row


def judged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a table with the p of :func:`tests` corrected, and a verdict per claim.

    ``<metric>_p_holm`` and ``<metric>_verdict`` replace the raw p, ``within_p_holm`` and
    ``within_limit`` those of the limit. The plain network has no tests.
    """
    for metric, claim in CLAIMS.items():
        if not any(_p(metric) in row for row in rows):
            continue
        family = corrected(
            {
                "p": row.pop(_p(metric), np.nan),
                "p_equivalent": row.pop(_p_equivalent(metric), np.nan),
                "difference": row[metric] - claim.null,
            }
            for row in rows
        )
        for row, test in zip(rows, family, strict=True):
            row[f"{metric}_p_holm"] = test["p_holm"]
            named = verdict(test, larger_is_better=claim.larger_is_better)
            row[f"{metric}_verdict"] = None if row["reference"] else named
    if any("within_p" in row for row in rows):
        family = corrected({"p": row.pop("within_p", np.nan)} for row in rows)
        for row, test in zip(rows, family, strict=True):
            row[WITHIN_P] = test["p_holm"]
            row[IS_WITHIN] = None if row["reference"] else bool(test["p_holm"] <= _LEVEL)
    return rows


def columns() -> dict[str, str]:
    """Dtypes of the columns that :func:`tests` and :func:`judged` add."""
    floats = [f"{metric}_p_holm" for metric in CLAIMS]
    texts = [f"{metric}_verdict" for metric in CLAIMS]
    return {
        **dict.fromkeys((*floats, UPPER, WITHIN_P), "float64"),
        **dict.fromkeys(texts, "string"),
        IS_WITHIN: "boolean",
    }


def _gain_p(scores: pd.DataFrame) -> float:
    """Two-sided p of a gain of 0: above all controls, or below one of them."""
    n, error = len(scores), row_error(scores, GAIN)
    options: Any = {"shared_error": error, "symmetric": False}
    above = one_sided_p(*mean_and_error(scores[GAIN]), n, **options)
    controls = [name for name in CONTROLS if name in scores and scores[name].notna().all()]
    shortfalls = (mean_and_error(scores[name] - scores["r2_mean"]) for name in controls)
    below = [one_sided_p(mean, noise, n, **options) for mean, noise in shortfalls]
    sides = [above, len(controls) * min(below, default=1.0)]
    return np.nan if np.isnan(above) else float(min(1.0, 2.0 * np.nanmin(sides)))


def _p(metric: str) -> str:
    return f"{metric}_p"


def _p_equivalent(metric: str) -> str:
    return f"{metric}_p_equivalent"
