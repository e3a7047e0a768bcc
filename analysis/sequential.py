"""E-process of Student's t: evidence against a mean of zero that may be read after every seed.

A 95 % interval read after each of 4 to 40 seeds excludes a true zero in 27 % of studies. The
e-process of a mean of zero exceeds 1 / level at any time with a probability of at most ``level``,
so a study may add seeds until it decides.
"""

import numpy as np
import numpy.typing as npt
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis.arguments import numbers
from analysis.intervals import skew_safe_p

PRIOR_VARIANCE = 1.0
"""Variance of the effect, in standard deviations between seeds, under the alternative."""

Floats = npt.NDArray[np.float64]


def e_values(differences: npt.ArrayLike) -> Floats:
    """E-value of a mean other than zero after each of the ``differences``; 1 after the first.

    The Bayes factor of effects delta = mean / sd ~ N(0, g) against delta = 0, with the
    right-invariant prior 1 / sd on the standard deviation, is, with n values and nu = n - 1,

        E_n = (1 + n g)^(-1/2) ((1 + t^2 / nu) / (1 + t^2 / (nu (1 + n g))))^(n/2)

    It depends on the values by Student's t only, and is a martingale if their mean is zero and
    they are normal, whatever their standard deviation.

    Args:
        differences: one per seed in the order of the study; finite.
    Raises:
        ValueError: a difference is not finite.
    Source: Rouder et al. (2009), Bayesian t tests, equation 1 with a normal prior; Hendriksen,
        de Heide and Gruenwald (2021), Optional stopping with Bayes factors.
    """
    n, t = _statistics(differences)
    return _bayes_factor(n, t)


def one_sided_e_values(differences: npt.ArrayLike, *, symmetric: bool = True) -> Floats:
    """E-value of a mean above zero after each of the ``differences``, as :func:`e_values`.

    The effects of the alternative are positive, delta ~ N(0, g) given delta > 0: the two-sided
    value times twice the posterior probability of delta > 0. It is valid for any mean up to zero.

    Args:
        symmetric: the noise is symmetric; else every t is replaced by that of the normal noise
            with the p of :func:`analysis.intervals.skew_safe_p`.
    """
    n, t = _statistics(differences)
    if not symmetric:
        some = n > 2
        p = [skew_safe_p(one, int(size)) for one, size in zip(t[some], n[some], strict=True)]
        t[some] = scipy.stats.t.isf(np.minimum(p, 1.0 - 1e-9), n[some] - 1)
    shrink = 1.0 + n * PRIOR_VARIANCE
    nu = np.maximum(n - 1, 1)
    # Given h = 1 / sd, delta ~ N(n g h mean / (1 + n g), g / (1 + n g)), and h^2 is a gamma
    # variable of n / 2 degrees: the sign of delta has Student's distribution of n degrees.
    quantile = t * np.sqrt(n * PRIOR_VARIANCE / shrink) * np.sqrt(n / (nu + t**2 / shrink))
    return 2.0 * _bayes_factor(n, t) * scipy.stats.t.cdf(quantile, n)


def _statistics(differences: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], Floats]:
    """Number of values and Student's t after each; 0 for values without a spread."""
    x = numbers("differences", differences)
    if not np.all(np.isfinite(x)):
        raise ValueError(f"differences must be finite, got {x.tolist()}; leave such seeds out")
    n = np.arange(1, x.size + 1)
    mean = np.cumsum(x) / n
    # Welford's sums, since squares of nearly equal values cancel.
    squares = np.cumsum((x - np.concatenate(([0.0], mean[:-1]))) * (x - mean))
    squares[:1] = 0.0
    # Equal results differ by rounding at most.
    spread = np.sqrt(squares) > 1e-12 * np.sqrt(n) * np.abs(x).max(initial=0.0)
    error = np.sqrt(squares / np.maximum(n - 1, 1) / n)
    return n, np.divide(mean, error, out=np.zeros_like(mean), where=spread)


def _bayes_factor(n: npt.NDArray[np.int64], t: Floats) -> Floats:
    shrink = 1.0 + n * PRIOR_VARIANCE
    ratio = t**2 / np.maximum(n - 1, 1)
    log_e = 0.5 * n * (np.log1p(ratio) - np.log1p(ratio / shrink)) - 0.5 * np.log(shrink)
    # Values without a spread, such as the first, are no evidence.
    return np.where((n > 1) & (t != 0.0), np.exp(np.minimum(log_e, 700.0)), 1.0)
