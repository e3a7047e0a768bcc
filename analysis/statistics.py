"""Statistics over seeds: means, standard errors, intervals, paired tests, and sample sizes.

A seed fixes the paths, theta_0 and the batches, so two configurations at one seed share their luck
and their difference is sharper than either value. Everything here takes plain numbers, one a seed;
:func:`analysis.compare` makes the table.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import scipy  # its stats are loaded where they are first used: they take a second

from analysis.arguments import checked, numbers

MIN_SEEDS = 4
"""Fewest seeds of an interval: of two or three, a bootstrap gives no more than their range."""
TWO_SIDED_95 = 1.96
_RESAMPLES = 9999

Statistic = Callable[..., npt.NDArray[np.float64]]
Rng = int | np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The two ends of an interval in the unit of its values; both NaN where there is none."""

    low: float
    high: float


def interquartile_mean(
    values: npt.ArrayLike, *, axis: int | None = None
) -> npt.NDArray[np.float64]:
    """Mean of the middle half of ``values``, in their unit; NaN where one of them is.

    A value on the border counts fractionally: of n sorted values, value i keeps the part of
    [i - 1, i] that lies in [n/4, 3n/4]. So of three values the middle one weighs four times each
    of the others, and of two it is the mean.

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
    """Bootstrap interval of ``statistic``, in the unit of ``scores``; NaN below four seeds.

    Whole seeds are drawn again, every configuration keeping its number of values: configurations
    share the luck of a seed, and drawing each by itself would make the interval too narrow.

    It is the expanded percentile interval. Plain percentiles (and BCa) of a mean over five seeds
    cover 84 % of the time when they promise 95 %; their level is widened so that they match
    Student's interval on normal values, which brings it to 92 %. Two or three seeds could give no
    more than their range, which is too little to claim (:data:`MIN_SEEDS`).

    Args:
        scores: one value a seed, or one row a seed and one column a configuration.
        statistic: of the values along ``axis``, as NumPy's are called.
        confidence: the share of intervals that should hold the truth, in (0, 1).
        rng: a whole number for an interval that does not depend on others drawn before it.
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

        test paths shared:   SE^2 = mean(se_i)^2 + s^2 / m
        own paths per seed:  SE^2 = max(sum(se_i^2) / m^2, s^2 / m)

    The error of shared paths does not average out; that of own paths is in s already.

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


@checked
def signed_rank(differences: npt.ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that paired ``differences`` centre on zero.

    Zeros are left out; where nothing else is left, p is 1. Exact up to 13 differences, and up to
    50 where no two are equally large; a normal approximation beyond.

    Raises:
        ValueError: a difference is not finite.
    """
    d = _finite(differences)
    d = d[d != 0.0]
    return float(scipy.stats.wilcoxon(d).pvalue) if d.size else 1.0


@checked
def holm(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """p-values after Holm's correction, in the order given: valid jointly, never below the raw.

    Raises:
        ValueError: a value outside [0, 1], or not one list of them.
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
    """Smallest number of seeds at which a two-sided paired t-test finds ``effect``.

    With T the t of n seeds, noncentral by effect sqrt(n), it is the least n such that
    P(|T| > t_(1 - level/2, n-1)) >= power. Wilcoxon's test needs some 5 % more on normal values.

    Args:
        effect: mean difference over its standard deviation between seeds; not 0.
        power: probability of finding it, in [0.5, 1).
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
    # A test that must estimate the spread needs more than one that knows it, but only a few more.
    n = max(2, math.floor((normal / size) ** 2))
    while _power(size, n, level) < power:
        n += 1
    return n


@checked
def more_seeds(
    differences: npt.ArrayLike, *, power: float = 0.8, level: float = 0.05
) -> int | None:
    """How many seeds beyond those at hand tell two configurations apart; 0 where they suffice.

    As :func:`paired_size`, if mean and spread of the ``differences`` at hand are the true ones;
    from few seeds this is an order of magnitude. None where it cannot be known: below two seeds,
    or a mean difference of 0.

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
    """Fewest seeds at which the signed-rank test can reject at all, after Holm's correction.

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
