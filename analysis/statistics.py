"""Statistics over seeds: means, standard errors, intervals, paired tests, and sample sizes.

A seed fixes the paths, theta_0 and the batches, so two configurations at one seed share this noise
and their difference is more precise than either value. All functions take plain numbers, one per
seed; :func:`analysis.compare` returns the table.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis.arguments import checked, numbers
from analysis.intervals import MIN_SEEDS


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


_MANY = 10**6
"""Seeds from which Student's and the normal test need the same number but for two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Mean over ``seeds`` with its standard error and range, in the unit of the values."""

    mean: float
    se: float
    low: float
    high: float
    seeds: int

    @property
    def reach(self) -> float:
        """Half the width of Student's 95 % interval; NaN below :data:`MIN_SEEDS` seeds."""
        return student_reach(self.seeds) * self.se


def student_reach(seeds: int, *, confidence: float = 0.95) -> float:
    """Half of Student's interval in standard errors; NaN below :data:`MIN_SEEDS` seeds."""
    if seeds < MIN_SEEDS:
        return math.nan
    return float(scipy.stats.t.isf((1.0 - confidence) / 2, seeds - 1))


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
        return Estimate(mean=np.nan, se=np.nan, low=np.nan, high=np.nan, seeds=0)
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
        seeds=x.size,
    )


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
    n with P(abs(T) > t_(1 - level/2, n-1)) >= power. Wilcoxon's test needs about 5 % more seeds on
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
    if n > _MANY:
        return n + 2
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
    if d.size < 2:
        return None
    mean = float(np.mean(d))
    # A sum that cancels is 0 but for rounding.
    if abs(mean) <= 1e-12 * float(np.abs(d).max()):
        return None
    spread = float(np.std(d, ddof=1))
    needed = paired_size(mean / spread, power=power, level=level) if spread else 2
    return max(0, needed - d.size)


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
