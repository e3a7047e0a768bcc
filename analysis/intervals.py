"""Intervals and bounds of a mean over seeds, with the noise for which their level holds.

============================  ==========================================================
function                      level holds for
============================  ==========================================================
:func:`interval`              normal noise, exactly; symmetric noise, at least nominally
:func:`skew_safe_t`           noise as skewed as a lognormal's with sigma 1
:func:`bootstrap_interval`    other statistics from :data:`MIN_RESAMPLED` seeds on
============================  ==========================================================

Two networks with noise of one size differ by symmetric noise, even if the noise of each is
skewed, so Student's test of their difference holds its level. A difference to something that is
not trained (a margin, a hedge, a value of 0) is as skewed as the network's own results, and
Student's test can err four times as often as it says: its critical value is raised.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy  # its subpackages are loaded lazily on first use: that of stats takes a second

from analysis.arguments import checked, numbers

MIN_SEEDS = 3
"""Fewest seeds of an interval or a verdict: of two, Student's interval is 18 ranges wide."""
MIN_RESAMPLED = 10
"""Fewest seeds of a bootstrap interval, which covers 92 % rather than 95 % of five."""
_RESAMPLES = 9999
_DRAWS = 1 << 17
_CACHED = 1 << 16  # numbers
_MOST_SEEDS = 60

Statistic = Callable[..., npt.NDArray[np.float64]]
Rng = int | np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Ends of an interval, in the unit of its values; both NaN without an interval."""

    low: float
    high: float


NONE = Interval(low=math.nan, high=math.nan)


@checked
def interval(
    scores: npt.ArrayLike, *, confidence: float = 0.95, shared_error: float = 0.0
) -> Interval:
    """Student's interval of the mean, in the unit of ``scores``.

    There is none (both ends NaN) below :data:`MIN_SEEDS` seeds; if a score is missing, since a
    seed without a result is rarely like the others; and if all scores are equal, since a spread of
    0 is no estimate of the noise.

    Args:
        scores: one value per seed.
        confidence: coverage on normal noise, in (0, 1).
        shared_error: see :func:`one_sided_reach`.
    Raises:
        ValueError: ``confidence`` outside (0, 1), or ``scores`` not one-dimensional.
    """
    _check_confidence(confidence)
    x = numbers("scores", scores)
    if x.ndim != 1:
        raise ValueError(f"scores must be one value per seed, got shape {x.shape}")
    mean, error = mean_and_error(x)
    if math.isnan(error):
        return NONE
    reach = one_sided_reach((1.0 - confidence) / 2, error, len(x), shared_error=shared_error)
    return Interval(low=mean - reach, high=mean + reach)


def mean_and_error(scores: npt.ArrayLike) -> tuple[float, float]:
    """Mean and its standard error; an error of NaN where :func:`interval` gives no interval."""
    x = np.asarray(scores, dtype=float)
    finite = np.isfinite(x)
    if len(x) < MIN_SEEDS or not finite.all():
        return (float(np.nanmean(x)) if finite.any() else math.nan), math.nan
    error = float(np.std(x, ddof=1)) / math.sqrt(len(x))
    # Equal results differ by rounding at most.
    degenerate = error <= 1e-12 * float(np.abs(x).max())
    return float(np.mean(x)), math.nan if degenerate else error


def skew_safe_t(n: int, level: float) -> float:
    """One-sided critical value of Student's statistic of ``n`` values that holds under skew.

    The statistic exceeds it with a probability of at most ``level`` for normal noise, and for
    lognormal (sigma 1) and chi-squared (one degree of freedom) noise with its long tail on the
    side that the claim excludes. Infinite if the level is too small to be simulated.

    Args:
        n: at least 2.
        level: in (0, 0.5].
    """
    normal = -float(scipy.special.stdtrit(n - 1, level))
    tail = int(level * _DRAWS)
    if tail < 10:
        return math.inf
    return max(normal, *(float(sample[-tail]) for sample in _skewed(min(n, _MOST_SEEDS))))


def skew_safe_p(t: float, n: int) -> float:
    """One-sided p of Student's statistic ``t`` of ``n`` values, as in :func:`skew_safe_t`."""
    if math.isnan(t):
        return math.nan
    normal = float(scipy.special.stdtr(n - 1, -t))
    skewed = (
        (sample.size - np.searchsorted(sample, t) + 1) / (sample.size + 1)
        for sample in _skewed(min(n, _MOST_SEEDS))
    )
    return max(normal, *map(float, skewed))


