"""CVaR estimated with a control variate: a hedge without training whose CVaR is well known.

CVaR is the mean of a path's influence, psi(x) = q - (q - x)^+ / tail at the quantile q of P&L x.
With the P&L y of a control on the same n paths, its quantile q_c and mean influence mu from a
pilot of m other, independent paths, and g(y) = q_c - (q_c - y)^+ / tail,

    estimate = mean psi(x) - beta (mean g(y) - mu),
    beta     = Cov(psi, g) / (Var(g) (1 + n / m)),

where beta minimises the variance, that of mu included:

    variance = Var(psi - beta g) / n + beta^2 Var(g) / m.

g is fixed before the n paths are seen, so for every fixed beta the estimate has the mean of the
plain one. Estimating beta on the same paths adds a bias of order 1 / n, like that of the plain
estimate. With correlation rho of the two influences, the variance is 1 - rho^2 m / (m + n) of
the plain one.

Source: Glasserman (2004), section 4.1; Hesterberg and Nelson (1998) for quantiles; Rockafellar and
Uryasev (2002) for CVaR as a mean.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.risk import CVaR, cvar, cvar_influence


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """Statistics of a control's P&L on its own paths.

    Args:
        tail: share of worst paths.
        quantile: P&L on the boundary of the tail, in currency.
        cvar: mean P&L of the tail, in currency: the mean of g.
        variance: of g over paths.
        paths: number of paths.
    """

    tail: float
    quantile: float
    cvar: float
    variance: float
    paths: int

    @classmethod
    def of(cls, pnl: Float[Tensor, " paths"], *, tail: float) -> "Pilot":
        """Statistics of ``pnl``."""
        pnl = pnl.double()
        return cls(
            tail=tail,
            quantile=-float(CVaR(tail).optimal_y(pnl)),
            cvar=float(cvar(pnl, tail=tail)),
            variance=float(cvar_influence(pnl, tail=tail).var()),
            paths=len(pnl),
        )

    def influence(self, pnl: Float[Tensor, " paths"]) -> Float[Tensor, " paths"]:
        """g of every path: its mean over the pilot is ``cvar``."""
        return self.quantile - torch.relu(self.quantile - pnl) / self.tail


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlledCVaR:
    """CVaR with a control variate.

    Args:
        value: in currency, larger is better.
        se: standard error, in currency.
        gain: variance of the plain estimate over that of this one: the plain estimate needs this
            many times as many paths.
    """

    value: float
    se: float
    gain: float


def controlled_cvar(
    pnl: Float[Tensor, " paths"], control: Float[Tensor, " paths"], *, pilot: Pilot
) -> ControlledCVaR:
    """CVaR of ``pnl`` at the pilot's tail, given the P&L of the control on the same paths.

    A control without variance in the tail changes nothing.
    """
    pnl, control = pnl.detach().double(), control.detach().double()
    plain, psi = cvar(pnl, tail=pilot.tail), cvar_influence(pnl, tail=pilot.tail)
    g, n, m = pilot.influence(control), len(pnl), pilot.paths
    covariance = torch.cov(torch.stack([psi, g]))
    spread = float(covariance[1, 1])
    beta = float(covariance[0, 1]) / (spread * (1 + n / m)) if spread > 0 else 0.0
    variance = float((psi - beta * g).var()) / n + beta**2 * pilot.variance / m
    plain_variance = float(covariance[0, 0]) / n
    return ControlledCVaR(
        value=float(plain) - beta * (float(g.mean()) - pilot.cvar),
        se=variance**0.5,
        gain=plain_variance / variance if variance > 0 else 1.0,
    )
