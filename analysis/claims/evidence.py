"""Evidence on a claim: values by seed that are above zero if it holds, and its judgement.

A claim holds if the mean over seeds of every part is above zero. It is supported if each is shown
to be (the largest p decides: an intersection-union test), and contradicted if one of them is shown
to be below zero (Bonferroni over the parts).
"""

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis.intervals import (
    MIN_SEEDS,
    NONE,
    Interval,
    interval,
    mean_and_error,
    one_sided_p,
    skew_safe_t,
)
from analysis.sequential import one_sided_e_values

Verdict = Literal["supported", "contradicted", "undecided", "not asked"]
SUPPORTED: Verdict = "supported"
CONTRADICTED: Verdict = "contradicted"
UNDECIDED: Verdict = "undecided"
NOT_ASKED: Verdict = "not asked"

_MOST_SEEDS = 200
DECISIVE = 40.0
"""E-value that decides a claim in either direction, at 2.5 % each."""
_SHARED = 0.0125  # level of the bound of an error that all seeds share: half of a direction's
_NO_VALUES = pd.Series(dtype="float64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Condition of a claim, as ``values`` by seed whose mean is above zero if it holds.

    Args:
        values: NaN at a seed without a result, which leaves the part without a test.
        symmetric: differences of two networks with noise of one size; else skewed noise is
            allowed for.
        error: standard error that all seeds share, in the unit of the values.
    """

    name: str
    values: pd.Series
    symmetric: bool = True
    error: float = 0.0

    @property
    def complete(self) -> bool:
        """True if there is a test: three seeds, each with a result, a spread, and known errors."""
        error = mean_and_error(self.values.astype("float64"))[1]
        return not math.isnan(error) and not math.isnan(self.error)

    def p(self, sign: float = 1.0) -> float:
        """One-sided p of a mean above zero, or below it with a ``sign`` of -1; NaN without."""
        mean, error = mean_and_error(self.values.astype("float64"))
        if math.isnan(error):
            return math.nan
        noise: Any = {"shared_error": self.error, "symmetric": self.symmetric}
        return one_sided_p(sign * mean, error, len(self.values), **noise)

    def e_value(self, sign: float = 1.0, *, selections: float = 1.0) -> float:
        """E-value of a mean above zero, or below it with a ``sign`` of -1; 1 without a test.

        An error that all seeds share does not average out: it is bounded at half of the level of
        a decision, and the e-value of the rest is halved. The result is at most 40 times the
        ``selections`` that it is divided by, which decides.
        """
        if not self.complete:
            return 1.0
        values = sign * self.values.sort_index().to_numpy(dtype=float)
        bound = self.error * NormalDist().inv_cdf(1.0 - _SHARED / selections)
        e_value = float(one_sided_e_values(values - bound, symmetric=self.symmetric)[-1])
        return e_value if not self.error else min(e_value / 2.0, DECISIVE * selections)

    def more_seeds(self, *, level: float, power: float = 0.8) -> int | None:
        """Additional seeds to show a mean of this size; None if unknown, or over 200 in all."""
        values = self.values.dropna().astype("float64")
        mean, error = mean_and_error(values)
        if math.isnan(error) or not mean:
            return None
        effect = abs(mean) / (error * math.sqrt(len(values)))
        least = max(len(values) + 1, MIN_SEEDS)

        def normal(n: int) -> float:
            return float(scipy.stats.t.isf(level, n - 1))

        def critical(n: int) -> float:
            return normal(n) if self.symmetric else skew_safe_t(n, level)

        def suffices(n: int, value: float) -> bool:
            return float(scipy.stats.nct.sf(value, n - 1, effect * math.sqrt(n))) >= power

        def excess(n: int) -> float:
            return critical(n) / normal(n) - 1.0

        # A value that holds under skew takes up to half a second to simulate. Its excess over the
        # normal value falls about as n^(-3/4), which predicts the number of seeds.
        low, high, at = least - 1, _MOST_SEEDS + 1, len(values)
        while high - low > 1:

            def predicted(n: int, at: int = at) -> bool:
                return suffices(n, normal(n) * (1.0 + excess(at) * (at / n) ** 0.75))

            at = min(low + 1 + bisect_left(range(low + 1, high), True, key=predicted), high - 1)
            low, high = (low, at) if suffices(at, critical(at)) else (at, high)
        return high - len(values) if high <= _MOST_SEEDS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Parts of a claim in one problem of a sweep, and the ``effect`` by seed to print.

    Args:
        effect: in the unit of the claim; NaN at a seed without a result.
        ends: interval of its mean; None for Student's.
        subject: the networks that it is on: "sparsity 90 %, lr 0.001".
        controls: rivals that the parts compare with.
        missing: rivals that the claim asks for and the sweep lacks; they leave it undecided.
        selections: configurations among which the data selected the subject; p is multiplied by
            it, and the e-value divided.
        error: standard error of the mean effect that all seeds share.
        obstacle: reason why it must not be judged whatever the values; empty without one.
    """

    effect: pd.Series = field(default_factory=_NO_VALUES.copy)
    parts: tuple[Part, ...] = ()
    ends: Interval | None = None
    mean: float | None = None
    subject: str = ""
    controls: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    obstacle: str = ""
    selections: float = 1
    error: float = 0.0

    @property
    def judged(self) -> bool:
        """True if there is a test of every part."""
        decisive = not self.missing and not self.obstacle
        return decisive and bool(self.parts) and all(part.complete for part in self.parts)

    @property
    def gaps(self) -> int:
        """Seeds without a result in some part."""
        seeds = [part.values[part.values.isna()].index for part in self.parts]
        return len(set().union(*seeds)) if seeds else 0

    @property
    def interval(self) -> Interval:
        """Interval of the mean effect."""
        if self.ends is not None:
            return self.ends
        if len(self.effect) < MIN_SEEDS:
            return NONE
        return interval(self.effect, shared_error=self.error)

    @property
    def p(self) -> tuple[float, float]:
        """One-sided p of the claim and of its opposite; NaN if not judged."""
        if not self.judged:
            return math.nan, math.nan
        claim = max(part.p() for part in self.parts)
        opposite = len(self.parts) * min(part.p(-1.0) for part in self.parts)
        return min(1.0, self.selections * claim), min(1.0, self.selections * opposite)

    @property
    def e_values(self) -> tuple[float, float]:
        """E-value of the claim and of its opposite; 1 if not judged.

        That of the claim is the least of its parts', and that of the opposite their mean, both
        e-values of the whole. Over the number of selections it is below the mean of all those.
        """
        if not self.judged:
            return 1.0, 1.0
        k = self.selections
        claim = min(part.e_value(selections=k) for part in self.parts)
        opposite = float(np.mean([part.e_value(-1.0, selections=k) for part in self.parts]))
        return claim / k, opposite / k

    def more_seeds(self, *, level: float) -> int | None:
        """Additional seeds for the part that needs most of them; None if unknown."""
        each = [part.more_seeds(level=level / self.selections) for part in self.parts]
        numbers = [number for number in each if number is not None]
        return max(numbers) if each and len(numbers) == len(each) else None


def fieller(
    numerator: npt.ArrayLike, denominator: npt.ArrayLike, *, confidence: float = 0.95
) -> Interval:
    """Interval of the ratio of two means over the same seeds.

    The ratios r with a mean of numerator - r denominator that Student's test does not reject.
    There is none (both ends NaN) below three seeds, or if the denominator's mean is not shown to
    differ from zero, since the ratios are then unbounded.

    Source: Fieller (1954), Some problems in interval estimation.
    """
    y, x = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if len(y) < MIN_SEEDS or not (np.all(np.isfinite(y)) and np.all(np.isfinite(x))):
        return NONE
    n = len(y)
    t2 = float(scipy.stats.t.isf((1.0 - confidence) / 2, n - 1)) ** 2
    (vy, cov), (_, vx) = np.cov(y, x) / n
    a = float(x.mean()) ** 2 - t2 * vx
    b = float(y.mean() * x.mean()) - t2 * cov
    c = float(y.mean()) ** 2 - t2 * vy
    root = b**2 - a * c
    if not a > 0.0 or root < 0.0:
        return NONE
    return Interval(low=(b - math.sqrt(root)) / a, high=(b + math.sqrt(root)) / a)
