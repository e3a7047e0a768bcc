import math
from dataclasses import replace

import pytest
import torch

from hedgecore import rng
from hedgecore.market.heston import HestonParams, simulate
from hedgecore.market.paths import MarketPaths
from hedgecore.market.pricing import (
    HestonGreeks,
    bs_delta,
    heston_call,
    heston_delta,
    heston_vega_v,
)

NOTEBOOK = HestonParams(100, 0.0175, 1.5768, 0.0398, 0.5751, -0.5711, 0.02)
BUEHLER = HestonParams(100, 0.04, 1.0, 0.04, 2.0, -0.7)
CASES = {
    "notebook": (NOTEBOOK, 0.0833),
    "buehler": (BUEHLER, 30 / 365),
    "andersen_1": (HestonParams(100, 0.04, 0.5, 0.04, 1.0, -0.9), 10.0),
    "spx": (HestonParams(100, 0.02, 3.0, 0.05, 1.2, -0.8, 0.04, 0.015), 0.25),
    "calm": (HestonParams(100, 0.04, 1.0, 0.04, 0.01, 0.5), 0.25),
}


def scattered(params: HestonParams, maturity: float) -> MarketPaths:
    """Real paths, joined by states far off them: at the strike, at variance 0, deep in and out."""
    paths = simulate(
        params, paths=2000, steps=30, maturity=maturity, generator=rng.stream(0, "greeks")
    )
    chance = rng.numpy_stream(0, "greeks", "states")
    width = 3.0 * math.sqrt(params.integrated_variance_mean(maturity))
    shape = (600, 31)
    reach = width * chance.uniform(0, 1, shape) ** 3
    paths.spot[:600] = 100 * torch.from_numpy(chance.uniform(-1, 1, shape) * reach).exp()
    paths.spot[:60] = 100.0
    levels = chance.choice([0.0, 1e-6, 1e-4, 0.01, 0.1, 0.5], shape)
    paths.variance[:600] = torch.from_numpy(levels * chance.uniform(0, 1, shape))
    return paths


def tabulated(params: HestonParams, paths: MarketPaths, *, strike: float = 100.0) -> HestonGreeks:
    return HestonGreeks(
        params,
        strike=strike,
        maturity=paths.maturity,
        steps=paths.steps,
        largest_variance=2 * float(paths.variance.max()),
    )


def greeks(params: HestonParams, paths: MarketPaths):
    return tabulated(params, paths).at(paths.spot[:, :-1], paths.variance[:, :-1])


@pytest.mark.parametrize("name", CASES)
def test_deltas_on_paths_are_the_exact_ones_wherever_a_path_may_be(name):
    params, maturity = CASES[name]
    paths = scattered(params, maturity)
    at = greeks(params, paths)
    delta, hedge = at.delta, at.minimum_variance
    assert delta.shape == hedge.shape == (2000, 30)
    chance = rng.numpy_stream(0, "greeks", "sample")
    for _ in range(200):
        n = int(chance.choice([chance.integers(60), chance.integers(600), chance.integers(2000)]))
        i = int(chance.choice([29, 28, chance.integers(30)]))
        here = replace(params, spot=float(paths.spot[n, i]), v0=float(paths.variance[n, i]))
        contract = {"strike": 100.0, "maturity": maturity - i * paths.dt}
        exact = heston_delta(here, **contract)
        assert abs(float(delta[n, i]) - exact) < 1e-4
        exact += heston_vega_v(here, **contract) * params.rho * params.xi / here.spot
        assert abs(float(hedge[n, i]) - exact) < 2e-4


