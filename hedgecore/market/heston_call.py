"""Heston's European call: price, sensitivities and probability, each by one Lewis integral.

On the shifted contour the payoff contributes the kernel 1 / (z^2 + 1/4); a derivative in the spot
multiplies it by 1/2 + iz, one in the strike by 1/2 - iz, one in v0 by D.
"""

import math

from hedgecore.market.characteristic import lewis
from hedgecore.market.params import HestonParams


def heston_call(params: HestonParams, *, strike: float, maturity: float) -> float:
    """Price of a European call today, in currency, to 1e-8.

    Args:
        params: the model.
        strike: in currency.
        maturity: in years.
    Raises:
        ValueError: strike or maturity not positive. ArithmeticError: the integral does not
            converge, which requires ``abs(rho)`` 1 and an extreme strike.
    Source: Lewis (2001).
    """
    x, spot, cash = _terms(params, strike, maturity)
    if (normal := _normal(params, x, maturity)) is not None:
        price = spot * _ndtr(normal[0]) - cash * _ndtr(normal[1])
    else:
        integral = lewis(
            params, lambda z, d: 1.0 / (z * z + 0.25), log_moneyness=x, maturity=maturity
        )
        price = spot - cash * math.exp(x / 2) * integral / math.pi
    return min(max(price, spot - cash, 0.0), spot)


def heston_delta(params: HestonParams, *, strike: float, maturity: float) -> float:
    """dC/dS of a European call, in shares."""
    x, spot, _ = _terms(params, strike, maturity)
    if (normal := _normal(params, x, maturity)) is not None:
        return spot / params.spot * _ndtr(normal[0])
    integral = lewis(params, lambda z, d: 1.0 / (0.5 - 1j * z), log_moneyness=x, maturity=maturity)
    probability = 1.0 - math.exp(-x / 2) * integral / math.pi
    return spot / params.spot * min(max(probability, 0.0), 1.0)


def heston_vega_v(params: HestonParams, *, strike: float, maturity: float) -> float:
    """dC/dv0 of a European call, in currency per unit of annual variance."""
    x, spot, cash = _terms(params, strike, maturity)
    if (normal := _normal(params, x, maturity)) is not None:
        d1, d2 = normal
        density = math.exp(-d1 * d1 / 2) / math.sqrt(2.0 * math.pi)
        return spot * density * params.decay_time(maturity) / (2.0 * (d1 - d2)) if density else 0.0
    integral = lewis(params, lambda z, d: d / (z * z + 0.25), log_moneyness=x, maturity=maturity)
    return -cash * math.exp(x / 2) * integral / math.pi


def heston_prob_itm(params: HestonParams, *, strike: float, maturity: float) -> float:
    """P(S_T > strike) under the pricing measure."""
    x, _, _ = _terms(params, strike, maturity)
    if (normal := _normal(params, x, maturity)) is not None:
        return _ndtr(normal[1])
    integral = lewis(params, lambda z, d: 1.0 / (0.5 + 1j * z), log_moneyness=x, maturity=maturity)
    return min(max(math.exp(x / 2) * integral / math.pi, 0.0), 1.0)


def _terms(params: HestonParams, strike: float, maturity: float) -> tuple[float, float, float]:
    """Log-moneyness of the forward, and present values of the share and the strike at maturity."""
    for name, value in (("strike", strike), ("maturity", maturity)):
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name} must be positive and finite, got {value}")
    spot = params.spot * math.exp(-params.dividend * maturity)
    cash = strike * math.exp(-params.rate * maturity)
    return math.log(spot / cash), spot, cash


def _normal(params: HestonParams, x: float, maturity: float) -> tuple[float, float] | None:
    """(d1, d2) where the log spot is normal: xi is 0, or no variance remains."""
    total = params.integrated_variance_mean(maturity)
    if not (params.deterministic_variance or total < 1e-20):
        return None
    sd = math.sqrt(max(total, 1e-40))
    return x / sd + sd / 2, x / sd - sd / 2


def _ndtr(d: float) -> float:
    return 0.5 * math.erfc(-d / math.sqrt(2.0))
