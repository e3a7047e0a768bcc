"""Heston model: parameters and exact moments of the variance."""

import math
from dataclasses import dataclass, fields

# Below this vol-of-vol the variance is treated as deterministic: the effect of xi on a price is of
# order xi and so lost in rounding, while the formulas divide by it.
DETERMINISTIC_XI = 1e-8


@dataclass(frozen=True, slots=True)
class HestonParams:
    """Heston's model under the pricing measure.

    dS = (rate - dividend) S dt + sqrt(v) S dW1,  dv = kappa (v_bar - v) dt + xi sqrt(v) dW2,
    d<W1, W2> = rho dt. Rates and variances are annual, time is in years.

    Args:
        spot: S at time 0, in currency.
        v0: variance at time 0.
        kappa: speed of mean reversion, per year; 0 switches the drift of the variance off.
        v_bar: long-run variance.
        xi: volatility of variance; 0 makes the variance deterministic.
        rho: correlation of the two Brownian motions.
        rate: risk-free rate, continuously compounded.
        dividend: dividend yield, continuously compounded.
    Raises:
        TypeError: a field that is not a number.
        ValueError: a field outside its range, or not finite.
    Source: Heston (1993).
    """

    spot: float
    v0: float
    kappa: float
    v_bar: float
    xi: float
    rho: float
    rate: float = 0.0
    dividend: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{field.name} must be a number, got {value!r}")
            if not math.isfinite(value):
                raise ValueError(f"{field.name} must be finite, got {value}")
        if self.spot <= 0:
            raise ValueError(f"spot must be positive, got {self.spot}")
        for name in ("v0", "kappa", "v_bar", "xi"):
            value = getattr(self, name)
            if value < 0:
                raise ValueError(f"{name} must not be negative, got {value}; it is annual")
        if abs(self.rho) > 1:
            raise ValueError(f"rho must lie in [-1, 1], got {self.rho}; it is a correlation")

    @property
    def drift(self) -> float:
        """Growth rate of the forward, per year."""
        return self.rate - self.dividend

    @property
    def deterministic_variance(self) -> bool:
        """True if xi is so small that the variance is treated as deterministic."""
        return self.xi < DETERMINISTIC_XI

    def decay_time(self, t: float) -> float:
        """(1 - exp(-kappa t)) / kappa in years, and t itself where kappa is 0."""
        return -math.expm1(-self.kappa * t) / self.kappa if self.kappa * t > 0 else t

    def variance_mean(self, t: float) -> float:
        """E[v_t], annual variance."""
        decay = math.exp(-self.kappa * t)
        return self.v0 * decay + self.kappa * self.v_bar * self.decay_time(t)

    def variance_variance(self, t: float) -> float:
        """Var[v_t], squared annual variance."""
        decay, b = math.exp(-self.kappa * t), self.decay_time(t)
        return self.xi**2 * (self.v0 * decay * b + self.kappa * self.v_bar * b * b / 2)

    def integrated_variance_mean(self, t: float) -> float:
        """Mean of the integral of v over [0, t]: to leading order, Var[ln S_t]."""
        slope, level = self.integrated_variance_line(t)
        return slope * self.v0 + level

    def integrated_variance_line(self, t: float) -> tuple[float, float]:
        """(a, b) such that E[integral of v over [0, t] | v_0 = v] = a v + b."""
        b = self.decay_time(t)
        x = self.kappa * t
        # t - b loses every digit for small kappa t; its series begins kappa t^2 / 2.
        gap = t - b if x > 1e-3 else t * x * (0.5 - x / 6 + x * x / 24)
        return b, self.v_bar * gap
