"""Feature importance of the networks, compared between standard and robust tickets.

A measure has one number per feature and network. Tickets of one seed share paths, theta_0 and
batches, so standard and robust are compared by paired differences over the seeds.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis.configurations import typed
from analysis.contrast import MEAN, contrast, corrected, estimate, no_interval
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


def shifts(
    values: pd.DataFrame,
    seeds: Mapping[str, Collection[int]] | None = None,
    *,
    level: float = 0.05,
) -> pd.DataFrame:
    """One row per robust kind, measure and feature: importance less that in standard tickets.

    ``difference`` is the mean over the ``seeds`` both have, with the Student interval ``low`` to
    ``high``; ``p`` is of the paired t-test, and ``p_holm`` corrected for all rows. ``shifted``:
    ``p_holm`` is at most ``level``. Fewer than :data:`~analysis.intervals.MIN_SEEDS` seeds, and a
    seed without a network or a feature (``lacking``), leave no interval, p or shift.

    Args:
        values: the frame from :func:`importances`.
        seeds: all seeds of every kind, also those whose network is missing.
    """
    rows: list[dict[str, object]] = []
    robust = values[values["model"].str.startswith("robust")]
    for kind, measure in dict.fromkeys(zip(robust["model"], robust["measure"], strict=True)):
        pair = [
            _table(values, name, str(measure), (seeds or {}).get(name, ()))
            for name in (str(kind), STANDARD)
        ]
        if (pair[0] - pair[1]).dropna().empty:
            continue
        for feature in pair[0]:
            if feature not in pair[1]:
                continue
            paired = contrast(*(one[feature] for one in pair), confidence=1.0 - level)
            row = {"model": kind, "measure": measure, "feature": feature, "seeds": paired.pairs}
            rows.append(row | {"lacking": paired.gaps} | paired.columns(_SHIFT))
    dtypes = {
        **_KEYS,
        **dict.fromkeys(("seeds", "lacking"), "Int64"),
        **dict.fromkeys((*_SHIFT, "p", "p_holm"), "float64"),
        "shifted": "boolean",
    }
    (table,) = of_one_page([typed(rows, dtypes)], level=level)
    return table


def of_one_page(tables: Sequence[pd.DataFrame], *, level: float = 0.05) -> list[pd.DataFrame]:
    """Tables of :func:`shifts` with Holm's correction for the rows of all of them together."""
    rows = corrected({"p": p} for table in tables for p in table["p"])
    holm = pd.Series([row["p_holm"] for row in rows], dtype="float64")
    judged, start = [], 0
    for table in tables:
        part: Any = holm.iloc[start : start + len(table)].set_axis(table.index)
        judged.append(table.assign(p_holm=part, shifted=part.le(level).astype("boolean")))
        start += len(table)
    return judged


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


def sentences(table: pd.DataFrame, family: int | None = None) -> list[str]:
    """Sentences on :func:`shifts`, one per robust kind and one on the other measures.

    Args:
        family: number of tests that p is corrected for; those of the table if None.
    """
    lines = []
    family = int(table["p"].notna().sum()) if family is None else family
    for kind in dict.fromkeys(table["model"].astype(str)):
        rows = table[table["model"].eq(kind)]
        main = rows[rows["measure"].eq(MAIN)]
        if main.empty:
            continue
        lines.append(_sentence(kind, main, family))
        texts = [_by(rows[rows["measure"].eq(m)], m) for m in MEASURES if m != MAIN]
        if main["low"].notna().any() and (phrases := [text for text in texts if text]):
            lines.append(
                f"{kind[0].upper()}{kind[1:]} tickets by other measures: {'; '.join(phrases)}."
            )
    return lines


def spoken(feature: str) -> str:
    """Name of a feature in words."""
    return feature.replace("_", " ").replace("pnl", "P&L")


def _sentence(kind: str, rows: pd.DataFrame, family: int) -> str:
    seeds, lacking = int(rows["seeds"].max()), int(rows["lacking"].max())
    if rows["low"].isna().all():
        why = f"{plural(lacking, 'seed')} without a network" if lacking else no_interval(seeds)
        return (
            f"Not tested, {plural(seeds, 'seed')}: by {MEASURES[MAIN].name}, {kind} tickets lean "
            f"{_largest(rows)} than standard ones on these seeds; {why}."
        )
    test = f"{plural(seeds, 'seed')}, paired t-test, Holm over {plural(family, 'comparison')}"
    by = f"by {MEASURES[MAIN].name}"
    if not rows["shifted"].any():
        largest = rows.iloc[int(rows["difference"].abs().argmax())]
        return (
            f"No shift of importance from standard to {kind} tickets is shown, {by}; the largest: "
            f"{_shift(largest)} ({test})."
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
    return f"{MEASURES[measure].name}: {', '.join(features) or 'none shown'}"


def _signed(rows: pd.DataFrame) -> Iterator[str]:
    for _, row in rows.iterrows():
        yield f"{'more' if row['difference'] > 0.0 else 'less'} {spoken(row['feature'])}"


def _table(values: pd.DataFrame, kind: str, measure: str, seeds: Collection[int]) -> pd.DataFrame:
    """A row per seed, also of the other ``seeds``, and a column per feature in their order."""
    matches = values[values["model"].eq(kind) & values["measure"].eq(measure)]
    wide = matches.pivot(index="seed", columns="feature", values="value")
    wide = wide.reindex(columns=list(dict.fromkeys(matches["feature"])))
    return wide.reindex(sorted({*wide.index, *seeds}))


_KEYS = {"model": "string", "measure": "string", "feature": "string"}
_SHIFT = ("difference", "low", "high")
