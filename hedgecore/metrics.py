"""Metrics of terminal P&L: a table with unit and direction.

P&L is in currency per option, gains positive. Sharpe and Sortino are taken on P&L plus the price
received, because without it their mean is minus the price and not hedging at all maximises them;
even so they never select a ticket: CVaR does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.risk import cvar, cvar_influence, standard_error

Direction = Literal["higher", "lower"]

TAILS = (0.01, 0.05, 0.5)
"""Shares of worst paths of which CVaR is measured."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of results: which direction is better (None: neither) and what it means."""

    direction: Direction | None
    unit: str
    meaning: str


METRICS: Mapping[str, Metric] = {
    "pnl_mean": Metric("higher", "currency", "mean P&L"),
    "pnl_std": Metric("lower", "currency", "standard deviation of P&L"),
    "pnl_min": Metric("higher", "currency", "worst P&L"),
    "pnl_max": Metric(None, "currency", "best P&L"),
    "pnl_median": Metric("higher", "currency", "median P&L"),
    "pnl_skewness": Metric(None, "1", "third standardised moment of P&L"),
    "pnl_kurtosis": Metric(None, "1", "excess kurtosis of P&L (0 for a normal)"),
    "var_05": Metric("higher", "currency", "5 % quantile of P&L"),
    "var_01": Metric("higher", "currency", "1 % quantile of P&L"),
    "cvar_05": Metric("higher", "currency", "mean P&L of the worst 5 % of paths"),
    "cvar_01": Metric("higher", "currency", "mean P&L of the worst 1 % of paths"),
    "cvar_50": Metric("higher", "currency", "mean P&L of the worst 50 % of paths"),
    "cvar_05_se": Metric("lower", "currency", "standard error of cvar_05"),
    "cvar_01_se": Metric("lower", "currency", "standard error of cvar_01"),
    "cvar_50_se": Metric("lower", "currency", "standard error of cvar_50"),
    "sharpe_ratio": Metric("higher", "1", "mean over sd of P&L plus price"),
    "sortino_ratio": Metric("higher", "1", "mean over downside deviation of P&L plus price"),
    "turnover": Metric(
        "lower", "shares", "mean shares traded a path, first trade and unwind included"
    ),
    "cost_paid": Metric("lower", "currency", "mean transaction cost a path"),
    "hedge_effectiveness": Metric("higher", "1", "1 - Var(hedged P&L) / Var(unhedged P&L)"),
    "hedging_error_rmse": Metric("lower", "currency", "root mean square of P&L plus price"),
}


def cvar_name(tail: float) -> str:
    """The entry of ``METRICS`` for CVaR of the worst ``tail`` share: "cvar_05" of 0.05."""
    return f"cvar_{100 * tail:02.0f}"


def pnl_metrics(
    pnl: Float[Tensor, " paths"],
    *,
    price: float,
    unhedged: Float[Tensor, " paths"],
    turnover: Float[Tensor, " paths"],
    cost: Float[Tensor, " paths"],
) -> dict[str, float]:
    """Every entry of ``METRICS`` for one hedge.

    Args:
        pnl: terminal P&L, price not included.
        price: what the option was sold for, at the time its payoff is paid, in currency.
        unhedged: P&L of the same paths without a hedge.
        turnover: shares traded.
        cost: transaction cost paid, in currency.
    """
    pnl, unhedged = pnl.detach().double(), unhedged.detach().double()
    mean, deviation = pnl.mean(), pnl - pnl.mean()
    variance = deviation.square().mean()
    earned = pnl + price
    downside = torch.relu(-earned).square().mean().sqrt()
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
        "sharpe_ratio": earned.mean() / pnl.std(),
        "sortino_ratio": earned.mean() / downside,
        "turnover": turnover.detach().double().mean(),
        "cost_paid": cost.detach().double().mean(),
        "hedge_effectiveness": 1 - pnl.var() / unhedged.var(),
        "hedging_error_rmse": earned.square().mean().sqrt(),
    }
    assert values.keys() == METRICS.keys()
    return {name: float(value) for name, value in values.items()}


def paired_cvar_difference(
    pnl: Float[Tensor, " paths"], reference: Float[Tensor, " paths"], *, tail: float
) -> tuple[float, float]:
    """cvar(pnl) - cvar(reference) on the same paths, and its standard error, in currency.

    The error is that of the difference of the two influence functions, which is far smaller than
    that of either CVaR alone because both hedges suffer on the same paths.
    """
    pnl, reference = pnl.detach().double(), reference.detach().double()
    difference = cvar(pnl, tail=tail) - cvar(reference, tail=tail)
    influence = cvar_influence(pnl, tail=tail) - cvar_influence(reference, tail=tail)
    return float(difference), float(standard_error(influence))
