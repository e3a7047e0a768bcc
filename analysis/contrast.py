"""Paired contrasts: differences to a rival at the same seeds, with interval, tests and verdict.

A mean and its interval take three columns of a table: ``x``, ``x_low`` and ``x_high``. A seed
without a value (stopped, failed, unfinished, not finite) leaves the mean of the others as a
description, without interval, p or verdict: the seeds that end are rarely like those that do not.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.intervals import (
    MIN_SEEDS,
    NONE,
    Interval,
    interval,
    mean_and_error,
    one_sided_p,
)
from analysis.sequential import e_values
from analysis.statistics import holm
from analysis.wording import amount, plural

Verdict = Literal["better", "worse", "equivalent", "not shown"]
BETTER: Verdict = "better"
WORSE: Verdict = "worse"
EQUIVALENT: Verdict = "equivalent"
OPEN: Verdict = "not shown"
WITH_INTERVAL = f"95 % Student interval, from {MIN_SEEDS} seeds on if all have a result"
NO_INTERVAL = f"no interval below {MIN_SEEDS} seeds"

Columns = tuple[str, str, str]
Row = Mapping[str, Any] | pd.Series


def bounded(name: str) -> Columns:
    """Columns of a mean and of the ends of its interval: "x", "x_low", "x_high"."""
    return name, f"{name}_low", f"{name}_high"


MEAN: Columns = ("mean", "low", "high")
DIFFERENCE = bounded("difference")
EQUIVALENCE = ("p_equivalent", "p_equivalent_holm")
TESTED = (*DIFFERENCE, "p", "p_holm", *EQUIVALENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Differences to a rival by seed, the interval of their mean, and its tests.

    ``differences`` are those of the seeds that have both values, ``gaps`` the number of the
    others. ``p`` is of no difference, two-sided; ``p_equivalent`` of a difference of at least the
    margin, in either direction; ``p_inferior`` of one at or below minus the margin. All are NaN
    without an interval.
    """

    differences: pd.Series
    gaps: int
    ends: Interval
    p: float
    p_equivalent: float
    p_inferior: float

    @property
    def pairs(self) -> int:
        """Seeds that both have."""
        return len(self.differences)

    @property
    def e_value(self) -> float:
        """E-value of a difference other than zero, in the order of the seeds; 1 without pairs."""
        values = e_values(self.differences.sort_index())
        return float(values[-1]) if len(values) and not self.gaps else 1.0

    def columns(self, names: Columns = DIFFERENCE) -> dict[str, float]:
        """Mean difference, ends of its interval and p, by column of a table."""
        values = (self.differences.mean(), self.ends.low, self.ends.high)
        numbers = dict(zip(names, values, strict=True)) | {"p": self.p}
        return numbers | {"p_equivalent": self.p_equivalent}


def contrast(
    values: pd.Series,
    rival: pd.Series,
    *,
    confidence: float = 0.95,
    margin: float = math.nan,
    symmetric: bool = True,
    shared_error: float = 0.0,
    selections: float = 1,
) -> Contrast:
    """``values`` less those of a ``rival``, both indexed by seed, over the seeds of both indices.

    A seed in the index without a value leaves the contrast without interval and tests.

    Args:
        values: in the unit of the contrast.
        rival: in the same unit.
        margin: largest difference that counts as none, in that unit; NaN without a test of it.
        symmetric: both are trained networks, whose differences are symmetric; else p holds for
            skewed noise, see :mod:`analysis.intervals`.
        shared_error: standard error of the difference that all seeds share, such as that of
            common test rows, in that unit.
        selections: pairs that the compared two were selected from on these seeds; multiplies p.
    """
    paired = _paired(values, rival)
    numbers = paired.to_numpy()
    _, error = mean_and_error(numbers)
    complete = paired[np.isfinite(numbers)]
    if math.isnan(error):
        ends, p, p_equivalent, p_inferior = NONE, math.nan, math.nan, math.nan
    else:
        ends = interval(numbers, confidence=confidence, shared_error=shared_error)
        mean, noise = float(numbers.mean()), (error, len(numbers))
        options: Any = {"symmetric": symmetric, "shared_error": shared_error}
        p, p_equivalent, p_inferior = (
            one if math.isnan(one) else min(1.0, selections * one)
            for one in (
                2.0 * one_sided_p(abs(mean), *noise, **options),
                one_sided_p(margin - abs(mean), *noise, **options),
                one_sided_p(mean + margin, *noise, **options),
            )
        )
    return Contrast(
        differences=complete,
        gaps=len(paired) - len(complete),
        ends=ends,
        p=p,
        p_equivalent=p_equivalent,
        p_inferior=p_inferior,
    )


