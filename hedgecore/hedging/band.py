"""No-trade band around the minimum-variance delta: trade only to the edge that was passed.

The half-width in shares follows the law of Whalley and Wilmott (1997), the leading order for
small proportional costs c of the optimal hedge under a constant risk aversion lambda,

    H = (3/2 c S Gamma^2 / lambda)^(1/3),    in which lambda^(-1/3) is fitted (``scale``),

plus a ``floor``: the law has no width where Gamma vanishes, whereas trading costs there as
elsewhere (Zakamouline, 2006, adds such a term). Both are multiplied by c^(1/3), so that the band
closes with the cost. They minimise the study's risk on the validation paths.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.hedging.pnl import settle
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths
from hedgecore.market.payoffs import call
from hedgecore.market.pricing import HestonGreeks
from hedgecore.risk import risk

Positions = Float[Tensor, "paths steps"]

# d H / d Gamma is infinite at 0.
_LEAST_GAMMA = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Parameters of the half-width c^(1/3) (scale (3/2 S Gamma^2)^(1/3) + floor), in shares.

    Args:
        scale: lambda^(-1/3), lambda per unit of currency; 0 for no band.
        floor: half-width without Gamma at a cost of 1, in shares.
    """

    scale: float
    floor: float

    def half_width(self, spot: Positions, gamma: Positions, *, cost: float) -> Positions:
        """Largest distance from the target that is not traded, in shares.

        Args:
            spot: in currency.
            gamma: d2C/dS2, in shares per unit of currency.
            cost: proportional cost, a share of traded notional.
        """
        law = (1.5 * spot).pow(1 / 3) * gamma.clamp(min=_LEAST_GAMMA).pow(2 / 3)
        return cost ** (1 / 3) * (self.scale * law + self.floor)

    def positions(
        self, study: TicketStudy, greeks: HestonGreeks, spot: Positions, vol: Positions
    ) -> Positions:
        """Shares held between trading dates; the first trade is from 0 to the edge too."""
        at = greeks.at(spot, vol.square())
        half_width = self.half_width(spot, at.gamma, cost=study.cost.proportional)
        return within(at.minimum_variance, half_width)


def within(target: Positions, half_width: Positions) -> Positions:
    """Positions that start at 0 and move only to the nearest point of target +- half_width."""
    position, held = torch.zeros_like(target[:, 0]), []
    for low, high in zip(
        (target - half_width).unbind(1), (target + half_width).unbind(1), strict=True
    ):
        position = torch.minimum(torch.maximum(position, low), high)
        held.append(position)
    return torch.stack(held, dim=1)


def fitted(study: TicketStudy, greeks: HestonGreeks, paths: MarketPaths) -> Band:
    """Band with the least risk of the study on ``paths``; that of width 0 if none is better.

    Nelder and Mead's search from a fixed simplex, in units of the cube root of the sd of the
    minimum-variance hedge's P&L, which is the order of lambda^(-1/3).
    """
    cost, none = study.cost.proportional, Band(scale=0.0, floor=0.0)
    if cost == 0:
        return none
    spot = paths.spot[:, :-1]
    at = greeks.at(spot, paths.variance[:, :-1])
    target, gamma = at.minimum_variance, at.gamma
    payoff = call(paths.spot[:, -1], study.option.strike)

    def pnl(band: Band) -> Float[Tensor, " paths"]:
        held = within(target, band.half_width(spot, gamma, cost=cost))
        return settle(held, paths.spot, payoff, cost=study.cost, market=study.market).pnl.double()

    def loss(band: Band) -> float:
        return float(risk(study.risk.measure, pnl(band)))

    unit = float(pnl(none).std()) ** (1 / 3)

    # Imports in a second, which studies with stored baselines need not spend.
    from scipy.optimize import minimize

    found = minimize(
        lambda x: loss(Band(scale=unit * x[0], floor=x[1])),
        (1.0, 0.0),
        method="Nelder-Mead",
        bounds=((0.0, None), (0.0, None)),
        options={
            "initial_simplex": ((0.5, 0.0), (1.5, 0.0), (1.0, 0.2)),
            "xatol": 1e-3,
            "fatol": 1e-5,
            "maxfev": 100,
        },
    )
    best = Band(scale=unit * float(found.x[0]), floor=float(found.x[1]))
    return best if loss(best) < loss(none) else none
