"""Paired contrasts: differences to a rival at the same seeds, with interval, p and verdict.

A mean and its interval take three columns of a table: ``x``, ``x_low`` and ``x_high``.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis.statistics import MIN_SEEDS, Interval, Rng, holm, interval, signed_rank
from analysis.wording import amount

BETTER, WORSE, OPEN = "better", "worse", "not told apart"
WITH_INTERVAL = f"95 % bootstrap interval, from {MIN_SEEDS} seeds on"
NO_INTERVAL = f"with fewer than {MIN_SEEDS} seeds no interval is claimed"

Columns = tuple[str, str, str]
Row = Mapping[str, Any] | pd.Series


def bounded(name: str) -> Columns:
    """Columns of a mean and of the ends of its interval: "x", "x_low", "x_high"."""
    return name, f"{name}_low", f"{name}_high"


MEAN: Columns = ("mean", "low", "high")
DIFFERENCE = bounded("difference")
TESTED = (*DIFFERENCE, "p", "p_holm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Differences to a rival by seed, the interval of their mean, and p of no difference."""

    differences: pd.Series
    ends: Interval
    p: float

    @property
    def pairs(self) -> int:
        """Seeds that both have."""
        return len(self.differences)

    def columns(self, names: Columns = DIFFERENCE) -> dict[str, float]:
        """Mean difference, ends of its interval and p, by column of a table."""
        values = (self.differences.mean(), self.ends.low, self.ends.high)
        return dict(zip(names, values, strict=True)) | {"p": self.p}


def contrast(
    values: pd.Series,
    rival: pd.Series,
    *,
    confidence: float = 0.95,
    rng: Rng,
    test: Callable[[npt.ArrayLike], float] = signed_rank,
) -> Contrast:
    """``values`` less those of a ``rival``, both indexed by seed, over the seeds that both have.

    Args:
        values: in the unit of the contrast.
        rival: in the same unit.
        test: two-sided p of paired differences.
    """
    differences = (values - rival).dropna()
    return Contrast(
        differences=differences,
        ends=interval(differences, confidence=confidence, rng=rng),
        p=test(differences) if len(differences) else math.nan,
    )


def estimate(
    values: pd.Series, names: Columns = MEAN, *, confidence: float = 0.95, rng: Rng
) -> dict[str, float]:
    """Mean of ``values`` and the ends of its bootstrap interval, by the ``names`` of columns."""
    ends = interval(values, confidence=confidence, rng=rng)
    return dict(zip(names, (values.mean(), ends.low, ends.high), strict=True))


def corrected(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one family of tests with ``p_holm``, Holm's correction over the rows with a p."""
    family = [dict(row) for row in rows]
    p = np.asarray([row.get("p", math.nan) for row in family], dtype=float)
    tested = ~np.isnan(p)
    p[tested] = holm(p[tested])
    return [row | {"p_holm": value} for row, value in zip(family, p.tolist(), strict=True)]


def side(low: float, high: float) -> int | None:
    """1 or -1 if an interval is above or below 0, 0 if it contains 0, None if NaN."""
    return None if math.isnan(low) else int(low > 0.0) - int(high < 0.0)


def side_of(row: Row, name: str = "difference") -> int | None:
    """The :func:`side` of the interval of column ``name``."""
    return side(row[f"{name}_low"], row[f"{name}_high"])


def verdict(row: Row, *, larger_is_better: bool, level: float) -> str:
    """Better or worse if both Holm's p and the interval exclude a difference of 0."""
    sign = side_of(row)
    if not sign or row["p_holm"] > level:
        return OPEN
    return BETTER if (sign > 0) == larger_is_better else WORSE


def bars(seeds: int) -> str:
    """Caption for the error bars of means over ``seeds``, or for their absence."""
    return "bars: 95 % bootstrap intervals" if seeds >= MIN_SEEDS else f"no bars: {NO_INTERVAL}"


def bracketed(row: Row, name: str, *, signed: bool = False) -> str:
    """Mean and interval of column ``name``: "0.200 [0.180, 0.220]"; only the mean without one."""
    mean, low, high = (amount(float(row[column]), signed=signed) for column in bounded(name))
    return mean if pd.isna(row[f"{name}_low"]) else f"{mean} [{low}, {high}]"


def paired_t(differences: npt.ArrayLike) -> float:
    """Two-sided p of Student's test that paired ``differences`` have mean zero.

    NaN below two differences; if all are equal, 1 if they are zero, else 0.
    """
    d = np.asarray(differences, dtype=float)
    if d.size < 2:
        return math.nan
    mean, error = float(d.mean()), float(d.std(ddof=1)) / math.sqrt(d.size)
    if not error:
        return 0.0 if mean else 1.0
    return float(2.0 * scipy.stats.t.sf(abs(mean / error), d.size - 1))