def _paired(values: pd.Series, rival: pd.Series) -> pd.Series:
    """Differences at the seeds of both; NaN where they are not finite."""
    if not values.index.equals(rival.index):
        seeds = values.index.intersection(rival.index)
        values, rival = values.reindex(seeds), rival.reindex(seeds)
    numbers = (one.to_numpy(dtype=float, na_value=np.nan) for one in (values, rival))
    differences = next(numbers) - next(numbers)
    return pd.Series(np.where(np.isfinite(differences), differences, np.nan), values.index)


def estimate(
    values: pd.Series,
    names: Columns = MEAN,
    *,
    confidence: float = 0.95,
    shared_error: float = 0.0,
) -> dict[str, float]:
    """Mean of ``values`` and the ends of its Student interval, by the ``names`` of columns.

    A missing value leaves the mean of the others without an interval. ``shared_error`` as in
    :func:`contrast`.
    """
    x = values.to_numpy(dtype=float, na_value=np.nan)
    ends = interval(x, confidence=confidence, shared_error=shared_error)
    mean = np.nansum(x) / count if (count := np.count_nonzero(~np.isnan(x))) else math.nan
    return dict(zip(names, (float(mean), ends.low, ends.high), strict=True))


def corrected(
    rows: Iterable[Mapping[str, Any]], *, number: int | None = None
) -> list[dict[str, Any]]:
    """Rows of one page with ``p_holm`` and ``p_equivalent_holm``, each Holm's over its tests.

    A page is one family: all comparisons that a reader sees together, over all problems.

    Args:
        number: of comparisons among which data selected those of the rows; all rows if None.
    """
    family = [dict(row) for row in rows]
    for name in ("p", "p_equivalent"):
        p = np.asarray([row.get(name, math.nan) for row in family], dtype=float)
        tested = ~np.isnan(p)
        raw = p[tested]
        # Comparisons that were not selected enter as p-values of 1, after all others.
        unselected = np.ones(max(0, (number or 0) - raw.size))
        p[tested] = holm(np.concatenate((raw, unselected)))[: raw.size]
        family = [row | {f"{name}_holm": v} for row, v in zip(family, p.tolist(), strict=True)]
    return family


def side(low: float, high: float) -> int | None:
    """1 or -1 if an interval is above or below 0, 0 if it contains 0, None if NaN."""
    return None if math.isnan(low) else int(low > 0.0) - int(high < 0.0)


def side_of(row: Row, name: str = "difference") -> int | None:
    """The :func:`side` of the interval of column ``name``."""
    return side(row[f"{name}_low"], row[f"{name}_high"])


def verdict(row: Row, *, larger_is_better: bool = True, level: float = 0.05) -> Verdict:
    """Verdict on a difference of 0 after Holm's correction.

    "better" or "worse" if p is at most ``level``; else "equivalent" if the p of a difference
    beyond the margin is; else "not shown". Each is wrong with a probability of at most ``level``
    on a page, whatever the truth.
    """
    if row["p_holm"] <= level:
        return BETTER if (row["difference"] > 0.0) == larger_is_better else WORSE
    return EQUIVALENT if row.get("p_equivalent_holm", math.nan) <= level else OPEN


def no_interval(seeds: int, *, gaps: int = 0) -> str:
    """Reason why a mean over ``seeds`` has no interval; ``gaps`` other seeds have no result."""
    if seeds + gaps < MIN_SEEDS:
        return NO_INTERVAL
    if gaps:
        return f"no interval with {plural(gaps, 'seed')} without a result"
    return "no interval where a seed lacks the value or all have the same"


def bars(seeds: int, low: pd.Series | None = None) -> str:
    """Caption for the error bars of means over ``seeds``, or for their absence.

    Args:
        low: lower ends of the intervals, null without one; None if all means have one.
    """
    if seeds < MIN_SEEDS or (low is not None and low.isna().all()):
        return f"no bars: {no_interval(seeds)}"
    return "bars: 95 % Student intervals"


def bracketed(row: Row, name: str, *, signed: bool = False) -> str:
    """Mean and interval of column ``name``: "0.200 [0.180, 0.220]"; only the mean without one."""
    mean, low, high = (amount(float(row[column]), signed=signed) for column in bounded(name))
    return mean if pd.isna(row[f"{name}_low"]) else f"{mean} [{low}, {high}]"