@pytest.mark.parametrize("name", CASES)
def test_slopes_of_the_deltas_are_gamma_and_finite_differences(name):
    params, maturity = CASES[name]
    paths = simulate(
        params, paths=200, steps=6, maturity=maturity, generator=rng.stream(0, "slopes")
    )
    table = tabulated(params, paths)
    spot, variance = paths.spot[:, :-1].requires_grad_(), paths.variance[:, :-1] + 1e-3
    variance = variance.requires_grad_()
    at = table.at(spot, variance)
    by_spot, by_variance = torch.autograd.grad(at.delta.sum(), (spot, variance))
    # float32 tables: 1e-7 of a delta over a cell of the grid.
    torch.testing.assert_close(by_spot, at.gamma.detach(), atol=1e-4, rtol=1e-3)
    with torch.no_grad():
        step = 1e-3 * variance
        up, down = (table.at(spot, variance + s).minimum_variance for s in (step, -step))
        slope = torch.autograd.functional.jacobian(
            lambda v: table.at(spot, v).minimum_variance.sum(), variance
        )
        torch.testing.assert_close(slope, (up - down) / (2 * step), atol=5e-3, rtol=5e-3)
    assert by_variance.isfinite().all()


def test_beyond_the_largest_variance_the_greeks_are_those_of_the_largest():
    table = HestonGreeks(NOTEBOOK, strike=100.0, maturity=0.1, steps=3, largest_variance=0.05)
    spot = torch.tensor([[98.0, 101.0, 103.0]])
    near, far = (table.at(spot, torch.full_like(spot, v)).delta for v in (0.05, 5.0))
    assert torch.equal(near, far)


def test_without_vol_of_vol_the_delta_on_paths_is_black_scholes():
    params = HestonParams(100, 0.04, 1.0, 0.04, 0.0, 0.0, 0.03)
    paths = simulate(
        params, paths=500, steps=10, maturity=0.5, generator=rng.stream(0, "greeks normal")
    )
    delta = greeks(params, paths).delta
    time = 0.5 - 0.05 * torch.arange(10, dtype=torch.float64)
    exact = bs_delta(paths.spot[:, :-1], strike=100.0, maturity=time, vol=0.2, rate=0.03)
    torch.testing.assert_close(delta, exact, atol=1e-6, rtol=0.0)


def test_hedging_by_delta_and_the_variance_leg_replicates_the_call():
    # C_T = C_0 + sum delta dS + vega dv-martingale + o(dt): the unexplained variance must be
    # small.
    params, maturity = replace(NOTEBOOK, rate=0.0), 0.0833
    paths = simulate(
        params, paths=2000, steps=30, maturity=maturity, generator=rng.stream(0, "replication")
    )
    at = greeks(params, paths)
    delta = at.delta
    vega_v = (at.minimum_variance - delta) * paths.spot[:, :-1] / (params.rho * params.xi)
    decay, gain = math.exp(-params.kappa * paths.dt), params.decay_time(paths.dt)
    v = paths.variance
    shock = v[:, 1:] - v[:, :-1] * decay - params.kappa * params.v_bar * gain
    hedge = (delta * paths.spot.diff(dim=1) + vega_v * shock).sum(dim=1)
    payoff = (paths.spot[:, -1] - 100.0).clamp(min=0.0)
    rest = payoff - hedge
    price = heston_call(params, strike=100.0, maturity=maturity)
    assert float(rest.mean()) == pytest.approx(price, abs=0.02)
    # Daily delta alone leaves 0.55 of the payoff's 2.0.
    assert float(rest.std()) < 0.35


def test_greeks_keep_the_dtype_of_the_paths():
    paths = simulate(NOTEBOOK, paths=8, steps=3, maturity=0.1, generator=rng.stream(0, "dtype"))
    at = greeks(NOTEBOOK, paths.to(dtype=torch.float32))
    assert at.delta.dtype == at.minimum_variance.dtype == at.gamma.dtype == torch.float32


def test_a_strike_of_zero_is_refused():
    paths = simulate(NOTEBOOK, paths=2, steps=2, maturity=0.1, generator=rng.stream(0, "strike"))
    with pytest.raises(ValueError, match=r"strike must be positive and finite, got 0\.0"):
        tabulated(NOTEBOOK, paths, strike=0.0)
