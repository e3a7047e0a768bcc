"""Metrics of terminal P&L, by the name of their column in :mod:`hedgecore.hedging.columns`.

P&L is in currency per option, gains positive. Sharpe and Sortino are taken on P&L plus the price
received, because without it their mean is minus the price, and not hedging maximises them. They
are never used for selection; CVaR is.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.risk import cvar, cvar_influence, standard_error

TAILS = (0.01, 0.05, 0.5)
"""Shares of worst paths for which CVaR is measured."""


def cvar_name(tail: float) -> str:
    """The column of CVaR of the worst ``tail`` share: "cvar_05" of 0.05."""
    return f"cvar_{100 * tail:02.0f}"


def pnl_metrics(
    pnl: Float[Tensor, " paths"],
    *,
    price: float,
    unhedged: Float[Tensor, " paths"],
    turnover: Float[Tensor, " paths"],
    cost: Float[Tensor, " paths"],
) -> dict[str, float]:
    """All metrics of one hedge, by column.

    Args:
        pnl: terminal P&L, price not included.
        price: price the option was sold for, at the time its payoff is paid, in currency.
        unhedged: P&L of the same paths without a hedge.
        turnover: shares traded.
        cost: transaction cost paid, in currency.
    """
    pnl, unhedged = pnl.detach().double(), unhedged.detach().double()
    mean, deviation = pnl.mean(), pnl - pnl.mean()
    variance = deviation.square().mean()
    profit = pnl + price
    downside = torch.relu(-profit).square().mean().sqrt()
    values: dict[str, Tensor | float] = {
        "pnl_mean": mean,
        "pnl_std": pnl.std(),
        "pnl_min": pnl.min(),
        "pnl_max": pnl.max(),
        "pnl_median": pnl.quantile(0.5),
        "pnl_skewness": deviation.pow(3).mean() / variance.pow(1.5),
        "pnl_kurtosis": deviation.pow(4).mean() / variance.square() - 3,
        "var_05": pnl.quantile(0.05),
        "var_01": pnl.quantile(0.01),
        **{cvar_name(t): cvar(pnl, tail=t) for t in TAILS},
        **{f"{cvar_name(t)}_se": standard_error(cvar_influence(pnl, tail=t)) for t in TAILS},
        "sharpe_ratio": profit.mean() / pnl.std(),
        "sortino_ratio": profit.mean() / downside,
        "turnover": turnover.detach().double().mean(),
        "cost_paid": cost.detach().double().mean(),
        "hedge_effectiveness": 1 - pnl.var() / unhedged.var(),
        "hedging_error_rmse": profit.square().mean().sqrt(),
    }
    return {name: float(value) for name, value in values.items()}


def paired_cvar_difference(
    pnl: Float[Tensor, " paths"], reference: Float[Tensor, " paths"], *, tail: float
) -> tuple[float, float]:
    """cvar(pnl) - cvar(reference) on the same paths, and its standard error, in currency.

    The error is that of the difference of the two influence functions, which is far smaller than
    that of either CVaR alone because both hedges lose on the same paths.
    """
    pnl, reference = pnl.detach().double(), reference.detach().double()
    difference = cvar(pnl, tail=tail) - cvar(reference, tail=tail)
    influence = cvar_influence(pnl, tail=tail) - cvar_influence(reference, tail=tail)
    return float(difference), float(standard_error(influence))
