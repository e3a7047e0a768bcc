"""Terminal P&L of a hedged short option.

    PnL = sum_t delta_t (S_{t+1} - S_t) - Z - c [ |delta_0| S_0 + sum_t |delta_t - delta_{t-1}| S_t
    + |delta_last| S_T ]

in currency, the price received for the option not included. Without financing there is no
discounting, as in the deep-hedging literature. With financing every cash flow is discounted to
today: shares are bought with borrowed cash, dividends are reinvested, and a perfect hedge without
costs has a mean of exactly minus the price.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.hedging.config import CostConfig, MarketConfig


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a hedge per path: P&L and cost in currency, turnover in shares."""

    pnl: Float[Tensor, " paths"]
    cost: Float[Tensor, " paths"]
    turnover: Float[Tensor, " paths"]


def settle(
    position: Float[Tensor, "paths steps"],
    spot: Float[Tensor, "paths steps+1"],
    payoff: Float[Tensor, " paths"],
    *,
    cost: CostConfig,
    market: MarketConfig,
) -> Outcome:
    """P&L, cost and turnover of holding ``position`` against ``payoff``.

    Differentiable in all three.

    Turnover includes the first purchase and the closing sale, charged or not.
    """
    trades = torch.diff(position, dim=1, prepend=torch.zeros_like(position[:, :1])).abs()
    unwind = position[:, -1].abs()
    notional = trades * spot[:, :-1]
    if not cost.first_trade:
        notional = torch.cat([torch.zeros_like(notional[:, :1]), notional[:, 1:]], dim=1)
    closing = unwind * spot[:, -1] if cost.unwind else torch.zeros_like(unwind)

    steps = position.shape[1]
    if cost.financing:
        dates = torch.arange(steps + 1, dtype=spot.dtype, device=spot.device) * market.dt
        discount = torch.exp(-market.rate * dates)
        carry = math.exp(-(market.rate - market.dividend) * market.dt)
        moves = discount[:-1] * (carry * spot[:, 1:] - spot[:, :-1])
        notional, closing = notional * discount[:-1], closing * discount[-1]
        payoff = payoff * discount[-1]
    else:
        moves = spot[:, 1:] - spot[:, :-1]
    paid = cost.proportional * (notional.sum(dim=1) + closing)
    return Outcome(
        pnl=(position * moves).sum(dim=1) - payoff - paid,
        cost=paid,
        turnover=trades.sum(dim=1) + unwind,
    )
