"""Closed forms: Black-Scholes for tensors, and Heston's, re-exported from their modules."""

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.market.greeks import HestonGreeks as HestonGreeks
from hedgecore.market.heston_call import heston_call as heston_call
from hedgecore.market.heston_call import heston_delta as heston_delta
from hedgecore.market.heston_call import heston_prob_itm as heston_prob_itm
from hedgecore.market.heston_call import heston_vega_v as heston_vega_v


def bs_call(
    spot: Float[Tensor, "..."],
    *,
    strike: float | Tensor,
    maturity: float | Tensor,
    vol: float | Tensor,
    rate: float = 0.0,
    dividend: float = 0.0,
) -> Float[Tensor, "..."]:
    """Black-Scholes price of a European call, in currency; intrinsic value at zero vol or time.

    Args:
        spot: in currency; strike, maturity and vol broadcast against it.
        strike: in currency.
        maturity: in years.
        vol: annual volatility, a standard deviation.
        rate: risk-free rate, continuously compounded.
        dividend: dividend yield, continuously compounded.
    """
    d1, sd, share, cash = _bs_terms(spot, strike, maturity, vol, rate, dividend)
    return spot * share * torch.special.ndtr(d1) - cash * torch.special.ndtr(d1 - sd)


def bs_delta(
    spot: Float[Tensor, "..."],
    *,
    strike: float | Tensor,
    maturity: float | Tensor,
    vol: float | Tensor,
    rate: float = 0.0,
    dividend: float = 0.0,
) -> Float[Tensor, "..."]:
    """Black-Scholes dC/dS, in shares; a step with 1/2 at the strike at zero vol or time."""
    d1, _, share, _ = _bs_terms(spot, strike, maturity, vol, rate, dividend)
    return share * torch.special.ndtr(d1)


def _bs_terms(
    spot: Tensor,
    strike: float | Tensor,
    maturity: float | Tensor,
    vol: float | Tensor,
    rate: float,
    dividend: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    time, strike, vol = (
        torch.as_tensor(value, dtype=spot.dtype, device=spot.device)
        for value in (maturity, strike, vol)
    )
    share, cash = torch.exp(-dividend * time), strike * torch.exp(-rate * time)
    sd = vol * time.clamp(min=0.0).sqrt()
    x = torch.log(spot * share / cash)
    # The floor stands for 0: at the strike d1 is then 0, elsewhere beyond +-1e6.
    floor = torch.finfo(spot.dtype).tiny ** 0.5
    return x / sd.clamp(min=floor) + sd / 2, sd, share, cash
