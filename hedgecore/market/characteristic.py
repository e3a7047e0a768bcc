"""Heston's characteristic function and the Lewis integrals over it."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hedgecore.market.params import HestonParams

Complex = NDArray[np.complexfloating]

_TOLERANCE = 1e-12
# Accepted error of a price where rounding prevents convergence to the tolerance above.
_ACCEPTABLE = 1e-10
_LARGEST_TILT = math.pi / 12


def exponents(params: HestonParams, u: Complex, maturity: float) -> tuple[Complex, Complex]:
    """(C, D) of the characteristic function E[exp(iu X)] = exp(C + D v0) of X = ln(S_T / forward).

    The "little trap" form, in which the logarithm stays on its principal branch; differences that
    cancel for small xi are expanded, so that the limit xi -> 0 has full precision.

    Source: Albrecher, Mayer, Schoutens and Tistaert (2007).
    """
    kappa, xi, t = params.kappa, params.xi, maturity
    quadratic = 1j * u + u * u
    if params.deterministic_variance:
        slope, level = params.integrated_variance_line(t)
        return -quadratic * level / 2, -quadratic * slope / 2
    b = kappa - 1j * params.rho * xi * u
    # b^2 + xi^2 quadratic, expanded: for |rho| near 1 the two would cancel
    across = xi * xi * (1.0 - params.rho**2)
    d = np.sqrt(kappa * kappa + 1j * u * (xi * (xi - 2.0 * kappa * params.rho)) + across * u * u)
    # b - d = -xi^2 quadratic / (b + d)
    total = b + d
    g = -(xi * xi) * quadratic / (total * total)
    decay = -np.expm1(-d * t)
    slope_d = -quadratic * decay / (total * (1.0 - g * (1.0 - decay)))
    # (b - d) T - 2 ln((1 - g e^{-dT}) / (1 - g)), over xi^2
    log = _log1p(g * decay / (1.0 - g))
    level_c = kappa * params.v_bar * (-quadratic * t / total - 2.0 * log / xi**2)
    return level_c, slope_d


def lewis(
    params: HestonParams,
    kernel: Callable[[Complex, Complex], Complex],
    *,
    log_moneyness: float,
    maturity: float,
) -> float:
    """Integral over z > 0 of Re[exp(izx) phi(z - i/2) kernel(z, D)] for log-moneyness x.

    Double-exponential quadrature, refined until it converges. Where x and the asymptotic phase
    have the same sign, the contour is tilted towards the direction in which the integrand decays
    without oscillating.

    Args:
        params: the model.
        kernel: the rational factor, given z and D(z - i/2).
        log_moneyness: x = ln(forward / strike).
        maturity: in years.
    Raises:
        ArithmeticError: the quadrature does not converge.
    Source: Lewis (2001); contour and quadrature after Andersen and Lake (2018).
    """
    x = log_moneyness
    # phi decays like exp(-(sqrt(1 - rho^2) + i rho) z mass) for large z.
    mass = (params.v0 + params.kappa * params.v_bar * maturity) / max(params.xi, 1e-300)
    phase = x - params.rho * mass
    total = params.integrated_variance_mean(maturity)
    if x * phase >= 0:
        angle = math.copysign(_LARGEST_TILT, phase)
    elif abs(params.rho) < 0.99:
        angle = 0.0
    else:
        # Only the tilt makes the integrand decay; this much costs at most e^3 near the origin.
        angle = math.copysign(min(_LARGEST_TILT, math.sqrt(6.0 * total) / abs(x)), phase)
    direction = complex(math.cos(angle), math.sin(angle))
    scale = 1.0 / math.sqrt(max(total, 1e-30))

    def integrand(t: NDArray[np.floating]) -> NDArray[np.floating]:
        # z = scale exp(2 sinh t)
        s = scale * np.exp(2.0 * np.sinh(t))
        z = s * direction
        c, d = exponents(params, z - 0.5j, maturity)
        value = np.exp(1j * z * x + c + d * params.v0) * kernel(z, d)
        return np.real(value * direction) * s * 2.0 * np.cosh(t)

    lower, upper = -3.7, 3.5
    count = 128
    step = (upper - lower) / count
    total_sum = float(integrand(lower + step * np.arange(count + 1)).sum())
    previous, change = step * total_sum, math.inf
    while count < 2**17:
        total_sum += float(integrand(lower + step * (np.arange(count) + 0.5)).sum())
        step, count = step / 2, count * 2
        current = step * total_sum
        change, previous = abs(current - previous), current
        if change <= _TOLERANCE * max(1.0, abs(current)):
            return current
    if change <= _ACCEPTABLE * max(1.0, abs(previous)):
        return previous
    raise ArithmeticError(
        f"the pricing integral does not settle for {params} with log-moneyness {x:.6g} and "
        f"maturity {maturity:.6g}; take a strike nearer the spot, or a rho off +-1"
    )


def _log1p(z: Complex) -> Complex:
    # numpy's own rounds 1 + z first.
    x, y = z.real, z.imag
    return 0.5 * np.log1p(2.0 * x + x * x + y * y) + 1j * np.arctan2(y, 1.0 + x)
