"""Statistics over seeds: means, standard errors, intervals, paired tests, and sample sizes.

A seed fixes the paths, theta_0 and the batches, so two configurations at one seed share this noise
and their difference is more precise than either value. All functions take plain numbers, one per
seed; :func:`analysis.compare` returns the table.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis.arguments import checked, numbers

MIN_SEEDS = 4
"""Fewest seeds of a bootstrap interval, which from two or three seeds is just their range.

:func:`over_seeds` and :func:`lower_bound`, on standard errors, do not apply this minimum.
"""
TWO_SIDED_95 = 1.96
_RESAMPLES = 9999

Statistic = Callable[..., npt.NDArray[np.float64]]
Rng = int | np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Ends of an interval, in the unit of its values; both NaN without an interval."""

    low: float
    high: float


def interquartile_mean(
    values: npt.ArrayLike, *, axis: int | None = None
) -> npt.NDArray[np.float64]:
    """Mean of the middle half of ``values``, in their unit; NaN if one of them is.

    A value on the boundary counts fractionally: of n sorted values, value i keeps the part of
    [i - 1, i] in [n/4, 3n/4]. So of three values the middle one weighs four times each of the
    others; of two it is the mean.

    Args:
        values: at least one along ``axis``.
        axis: the axis to average over; None takes all values together.
    Raises:
        ValueError: there are no values.
    """
    x = numbers("values", values)
    x = np.sort(x.ravel() if axis is None else np.moveaxis(x, axis, -1), axis=-1)
    if not (n := x.shape[-1]):
        raise ValueError("the interquartile mean needs at least one value, got none")
    edges = np.clip(np.arange(n + 1), n / 4, 3 * n / 4)
    return np.asarray(x @ np.diff(edges) / (n / 2))


@checked
def interval(
    scores: npt.ArrayLike, statistic: Statistic = np.mean, *, confidence: float = 0.95, rng: Rng
) -> Interval:
    """Bootstrap interval of ``statistic``, in the unit of ``scores``; NaN below MIN_SEEDS seeds.

    Whole seeds are resampled: configurations share the noise of a seed, so resampling each
    configuration independently would make the interval too narrow.

    It is the expanded percentile interval. Plain 95 % percentile (and BCa) intervals of a mean
    over five seeds cover the truth 84 % of the time; their level is widened to match Student's
    interval on normal values, which raises this to 92 %. See also :data:`MIN_SEEDS`.

    Args:
        scores: one value per seed, or one row per seed and one column per configuration.
        statistic: of the values along ``axis``, with the signature of ``np.mean``.
        confidence: nominal coverage, in (0, 1).
        rng: an integer makes the interval independent of earlier draws.
    Raises:
        ValueError: ``confidence`` outside (0, 1), or ``scores`` of more than two dimensions.
    Source: Hesterberg (2015), What teachers should know about the bootstrap, section 3.3.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    x = numbers("scores", scores)
    if x.ndim not in (1, 2):
        raise ValueError(f"scores must be [seeds] or [seeds, configurations], got {x.shape}")
    n = len(x)
    if n < MIN_SEEDS:
        return Interval(low=math.nan, high=math.nan)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Mean over seeds with its standard error and range, in the unit of the values."""

    mean: float
    se: float
    low: float
    high: float


def over_seeds(
    values: Sequence[float], se: Sequence[float] | None = None, *, shared_paths: bool
) -> Estimate:
    """Mean over seeds, its standard error and the range; NaN without values.

    The mean is uncertain because of the finite test set (``se`` of each seed) and the differences
    between seeds. With m seeds, s the standard deviation between them, and se_i the error at
    seed i:

        test paths shared:   SE^2 = mean(se_i)^2 + s^2 / m
        own paths per seed:  SE^2 = max(sum(se_i^2) / m^2, s^2 / m)

    The error of shared paths does not average out; that of own paths is already part of s.

    Args:
        values: one value per seed; NaN is left out.
        se: standard error of each value, or None if unknown.
        shared_paths: True if all seeds were tested on the same paths.
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
    """One-sided normal lower bound of ``mean`` at ``confidence``, in its unit.

    Raises:
        ValueError: ``confidence`` outside [0.5, 1).
    """
    if not 0.5 <= confidence < 1.0:
        raise ValueError(f"confidence must lie in [0.5, 1), got {confidence}")
    return mean - NormalDist().inv_cdf(confidence) * se


@checked
def signed_rank(differences: npt.ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that paired ``differences`` centre on zero.

    Zeros are dropped; p is 1 if all are zero. Exact up to 13 differences, and up to 50 without
    ties in absolute value; a normal approximation beyond.

    Raises:
        ValueError: a difference is not finite.
    """
    d = _finite(differences)
    d = d[d != 0.0]
    return float(scipy.stats.wilcoxon(d).pvalue) if d.size else 1.0


