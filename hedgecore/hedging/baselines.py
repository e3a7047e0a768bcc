"""Baseline hedges that need no training."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.hedging.pnl import Outcome, settle
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths
from hedgecore.market.payoffs import call
from hedgecore.market.pricing import bs_delta, heston_delta, heston_greeks_on_paths
from hedgecore.registry import lookup

Positions = Float[Tensor, "paths steps"]


def hedge(name: str, study: TicketStudy, paths: MarketPaths) -> Outcome:
    """P&L, cost and turnover of the baseline ``name`` on ``paths``."""
    position = lookup(BASELINES, name, kind="baseline")(study, paths)
    payoff = call(paths.spot[:, -1], study.option.strike)
    return settle(position, paths.spot, payoff, cost=study.cost, market=study.market)


def no_hedge(study: TicketStudy, paths: MarketPaths) -> Positions:
    """No position."""
    return torch.zeros_like(paths.spot[:, :-1])


def static(study: TicketStudy, paths: MarketPaths) -> Positions:
    """Initial Heston delta, bought once and held to maturity."""
    market = study.market
    delta = heston_delta(market.heston, strike=study.option.strike, maturity=market.maturity)
    return torch.full_like(paths.spot[:, :-1], delta)


def bs_delta_initial(study: TicketStudy, paths: MarketPaths) -> Positions:
    """Black-Scholes delta at the volatility sqrt(v_0)."""
    return _black_scholes(study, paths, torch.full_like(paths.spot[:, :-1], study.market.v0))


def bs_delta_current(study: TicketStudy, paths: MarketPaths) -> Positions:
    """Black-Scholes delta at the current volatility, sqrt(v_t)."""
    return _black_scholes(study, paths, paths.variance[:, :-1])


def heston_delta_hedge(study: TicketStudy, paths: MarketPaths) -> Positions:
    """dC/dS of the Heston price."""
    return _greeks(study, paths)[0]


def minimum_variance(study: TicketStudy, paths: MarketPaths) -> Positions:
    """dC/dS + dC/dv rho xi / S: the minimum-variance hedge in the stock alone."""
    delta, vega = _greeks(study, paths)
    market = study.market
    return delta + vega * market.rho * market.xi / paths.spot[:, :-1]


def _greeks(study: TicketStudy, paths: MarketPaths) -> tuple[Tensor, Tensor]:
    return heston_greeks_on_paths(study.market.heston, paths, strike=study.option.strike)


def _black_scholes(study: TicketStudy, paths: MarketPaths, variance: Tensor) -> Positions:
    market = study.market
    spot = paths.spot[:, :-1]
    dates = torch.arange(market.steps, dtype=spot.dtype, device=spot.device) * market.dt
    return bs_delta(
        spot,
        strike=study.option.strike,
        maturity=market.maturity - dates,
        vol=variance.sqrt(),
        rate=market.rate,
        dividend=market.dividend,
    )


BASELINES: Mapping[str, Callable[[TicketStudy, MarketPaths], Positions]] = {
    "no_hedge": no_hedge,
    "static": static,
    "bs_delta_initial": bs_delta_initial,
    "bs_delta_current": bs_delta_current,
    "heston_delta": heston_delta_hedge,
    "minimum_variance": minimum_variance,
}
