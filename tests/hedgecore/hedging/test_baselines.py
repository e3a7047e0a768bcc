import math

import pytest
import torch

from hedgecore.hedging.baselines import BASELINES, hedge
from hedgecore.hedging.evaluate import measured
from hedgecore.hedging.prepare import prepare
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.heston import simulate
from hedgecore.market.pricing import heston_call
from hedgecore.risk import cvar, cvar_influence, standard_error
from hedgecore.rng import stream

PATHS = 20_000


def study(**cost):
    return TicketStudy().with_axes({f"cost.{name}": value for name, value in cost.items()})


@pytest.fixture(scope="module")
def paths():
    market = TicketStudy().market
    return simulate(
        market.heston,
        paths=PATHS,
        steps=market.steps,
        maturity=market.maturity,
        generator=stream(0, "baselines"),
    )


@pytest.mark.parametrize(
    ("name", "cost", "mean", "sd", "tail"),
    # Mean, sd and CVaR 5 % of independent runs over a million paths, no financing.
    [
        ("bs_delta_initial", 0.0, -1.5032, 0.5602, -2.9663),
        ("bs_delta_initial", 1e-3, -1.7750, 0.5922, -3.3651),
        ("bs_delta_current", 0.0, -1.4988, 0.5539, -2.8065),
        ("bs_delta_current", 1e-3, -1.7794, 0.5529, -3.0976),
    ],
)
def test_black_scholes_hedges_have_their_reference_values(paths, name, cost, mean, sd, tail):
    pnl = hedge(name, study(proportional=cost), paths).pnl
    assert abs(float(pnl.mean()) - mean) < 4 * sd / math.sqrt(PATHS)
    assert float(pnl.std()) == pytest.approx(sd, rel=0.02)
    error = float(standard_error(cvar_influence(pnl, tail=0.05)))
    assert abs(float(cvar(pnl, tail=0.05)) - tail) < 4 * error


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_with_financing_and_no_cost_every_hedge_earns_minus_the_price(paths, name):
    fair = study(proportional=0.0, financing=True)
    pnl = hedge(name, fair, paths).pnl
    price = heston_call(fair.market.heston, strike=100.0, maturity=fair.market.maturity)
    assert abs(float(pnl.mean()) + price) < 4 * float(pnl.std()) / math.sqrt(PATHS)
    sharpe = measured(fair, hedge(name, fair, paths), paths)["sharpe_ratio"]
    assert abs(sharpe) < 4 / math.sqrt(PATHS)


def test_the_minimum_variance_delta_has_the_smallest_variance(paths):
    free = study(proportional=0.0)
    spread = {name: float(hedge(name, free, paths).pnl.std()) for name in BASELINES}
    assert min(spread, key=spread.__getitem__) == "minimum_variance"
    assert max(spread, key=spread.__getitem__) == "no_hedge"


def test_baselines_follow_the_dtype_of_the_paths(paths):
    small = hedge("minimum_variance", TicketStudy(), paths.to(dtype=torch.float32))
    assert small.pnl.dtype == torch.float32


@pytest.mark.slow
def test_a_dense_network_beats_the_minimum_variance_delta_on_cvar_at_10_basis_points():
    small = TicketStudy().with_axes({"training.epochs": 20, "dense.lr": 5e-3})
    made = prepare(small, seed=0)
    benchmark = hedge("minimum_variance", small, made.data["test"]).pnl
    ahead = float(cvar(made.dense_pnl, tail=0.05) - cvar(benchmark, tail=0.05))
    influence = cvar_influence(made.dense_pnl, tail=0.05) - cvar_influence(benchmark, tail=0.05)
    assert ahead > 3 * float(standard_error(influence))
