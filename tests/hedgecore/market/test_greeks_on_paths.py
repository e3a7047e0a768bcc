import math
from dataclasses import replace

import pytest
import torch

from hedgecore import rng
from hedgecore.market.heston import HestonParams, simulate
from hedgecore.market.paths import MarketPaths
from hedgecore.market.pricing import (
    bs_delta,
    heston_call,
    heston_delta,
    heston_greeks_on_paths,
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


@pytest.mark.parametrize("name", CASES)
def test_greeks_on_paths_are_the_exact_ones_wherever_a_path_may_be(name):
    params, maturity = CASES[name]
    paths = scattered(params, maturity)
    delta, vega_v = heston_greeks_on_paths(params, paths, strike=100.0)
    assert delta.shape == vega_v.shape == (2000, 30)
    chance = rng.numpy_stream(0, "greeks", "sample")
    for _ in range(200):
        n = int(chance.choice([chance.integers(60), chance.integers(600), chance.integers(2000)]))
        i = int(chance.choice([29, 28, chance.integers(30)]))
        here = replace(params, spot=float(paths.spot[n, i]), v0=float(paths.variance[n, i]))
        contract = {"strike": 100.0, "maturity": maturity - i * paths.dt}
        assert abs(float(delta[n, i]) - heston_delta(here, **contract)) < 1e-4
        exact = heston_vega_v(here, **contract)
        assert abs(float(vega_v[n, i]) - exact) < 0.01 * (1.0 + exact)


def test_today_all_paths_share_the_exact_greeks():
    paths = simulate(
        NOTEBOOK, paths=4, steps=2, maturity=0.0833, generator=rng.stream(0, "greeks today")
    )
    delta, vega_v = heston_greeks_on_paths(NOTEBOOK, paths, strike=105.0)
    exact = heston_delta(NOTEBOOK, strike=105.0, maturity=0.0833)
    assert delta[:, 0].tolist() == [exact] * 4
    exact = heston_vega_v(NOTEBOOK, strike=105.0, maturity=0.0833)
    assert vega_v[:, 0].tolist() == [exact] * 4


def test_without_vol_of_vol_the_delta_on_paths_is_black_scholes():
    params = HestonParams(100, 0.04, 1.0, 0.04, 0.0, 0.0, 0.03)
    paths = simulate(
        params, paths=500, steps=10, maturity=0.5, generator=rng.stream(0, "greeks normal")
    )
    delta, _ = heston_greeks_on_paths(params, paths, strike=100.0)
    time = 0.5 - 0.05 * torch.arange(10, dtype=torch.float64)
    exact = bs_delta(paths.spot[:, :-1], strike=100.0, maturity=time, vol=0.2, rate=0.03)
    torch.testing.assert_close(delta, exact, atol=1e-9, rtol=0.0)


def test_hedging_by_delta_and_the_variance_leg_replicates_the_call():
    # C_T = C_0 + sum delta dS + vega dv-martingale + o(dt): the unexplained variance must be
    # small.
    params, maturity = replace(NOTEBOOK, rate=0.0), 0.0833
    paths = simulate(
        params, paths=2000, steps=30, maturity=maturity, generator=rng.stream(0, "replication")
    )
    delta, vega_v = heston_greeks_on_paths(params, paths, strike=100.0)
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
    delta, vega_v = heston_greeks_on_paths(NOTEBOOK, paths.to(dtype=torch.float32), strike=100.0)
    assert delta.dtype == vega_v.dtype == torch.float32


def test_a_strike_of_zero_is_refused():
    paths = simulate(NOTEBOOK, paths=2, steps=2, maturity=0.1, generator=rng.stream(0, "strike"))
    with pytest.raises(ValueError, match=r"strike must be positive and finite, got 0\.0"):
        heston_greeks_on_paths(NOTEBOOK, paths, strike=0.0)
