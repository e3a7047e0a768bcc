"""Baseline hedges without trained weights, differentiable in what they observe.

Each reads spot and volatility from the same features as the network, so that every threat model
applies to it: an attack on the path moves both, and P&L with them; an attack on observations moves
only the hedge's reading of them. All use the parameters of the study's own market in every market.
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.hedging.features import EXOGENOUS_NAMES, Standardisation
from hedgecore.hedging.network import Recall, Strategy
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.pricing import HestonGreeks, bs_delta, heston_delta

Positions = Float[Tensor, "paths steps"]
Rule = Callable[[TicketStudy, HestonGreeks, Positions, Positions], Positions]
"""Study, Greeks, spot and volatility at the trading dates -> shares held."""

MINIMUM_VARIANCE = "minimum_variance"

_LOG_MONEYNESS = EXOGENOUS_NAMES.index("log_moneyness")
_VOLATILITY = EXOGENOUS_NAMES.index("volatility")


class BaselineHedge(Strategy):
    """Hedge by ``rule``; its parameters are empty."""

    def __init__(
        self,
        study: TicketStudy,
        standardisation: Standardisation,
        rule: Callable[[Positions, Positions], Positions],
    ) -> None:
        super().__init__(standardisation)
        self._strike, self._rule = study.option.strike, rule

    def forward(
        self,
        exogenous: Float[Tensor, "paths steps 5"],
        spot: Float[Tensor, "paths steps+1"],
        recall: Recall | None = None,
    ) -> Float[Tensor, "paths steps"]:
        """Shares held from every trading date to the next; ``recall`` is unused."""
        observed = self._strike * exogenous[..., _LOG_MONEYNESS].exp()
        position = self._rule(observed, exogenous[..., _VOLATILITY])
        # An attack asks for the gradient of a constant position too, which is 0.
        return position + 0 * observed


def tabulated(study: TicketStudy, *, largest_variance: float) -> HestonGreeks:
    """Greeks of the study's option in its own market, up to ``largest_variance``."""
    market = study.market
    return HestonGreeks(
        market.heston,
        strike=study.option.strike,
        maturity=market.maturity,
        steps=market.steps,
        largest_variance=largest_variance,
    )


def no_hedge(
    study: TicketStudy, greeks: HestonGreeks, spot: Positions, vol: Positions
) -> Positions:
    """No position."""
    return torch.zeros_like(spot)


def static(study: TicketStudy, greeks: HestonGreeks, spot: Positions, vol: Positions) -> Positions:
    """Initial Heston delta, bought once and held to maturity."""
    market = study.market
    delta = heston_delta(market.heston, strike=study.option.strike, maturity=market.maturity)
    return torch.full_like(spot, delta)


def bs_delta_initial(
    study: TicketStudy, greeks: HestonGreeks, spot: Positions, vol: Positions
) -> Positions:
    """Black-Scholes delta at the volatility sqrt(v_0)."""
    return black_scholes(study, spot, torch.full_like(spot, study.market.v0**0.5))


def bs_delta_current(
    study: TicketStudy, greeks: HestonGreeks, spot: Positions, vol: Positions
) -> Positions:
    """Black-Scholes delta at the current volatility, sqrt(v_t)."""
    return black_scholes(study, spot, vol)


def heston_delta_hedge(
    study: TicketStudy, greeks: HestonGreeks, spot: Positions, vol: Positions
) -> Positions:
    """dC/dS of the Heston price."""
    return greeks.at(spot, vol.square()).delta


def minimum_variance(
    study: TicketStudy, greeks: HestonGreeks, spot: Positions, vol: Positions
) -> Positions:
    """dC/dS + dC/dv rho xi / S: the minimum-variance hedge in the stock alone."""
    return greeks.at(spot, vol.square()).minimum_variance


def black_scholes(study: TicketStudy, spot: Positions, vol: Positions) -> Positions:
    """Black-Scholes delta at the volatility ``vol``."""
    market = study.market
    dates = torch.arange(market.steps, dtype=spot.dtype, device=spot.device) * market.dt
    return bs_delta(
        spot,
        strike=study.option.strike,
        maturity=market.maturity - dates,
        vol=vol,
        rate=market.rate,
        dividend=market.dividend,
    )


BASELINES: Mapping[str, Rule] = {
    "no_hedge": no_hedge,
    "static": static,
    "bs_delta_initial": bs_delta_initial,
    "bs_delta_current": bs_delta_current,
    "heston_delta": heston_delta_hedge,
    MINIMUM_VARIANCE: minimum_variance,
}
