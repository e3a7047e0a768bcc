"""Validation of simulated paths against exact results of the model.

``python -m hedgecore.market.validation`` prints the report of every scheme.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from hedgecore import rng
from hedgecore.market.heston import SCHEMES, HestonParams, simulate
from hedgecore.market.paths import MarketPaths
from hedgecore.market.payoffs import call
from hedgecore.market.pricing import heston_call, heston_prob_itm


@dataclass(frozen=True, slots=True)
class Check:
    """Check of one quantity: realised on the paths, and exact.

    Args:
        name: name of the quantity.
        realised: its value on the paths.
        standard_error: standard error of ``realised``.
        exact: its exact value in the model.
    """

    name: str
    realised: float
    standard_error: float
    exact: float

    @property
    def z(self) -> float:
        """Difference in standard errors."""
        difference = self.realised - self.exact
        # A deterministic quantity may still have rounding errors.
        if abs(difference) <= 1e-9 * max(1.0, abs(self.exact)):
            return 0.0
        return difference / self.standard_error if self.standard_error > 0 else math.inf

    def __str__(self) -> str:
        return (
            f"{self.name:<22}{self.realised:>13.6g}{self.standard_error:>12.2g}"
            f"{self.exact:>13.6g}{self.z:>8.2f}"
        )


@dataclass(frozen=True, slots=True)
class Validation:
    """Checks of one set of paths."""

    checks: tuple[Check, ...]

    def __getitem__(self, name: str) -> Check:
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"no check {name!r}; known: {', '.join(c.name for c in self.checks)}")

    def __str__(self) -> str:
        head = f"{'':<22}{'realised':>13}{'std. error':>12}{'exact':>13}{'z':>8}"
        return "\n".join([head, *map(str, self.checks)])


def validate(
    params: HestonParams, paths: MarketPaths, *, strikes: Sequence[float] = (95, 100, 105)
) -> Validation:
    """Prices, probabilities, moments and correlation realised on ``paths``, against exact ones.

    The martingale property and the moments of the variance do not detect a spot that ignores the
    shocks of the variance; the correlation, calls away from the money and probabilities do.

    Args:
        params: the model to check against.
        paths: the paths, in float64 for checks sharper than 1e-6.
        strikes: in currency.
    """
    time = paths.maturity
    spot, variance = paths.spot[:, -1].double(), paths.variance[:, -1].double()
    discount, mean = math.exp(-params.rate * time), params.variance_mean(time)
    forward = math.exp(-params.drift * time)
    checks = [_mean("discounted S_T", spot * forward, params.spot)]
    for k in strikes:
        price = heston_call(params, strike=k, maturity=time)
        checks.append(_mean(f"call K={k:g}", discount * call(spot, k), price))
    for k in strikes:
        probability = heston_prob_itm(params, strike=k, maturity=time)
        checks.append(_mean(f"P(S_T > {k:g})", (spot > k).double(), probability))
    squares = (variance - mean).square()
    checks.append(_mean("E[v_T]", variance, mean))
    checks.append(_mean("Var[v_T]", squares, params.variance_variance(time)))
    if not params.deterministic_variance:
        checks.append(_correlation(params, paths))
    return Validation(tuple(checks))


def _mean(name: str, sample: Float[Tensor, " paths"], exact: float) -> Check:
    error = float(sample.std()) / math.sqrt(sample.numel()) if sample.numel() > 1 else math.inf
    return Check(name, float(sample.mean()), error, exact)


def _correlation(params: HestonParams, paths: MarketPaths) -> Check:
    """Realised corr(d ln S, dv) of the steps, and its exact value for steps of this length.

    The compensated steps dv - E[dv] and d ln S - E[d ln S] are used, so that mean reversion does
    not blur the figure. Its exact value is rho up to terms of order dt: d ln S = ... + (rho/xi)
    (v' - v - kappa v_bar dt + kappa IV) - IV/2 gives E[d ln S dv | v] in closed form.
    """
    dt = paths.dt
    v, after = paths.variance[:, :-1].double(), paths.variance[:, 1:].double()
    decay = math.exp(-params.kappa * dt)
    slope, level = params.integrated_variance_line(dt)
    dv = after - v * decay - params.kappa * params.v_bar * params.decay_time(dt)
    dx = paths.spot.double().log().diff(dim=1) - params.drift * dt + (v * slope + level) / 2
    # Average over steps within a path first, as the steps of a path are not independent.
    xv, xx, vv = ((a * b).mean(dim=1) for a, b in ((dx, dv), (dx, dx), (dv, dv)))
    scale = math.sqrt(float(xx.mean()) * float(vv.mean()))
    realised = float(xv.mean()) / scale if scale > 0 else math.nan
    influence = xv / scale - realised * (xx / xx.mean() + vv / vv.mean()) / 2
    error = float(influence.std()) / math.sqrt(len(xv))
    return Check("corr(d ln S, dv)", realised, error, _step_correlation(params, paths))


def _step_correlation(params: HestonParams, paths: MarketPaths) -> float:
    """E[dx dv] / sqrt(E[dx^2] E[dv^2]) of the compensated steps, averaged over the dates."""
    kappa, xi, rho, dt = params.kappa, params.xi, params.rho, paths.dt
    xv = xx = vv = 0.0
    # Given v: dv = xi int e^{-kappa (dt - s)} sqrt(v) dW2, IV - E[IV] = xi int beta(s) sqrt(v) dW2
    # with beta = (1 - e^{-kappa (dt - s)}) / kappa, and dx = int sqrt(v) dW1 - (IV - E[IV])/2. By
    # Ito's isometry each second moment is an integral of E[v_s] against a weight, here by
    # Gauss-Legendre.
    nodes, weights = np.polynomial.legendre.leggauss(8)  # on [-1, 1]
    for i in range(paths.steps):
        start = params.variance_mean(i * dt)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            remainder = dt * (1.0 - node)
            v = params.v_bar + (start - params.v_bar) * math.exp(-kappa * dt * node)
            beta, gain = params.decay_time(remainder), xi * math.exp(-kappa * remainder)
            half = xi * beta / 2
            xx += weight * v * (1.0 - 2.0 * rho * half + half * half)
            xv += weight * v * gain * (rho - half)
            vv += weight * v * gain * gain
    return xv / math.sqrt(xx * vv) if xx * vv > 0 else math.nan


NOTEBOOK = HestonParams(
    spot=100.0, v0=0.0175, kappa=1.5768, v_bar=0.0398, xi=0.5751, rho=-0.5711, rate=0.02
)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the report of every scheme for the notebook's parameters."""
    parser = argparse.ArgumentParser(description="Simulated Heston paths against closed forms.")
    parser.add_argument("--paths", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    for name in SCHEMES:
        paths = simulate(
            NOTEBOOK,
            paths=arguments.paths,
            steps=30,
            maturity=0.0833,
            scheme=name,
            generator=rng.stream(arguments.seed, "validation", name),
        )
        print(f"{name}\n{validate(NOTEBOOK, paths)}\n")


if __name__ == "__main__":
    main()