def one_sided_reach(
    level: float, error: float, n: int, *, shared_error: float = 0.0, symmetric: bool = True
) -> float:
    """Distance of a one-sided bound from a mean, in the unit of its ``error``.

    With the error s between seeds, the shared error e, and their one-sided quantiles t and z:

        symmetric:  (t s^2 + z e^2) / sqrt(s^2 + e^2), and at least t s
        skewed:     sqrt(t^2 s^2 + z^2 e^2),  t of :func:`skew_safe_t`

    Two-sided coverage of the first is 95.0 to 97.1 % on normal values for any s / e and n.

    Args:
        level: in (0, 0.5].
        error: standard error of the mean due to differences between seeds.
        n: number of seeds.
        shared_error: standard error due to what all seeds share, such as test rows; it does not
            average out over seeds. NaN if it is unknown, which gives NaN.
        symmetric: noise between seeds is symmetric.
    Source: Cochran (1964), Approximate significance levels of the Behrens-Fisher test.
    """
    if math.isnan(shared_error):
        return math.nan
    quantile = -float(scipy.special.stdtrit(n - 1, level)) if symmetric else skew_safe_t(n, level)
    if not shared_error > 0.0:
        return quantile * error
    shared = -float(scipy.special.ndtri(level))
    if symmetric:
        both = (quantile * error**2 + shared * shared_error**2) / math.hypot(error, shared_error)
        return max(quantile * error, both)
    return math.hypot(quantile * error, shared * shared_error)


def one_sided_p(
    distance: float, error: float, n: int, *, shared_error: float = 0.0, symmetric: bool = True
) -> float:
    """Level at which :func:`one_sided_reach` equals ``distance``; above 0.5 below zero.

    NaN if distance or an error is. Other arguments as there.
    """
    if math.isnan(distance) or math.isnan(error) or math.isnan(shared_error):
        return math.nan
    if not shared_error > 0.0:
        t = distance / error
        return float(scipy.special.stdtr(n - 1, -t)) if symmetric else skew_safe_p(t, n)
    if distance <= 0.0:
        return 1.0 if distance < 0.0 else 0.5
    low, high = math.log(1e-12), math.log(0.5)
    for _ in range(26):
        middle = (low + high) / 2
        reach = one_sided_reach(
            math.exp(middle), error, n, shared_error=shared_error, symmetric=symmetric
        )
        low, high = (middle, high) if reach > distance else (low, middle)
    return math.exp(high)


@functools.lru_cache(maxsize=64)
def _skewed(n: int) -> tuple[npt.NDArray[np.float64], ...]:
    """Sorted Student statistics of ``n`` values with a long lower tail, by shape of the noise.

    The error falls with n, so the values of 60 seeds serve for more.
    """
    shapes = (scipy.stats.lognorm(1.0), scipy.stats.chi2(1.0))
    return tuple(np.sort(np.concatenate(list(_statistics(shape, n)))) for shape in shapes)


def _statistics(shape: Any, n: int) -> Iterator[npt.NDArray[np.float64]]:
    """Student statistics of all draws of a ``shape``, in parts that fit the processor's cache."""
    mean, part = shape.mean(), max(1, _CACHED // n)
    shape.random_state = n
    for first in range(0, _DRAWS, part):
        x = mean - shape.rvs(size=(min(part, _DRAWS - first), n))
        yield x.mean(axis=1) / x.std(axis=1, ddof=1) * math.sqrt(n)


@checked
def bootstrap_interval(
    scores: npt.ArrayLike, statistic: Statistic = np.mean, *, confidence: float = 0.95, rng: Rng
) -> Interval:
    """Bootstrap interval of ``statistic``, in its unit; NaN below :data:`MIN_RESAMPLED` seeds.

    Whole seeds are resampled: configurations share the noise of a seed, so resampling each
    configuration independently would make the interval too narrow. It is the percentile interval
    at the level that matches Student's interval on normal values.

    Args:
        scores: one value per seed, or one row per seed and one column per configuration.
        statistic: of the values along ``axis``, with the signature of ``np.mean``.
        confidence: nominal coverage, in (0, 1).
        rng: an integer makes the interval independent of earlier draws.
    Raises:
        ValueError: ``confidence`` outside (0, 1), or ``scores`` of more than two dimensions.
    Source: Hesterberg (2015), What teachers should know about the bootstrap, section 3.3.
    """
    _check_confidence(confidence)
    x = numbers("scores", scores)
    if x.ndim not in (1, 2):
        raise ValueError(f"scores must be [seeds] or [seeds, configurations], got {x.shape}")
    n = len(x)
    if n < MIN_RESAMPLED:
        return NONE

    def resample(seeds: npt.NDArray[np.int64], axis: int) -> npt.NDArray[np.float64]:
        values = x[np.moveaxis(seeds, axis, -1).astype(int)]
        return statistic(values.reshape(*seeds.shape[:-1], -1), axis=-1)

    student = scipy.stats.t.isf((1.0 - confidence) / 2, n - 1)
    wider = 1.0 - 2.0 * scipy.stats.norm.sf(math.sqrt(n / (n - 1)) * student)
    limits = scipy.stats.bootstrap(
        (np.arange(n),),
        resample,
        vectorized=True,
        confidence_level=wider,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=rng,
    ).confidence_interval
    return Interval(low=float(limits.low), high=float(limits.high))


def _check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
