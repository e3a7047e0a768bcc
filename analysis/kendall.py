"""Kendall's rank correlation within strata, from a sample with unequal probabilities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis.intervals import Interval

_SAMPLED, _DISCORDANT = 20, 5
"""Fewest sampled units, and discordant pairs of them, of an interval: below, a rank correlation
near 1 is often observed as 1, and its interval would be too narrow."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Two values of each unit of a stratum, and the inverse of its chance to be in the sample."""

    x: Values
    y: Values
    weight: Values
    """1 for units that are always in the sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tau:
    """Kendall's tau-b with its interval, both NaN where it is not defined."""

    tau: float
    ends: Interval


def kendall(strata: Sequence[Ranked], *, sampled: int, confidence: float) -> Tau:
    """Kendall's tau-b of x and y over all pairs of units of one stratum, strata pooled.

    A pair counts by the product of its weights, the inverse of its chance to be observed, so that
    numerator and denominator estimate those of all units, not of the sample. With unit weights and
    one stratum it is the ordinary tau-b.

    The interval is Student's with ``sampled`` - 1 degrees of freedom for artanh(tau). With e_ij
    the contribution of a pair to tau, the variance is the sum over units of (sum_j e_ij)^2, less
    the sum over pairs of e_ij^2, which the former counts twice (dyadic-robust variance). There is
    none below ``_SAMPLED`` sampled units or ``_DISCORDANT`` discordant pairs of them.

    Args:
        sampled: number of units that were drawn at random.
        confidence: nominal coverage, in (0, 1).
    Source: Aronow et al., "Cluster-robust variance estimation for dyadic data" (2015).
    """
    pairs = [_pairs(stratum) for stratum in strata if len(stratum.x) > 1]
    sums = np.sum([[p.sum() for p in parts] for parts in pairs], axis=0) if pairs else np.zeros(3)
    concordance, x, y = (float(total) for total in sums)
    if not (x > 0.0 and y > 0.0):
        return Tau(tau=math.nan, ends=Interval(low=math.nan, high=math.nan))
    scale = math.sqrt(x * y)
    tau = concordance / scale
    by_unit = by_pair = 0.0
    for signs, untied_x, untied_y in pairs:
        untied = (untied_x * math.sqrt(y / x) + untied_y * math.sqrt(x / y)) / 2
        share = 2.0 * (signs - tau * untied) / scale
        by_unit += float((share.sum(axis=1) ** 2).sum())
        by_pair += float((share**2).sum()) / 2
    discordant = sum(_discordant(stratum) for stratum in strata)
    if sampled < _SAMPLED or discordant < _DISCORDANT or abs(tau) >= 1.0:
        return Tau(tau=tau, ends=Interval(low=math.nan, high=math.nan))
    variance = max(by_unit - by_pair, by_pair) * sampled / (sampled - 2)
    quantile = scipy.stats.t.isf((1.0 - confidence) / 2, sampled - 1)
    reach = float(quantile) * math.sqrt(variance) / (1.0 - tau**2)
    z = math.atanh(tau)
    return Tau(tau=tau, ends=Interval(low=math.tanh(z - reach), high=math.tanh(z + reach)))


def _pairs(stratum: Ranked) -> tuple[Values, Values, Values]:
    """Weighted sign products, and pairs untied in x and in y, as symmetric matrices."""
    dx, dy = _signs(stratum.x), _signs(stratum.y)
    weight = stratum.weight[:, None] * stratum.weight[None]
    return weight * dx * dy, weight * dx**2, weight * dy**2


def _signs(values: Values) -> Values:
    return np.sign(values[:, None] - values[None])


def _discordant(stratum: Ranked) -> int:
    """Discordant pairs of units with the largest weight, which were drawn at random."""
    drawn = stratum.weight > 1.0 if (stratum.weight > 1.0).any() else stratum.weight >= 1.0
    signs = _signs(stratum.x[drawn]) * _signs(stratum.y[drawn])
    return int((signs < 0).sum()) // 2
