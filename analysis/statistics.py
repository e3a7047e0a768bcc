"""Means over seeds with an honest standard error, and one-sided bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over seeds with its standard error and range, in the unit of the values."""

    mean: float
    se: float
    low: float
    high: float


def over_seeds(
    values: Sequence[float], se: Sequence[float] | None = None, *, shared_paths: bool
) -> Estimate:
    """The mean over seeds, its standard error and the range; NaN where there is no value.

    Two things make the mean uncertain. One is the test set (``se``, seed by seed), the other that
    the seeds differ. With m seeds, s the standard deviation between them, and se_i the error at
    seed i:

        test paths shared:   SE^2 = mean(se_i)^2 + s^2 / m    (the paths' error does not average
        out) own paths per seed:  SE^2 = max(sum(se_i^2) / m^2, s^2 / m)    (s holds the paths'
        error already)

    Args:
        values: one value a seed; NaN is left out.
        se: the standard error of each value, or None where it is unknown.
        shared_paths: whether all seeds were tested on the same paths.
    """
    x = np.asarray(values, dtype=float)
    e = np.full_like(x, np.nan) if se is None else np.asarray(se, dtype=float)
    e, x = e[np.isfinite(x)], x[np.isfinite(x)]
    if x.size == 0:
        return Estimate(mean=np.nan, se=np.nan, low=np.nan, high=np.nan)
    between = float(np.var(x, ddof=1) / x.size) if x.size > 1 else 0.0
    if se is None:
        variance = between if x.size > 1 else np.nan
    elif shared_paths:
        variance = float(np.mean(e)) ** 2 + between
    else:
        variance = max(float(np.sum(e**2)) / x.size**2, between)
    return Estimate(
        mean=float(np.mean(x)),
        se=float(np.sqrt(variance)),
        low=float(np.min(x)),
        high=float(np.max(x)),
    )


def lower_bound(mean: float, se: float, *, confidence: float) -> float:
    """The one-sided normal lower bound of ``mean`` at ``confidence``, in its unit.

    Raises:
        ValueError: ``confidence`` outside [0.5, 1).
    """
    if not 0.5 <= confidence < 1.0:
        raise ValueError(f"confidence must lie in [0.5, 1), got {confidence}")
    return mean - NormalDist().inv_cdf(confidence) * se