@checked
def holm(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """p-values after Holm's correction, in the given order; never below the raw ones.

    Raises:
        ValueError: a value outside [0, 1], or more than one dimension.
    """
    raw = numbers("p", p)
    if raw.ndim != 1:
        raise ValueError(f"p must be a list of p-values, got {raw.ndim} dimensions")
    if not np.all((raw >= 0.0) & (raw <= 1.0)):
        raise ValueError(f"p-values must lie in [0, 1], got {raw.tolist()}")
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


@checked
def paired_size(effect: float, *, power: float = 0.8, level: float = 0.05) -> int:
    """Smallest number of seeds at which a two-sided paired t-test detects ``effect``.

    With T noncentral t of n - 1 degrees of freedom and noncentrality effect sqrt(n), the smallest
    n with P(|T| > t_(1 - level/2, n-1)) >= power. Wilcoxon's test needs about 5 % more seeds on
    normal values.

    Args:
        effect: mean difference over its standard deviation between seeds; not 0.
        power: probability of detecting it, in [0.5, 1).
        level: of the test, in (0, 0.5).
    Raises:
        ValueError: an argument outside its range.
    """
    if not (math.isfinite(effect) and effect):
        raise ValueError(f"effect must be finite and not 0, got {effect}")
    if not 0.5 <= power < 1.0 or not 0.0 < level < 0.5:
        raise ValueError(
            f"power must lie in [0.5, 1) and level in (0, 0.5), got {power} and {level}"
        )
    size = abs(effect)
    normal = scipy.stats.norm.isf(level / 2) + scipy.stats.norm.ppf(power)
    # The z-test's size is a lower bound for the t-test, which needs only a few seeds more.
    n = max(2, math.floor((normal / size) ** 2))
    while _power(size, n, level) < power:
        n += 1
    return n


@checked
def more_seeds(
    differences: npt.ArrayLike, *, power: float = 0.8, level: float = 0.05
) -> int | None:
    """Additional seeds needed to distinguish two configurations; 0 if the present ones suffice.

    As :func:`paired_size`, assuming that mean and spread of the ``differences`` are the true ones;
    from few seeds this is an order of magnitude. None if undefined: fewer than two seeds, or a
    mean difference of 0.

    Raises:
        ValueError: a difference is not finite, ``power`` or ``level`` out of range.
    """
    d = _finite(differences)
    if d.size < 2 or (mean := float(np.mean(d))) == 0.0:
        return None
    spread = float(np.std(d, ddof=1))
    needed = paired_size(mean / spread, power=power, level=level) if spread else 2
    return max(0, needed - d.size)


@checked
def least_seeds(comparisons: int = 1, *, level: float = 0.05) -> int:
    """Fewest seeds at which the signed-rank test can reject after Holm's correction.

    All n differences of one sign have p = 2 / 2^n, which must reach level / comparisons: 6 seeds
    for one comparison at 5 %.

    Raises:
        ValueError: ``comparisons`` below 1, or ``level`` outside (0, 1).
    """
    if comparisons < 1 or not 0.0 < level < 1.0:
        raise ValueError(
            f"comparisons must be at least 1 and level in (0, 1), got {comparisons} and {level}"
        )
    n = 1
    while 2.0 ** (1 - n) > level / comparisons:
        n += 1
    return n


def _power(effect: float, n: int, level: float) -> float:
    border = scipy.stats.t.isf(level / 2, n - 1)
    shift = effect * math.sqrt(n)
    beyond = scipy.stats.nct.sf(border, n - 1, shift) + scipy.stats.nct.cdf(-border, n - 1, shift)
    return float(beyond)


def _finite(differences: npt.ArrayLike) -> npt.NDArray[np.float64]:
    d = numbers("differences", differences)
    if not np.all(np.isfinite(d)):
        raise ValueError(f"differences must be finite, got {d.tolist()}; leave such seeds out")
    return d
