"""Feature importance of the networks, compared between standard and robust tickets.

A measure has one number per feature and network. Tickets of one seed share paths, theta_0 and
batches, so standard and robust are compared by paired differences over the seeds.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis.configurations import typed
from analysis.contrast import MEAN, NO_INTERVAL, contrast, corrected, estimate, side
from analysis.intervals import Interval
from analysis.tickets.networks import STANDARD, Floats, Model
from analysis.wording import plural

LEAST = 4
"""Fewest features of the interval of a correlation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Name and unit of a measure of importance."""

    name: str
    unit: str


MEASURES: Mapping[str, Measure] = {
    "importance_scaled": Measure(
        name="first-layer weights, standardised inputs", unit="share of all weights"
    ),
    "importance_raw": Measure(name="first-layer weights, raw inputs", unit="share of all weights"),
    "importance_permutation": Measure(
        name="permutation, fall of CVaR 5 %", unit="currency per option"
    ),
    "importance_gradients": Measure(name="integrated gradients", unit="shares of stock"),
}
MAIN = "importance_scaled"
"""Measure of the correlations and of the first sentence: shares, without unit."""

_MOST_DESCRIBED = 3


def importances(models: Sequence[Model]) -> pd.DataFrame:
    """One row per network, measure and feature: ``value``, in the unit of the measure.

    Empty if the files have no interpretation.
    """
    rows = [
        {
            "model": model.kind,
            "seed": model.seed,
            "measure": measure,
            "feature": feature,
            "value": float(value),
        }
        for model in models
        for measure in MEASURES
        if measure in model.importance
        for feature, value in zip(model.features, model.importance[measure], strict=True)
    ]
    return typed(rows, {**_KEYS, "seed": "Int64", "value": "float64"})


def means(values: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """One row per kind, measure and feature of :func:`importances`: ``mean`` over its ``seeds``.

    ``low`` and ``high`` are its Student interval.
    """
    rows = []
    for keys, group in values.groupby(list(_KEYS), sort=False):
        rows.append(
            dict(zip(_KEYS, keys, strict=True))
            | {"seeds": len(group)}
            | estimate(group["value"], confidence=confidence)
        )
    return typed(rows, {**_KEYS, "seeds": "Int64", **dict.fromkeys(MEAN, "float64")})


def shifts(values: pd.DataFrame, *, level: float = 0.05) -> pd.DataFrame:
    """One row per robust kind, measure and feature: importance less that in standard tickets.

    ``difference`` is the mean over the ``seeds`` both have, with the Student interval ``low`` to
    ``high``; ``p`` is of the paired t-test, and ``p_holm`` corrected for the features of the same
    kind and measure. ``shifted``: ``p_holm`` is at most ``level`` and the interval excludes zero.
    A single seed has no p; fewer than :data:`~analysis.statistics.MIN_SEEDS` have no interval, and
    so no shift.

    Args:
        values: the frame from :func:`importances`.
    """
    rows: list[dict[str, object]] = []
    robust = values[values["model"].str.startswith("robust")]
    for kind, measure in dict.fromkeys(zip(robust["model"], robust["measure"], strict=True)):
        robust_table = _table(values, str(kind), str(measure))
        standard = _table(values, STANDARD, str(measure))
        # Only seeds with every feature count.
        seeds = (robust_table - standard).dropna().index
        if seeds.empty:
            continue
        ours, theirs = robust_table.loc[seeds], standard.loc[seeds]
        family = []
        for feature in ours:
            pair = ours[feature], theirs[feature]
            paired = contrast(*pair, confidence=1.0 - level)
            row = {"model": kind, "measure": measure, "feature": feature, "seeds": paired.pairs}
            row |= paired.columns(_SHIFT)
            row.pop("p_equivalent")
            family.append(row)
        for row in corrected(family):
            shifted = bool(side(row["low"], row["high"])) and row["p_holm"] <= level
            rows.append(row | {"shifted": shifted})
    return typed(
        rows,
        {
            **_KEYS,
            "seeds": "Int64",
            **dict.fromkeys((*_SHIFT, "p", "p_holm"), "float64"),
            "shifted": "boolean",
        },
    )


def correlation(
    x: npt.ArrayLike, y: npt.ArrayLike, *, confidence: float = 0.95
) -> tuple[float, Interval]:
    """Pearson's r of two networks over their features, and Fisher's interval.

    NaN if one of them is constant; no interval below ``LEAST`` features.
    """
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if not (np.ptp(a) and np.ptp(b)):
        return math.nan, Interval(low=math.nan, high=math.nan)
    r = float(np.corrcoef(a, b)[0, 1])
    if a.size < LEAST or abs(r) >= 1.0:
        return r, Interval(low=math.nan, high=math.nan)
    reach = scipy.stats.norm.isf((1.0 - confidence) / 2) / math.sqrt(a.size - 3)
    return r, Interval(low=math.tanh(math.atanh(r) - reach), high=math.tanh(math.atanh(r) + reach))


def correlations(values: pd.DataFrame, measure: str = MAIN) -> tuple[pd.DataFrame, Floats]:
    """Networks of :func:`importances` (``model``, ``seed``), and r of every two of them.

    Networks are ordered by kind, so the matrix has a block per pair of kinds; NaN for constant
    importances.
    """
    wide = values[values["measure"].eq(measure)].pivot_table(
        index=["model", "seed"], columns="feature", values="value", sort=False
    )
    rows = wide.to_numpy()
    matrix = np.array([[correlation(a, b)[0] for b in rows] for a in rows])
    return wide.index.to_frame(index=False), matrix.reshape(len(rows), len(rows))


def sentences(table: pd.DataFrame) -> list[str]:
    """Sentences on :func:`shifts`, one per robust kind and one on the other measures."""
    lines = []
    for kind in dict.fromkeys(table["model"].astype(str)):
        rows = table[table["model"].eq(kind)]
        main = rows[rows["measure"].eq(MAIN)]
        if main.empty:
            continue
        lines.append(_sentence(kind, main))
        texts = [_by(rows[rows["measure"].eq(m)], m) for m in MEASURES if m != MAIN]
        if main["low"].notna().any() and (phrases := [text for text in texts if text]):
            lines.append(
                f"{kind[0].upper()}{kind[1:]} tickets by other measures: {'; '.join(phrases)}."
            )
    return lines


def spoken(feature: str) -> str:
    """Name of a feature in words."""
    return feature.replace("_", " ").replace("pnl", "P&L")


def _sentence(kind: str, rows: pd.DataFrame) -> str:
    seeds = int(rows["seeds"].max())
    if rows["low"].isna().any():
        return (
            f"Not tested, {plural(seeds, 'seed')}: by {MEASURES[MAIN].name}, {kind} tickets lean "
            f"{_largest(rows)} than standard ones on these seeds; {NO_INTERVAL}."
        )
    test = f"{plural(seeds, 'seed')}, paired t-test, Holm over {plural(len(rows), 'feature')}"
    by = f"by {MEASURES[MAIN].name}"
    if not rows["shifted"].any():
        largest = rows.iloc[int(rows["difference"].abs().argmax())]
        return (
            f"No shift of importance from standard to {kind} tickets is beyond chance, {by}; the "
            f"largest: {_shift(largest)} ({test})."
        )
    parts = []
    for word, sign in (("more", 1.0), ("less", -1.0)):
        features = rows[rows["shifted"] & (sign * rows["difference"] > 0.0)]
        features = features.sort_values("difference", key=lambda d: -d.abs())
        if len(features):
            parts.append(f"{word} on {', '.join(_shift(row) for _, row in features.iterrows())}")
    return (
        f"{kind[0].upper()}{kind[1:]} tickets lean {' and '.join(parts)} than standard ones, "
        f"{by} ({test})."
    )


def _largest(rows: pd.DataFrame) -> str:
    """The largest shifts, at most three more and three less, without any test."""
    parts = []
    for word, sign in (("more", 1.0), ("less", -1.0)):
        ranked = (sign * rows["difference"]).sort_values(ascending=False, kind="stable")
        few = rows.loc[ranked[ranked > 0.0].index[:_MOST_DESCRIBED]]
        texts = [f"{spoken(r['feature'])} ({r['difference']:+.3f})" for _, r in few.iterrows()]
        parts += [f"{word} on {', '.join(texts)}"] if texts else []
    return " and ".join(parts) or "no more and no less on any input"


def _shift(row: pd.Series) -> str:
    return (
        f"{spoken(row['feature'])} ({row['difference']:+.3f} [{row['low']:+.3f}, "
        f"{row['high']:+.3f}])"
    )


def _by(rows: pd.DataFrame, measure: str) -> str:
    if rows.empty:
        return ""
    features = list(_signed(rows[rows["shifted"].astype(bool)]))
    return f"{MEASURES[measure].name}: {', '.join(features) or 'none beyond chance'}"


def _signed(rows: pd.DataFrame) -> Iterator[str]:
    for _, row in rows.iterrows():
        yield f"{'more' if row['difference'] > 0.0 else 'less'} {spoken(row['feature'])}"


def _table(values: pd.DataFrame, kind: str, measure: str) -> pd.DataFrame:
    """A row per seed and a column per feature, in the order of the features."""
    matches = values[values["model"].eq(kind) & values["measure"].eq(measure)]
    wide = matches.pivot(index="seed", columns="feature", values="value")
    return wide.reindex(columns=list(dict.fromkeys(matches["feature"])))


_KEYS = {"model": "string", "measure": "string", "feature": "string"}
_SHIFT = ("difference", "low", "high")
