import math

import pytest
import torch

from hedgecore.hedging.config import CostConfig, MarketConfig
from hedgecore.hedging.pnl import settle
from hedgecore.market.heston import simulate
from hedgecore.rng import stream

SPOT = torch.tensor([[100.0, 104.0, 101.0]], dtype=torch.float64)
POSITION = torch.tensor([[0.5, 0.7]], dtype=torch.float64)
PAYOFF = torch.tensor([1.0], dtype=torch.float64)
MARKET = MarketConfig(steps=2, maturity=0.5, rate=0.04, dividend=0.01)


def pnl(cost, position=POSITION):
    return settle(position, SPOT, PAYOFF, cost=cost, market=MARKET)


def test_a_path_adds_up_by_hand():
    outcome = pnl(CostConfig(proportional=0.01))
    gains = 0.5 * 4 + 0.7 * -3
    paid = 0.01 * (0.5 * 100 + 0.2 * 104 + 0.7 * 101)
    assert float(outcome.pnl) == pytest.approx(gains - 1 - paid)
    assert float(outcome.cost) == pytest.approx(paid)
    assert float(outcome.turnover) == pytest.approx(0.5 + 0.2 + 0.7)


@pytest.mark.parametrize(
    ("switches", "charged"),
    [
        ({"first_trade": False}, 0.2 * 104 + 0.7 * 101),
        ({"unwind": False}, 0.5 * 100 + 0.2 * 104),
        ({"first_trade": False, "unwind": False}, 0.2 * 104),
    ],
)
def test_switches_waive_the_first_trade_and_the_unwind(switches, charged):
    outcome = pnl(CostConfig(proportional=0.01, **switches))
    assert float(outcome.cost) == pytest.approx(0.01 * charged)


def test_financing_puts_every_flow_into_todays_money():
    outcome = pnl(CostConfig(proportional=0.01, financing=True))
    dt, r, q = 0.25, 0.04, 0.01
    d1, d2, carry = math.exp(-r * dt), math.exp(-r * 2 * dt), math.exp(-(r - q) * dt)
    gains = 0.5 * (carry * 104 - 100) + 0.7 * d1 * (carry * 101 - 104)
    paid = 0.01 * (0.5 * 100 + 0.2 * 104 * d1 + 0.7 * 101 * d2)
    assert float(outcome.pnl) == pytest.approx(gains - d2 * 1 - paid)


def test_with_financing_any_strategy_gains_nothing_on_average():
    market = MarketConfig(rate=0.3, dividend=0.1, maturity=0.5, steps=10)
    paths = simulate(
        market.heston, paths=200_000, steps=10, maturity=0.5, generator=stream(0, "financing")
    )
    momentum = (paths.spot[:, :-1] / 100).clamp(0.5, 1.5)
    nothing = torch.zeros(200_000, dtype=torch.float64)
    free = CostConfig(proportional=0.0, financing=True)
    gains = settle(momentum, paths.spot, nothing, cost=free, market=market).pnl
    assert abs(float(gains.mean())) < 4 * float(gains.std()) / 200_000**0.5


def test_costs_only_ever_reduce_pnl_and_grow_with_the_rate():
    values = [float(pnl(CostConfig(proportional=c)).pnl) for c in (0.0, 0.001, 0.01)]
    assert values == sorted(values, reverse=True)


def test_holding_nothing_costs_nothing_and_pays_the_claim():
    outcome = pnl(CostConfig(proportional=0.01), position=torch.zeros_like(POSITION))
    assert (float(outcome.pnl), float(outcome.cost), float(outcome.turnover)) == (-1.0, 0.0, 0.0)
