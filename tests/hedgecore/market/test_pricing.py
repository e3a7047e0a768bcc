import math
from dataclasses import replace
from itertools import pairwise

import mpmath
import pytest
import torch
from quick import quick_of

from hedgecore.market.heston import HestonParams
from hedgecore.market.pricing import (
    bs_call,
    bs_delta,
    heston_call,
    heston_delta,
    heston_prob_itm,
    heston_vega_v,
)

FANG_OOSTERLEE = HestonParams(100, 0.0175, 1.5768, 0.0398, 0.5751, -0.5711)
NOTEBOOK = replace(FANG_OOSTERLEE, rate=0.02)
UNCORRELATED = replace(NOTEBOOK, rho=0.0)
BROADIE_KAYA_1 = HestonParams(100, 0.010201, 6.21, 0.019, 0.61, -0.7, 0.0319)
BROADIE_KAYA_2 = HestonParams(100, 0.09, 2, 0.09, 1, -0.3, 0.05)
ANDERSEN_1 = HestonParams(100, 0.04, 0.5, 0.04, 1, -0.9)
ANDERSEN_2 = HestonParams(100, 0.04, 0.3, 0.04, 0.9, -0.5)
BUEHLER = HestonParams(100, 0.04, 1, 0.04, 2, -0.7)
SPX = HestonParams(100, 0.02, 3.0, 0.05, 1.2, -0.8, 0.04, 0.015)
MONTH = 30 / 365

PUBLISHED = [
    (FANG_OOSTERLEE, 1.0, 100, 5.78515543437621),
    (FANG_OOSTERLEE, 10.0, 100, 22.318945791474590),
    (BROADIE_KAYA_1, 1.0, 100, 6.806113313),
    (BROADIE_KAYA_2, 5.0, 100, 34.999758351),
    (ANDERSEN_1, 10.0, 100, 13.084670137),
    (ANDERSEN_1, 10.0, 70, 35.849769704),
    (ANDERSEN_1, 10.0, 140, 0.295774436),
    (ANDERSEN_2, 15.0, 100, 16.649222920),
    (ANDERSEN_2, 15.0, 70, 37.169664718),
    (ANDERSEN_2, 15.0, 140, 5.138190494),
]
SIX_DIGITS = [
    *((BUEHLER, MONTH, k, c) for k, c in ((90, 10.382981), (95, 5.780304), (100, 1.691834))),
    *((BUEHLER, MONTH, k, c) for k, c in ((105, 0.174726), (110, 0.029087))),
    *((NOTEBOOK, 0.0833, k, c) for k, c in ((90, 10.195333), (95, 5.444990), (100, 1.592002))),
    *((NOTEBOOK, 0.0833, k, c) for k, c in ((105, 0.111533), (110, 0.003318))),
    *((UNCORRELATED, 0.0833, k, c) for k, c in ((90, 10.165872), (95, 5.344823))),
    *(
        (UNCORRELATED, 0.0833, k, c)
        for k, c in ((100, 1.585635), (105, 0.251241), (110, 0.033005))
    ),
]
STATES = [
    (FANG_OOSTERLEE, 1.0, 100),
    (BUEHLER, MONTH, 105),
    (BUEHLER, 1 / 365, 100),
    (NOTEBOOK, 1 / 365, 101),
    (NOTEBOOK, 0.0833, 140),
    (NOTEBOOK, 0.0833, 60),
    (SPX, 0.25, 90),
    (replace(SPX, rho=-0.99), 0.25, 103),
    (replace(SPX, rho=0.99), 2.0, 120),
    (replace(ANDERSEN_1, xi=0.05), 10.0, 130),
    (replace(BUEHLER, v0=0.0), MONTH, 100),
    (ANDERSEN_2, 15.0, 140),
]


@pytest.mark.parametrize(("params", "maturity", "strike", "price"), PUBLISHED)
def test_calls_have_their_published_prices_to_1e_8(params, maturity, strike, price):
    digits = 1e-8 if price != round(price, 9) else 1.1e-9 + 5e-10
    assert abs(heston_call(params, strike=strike, maturity=maturity) - price) < digits


@pytest.mark.parametrize(("params", "maturity", "strike", "price"), SIX_DIGITS)
def test_calls_have_their_reference_prices_to_all_quoted_digits(params, maturity, strike, price):
    assert abs(heston_call(params, strike=strike, maturity=maturity) - price) < 6e-7


def independent(params: HestonParams, maturity: float, strike: float) -> tuple[float, float]:
    """(P1, P2) of Heston's own two-integral formula in 20 digits: nothing in common with ours."""
    with mpmath.workdps(20):
        names = ("spot", "v0", "kappa", "v_bar", "xi", "rho", "drift")
        s, v0, kappa, v_bar, xi, rho, drift = (mpmath.mpf(getattr(params, n)) for n in names)
        t = mpmath.mpf(maturity)
        x = mpmath.log(s / strike) + drift * t

        def phi(u):
            b = kappa - rho * xi * 1j * u
            d = mpmath.sqrt(b * b + xi * xi * (1j * u + u * u))
            g = (b - d) / (b + d)
            fade = mpmath.exp(-d * t)
            level = (b - d) * t - 2 * mpmath.log((1 - g * fade) / (1 - g))
            slope = (b - d) * (1 - fade) / (1 - g * fade)
            return mpmath.exp((kappa * v_bar * level + v0 * slope) / xi**2)

        mass = (v0 + kappa * v_bar * t) / xi
        end = 45 / (mpmath.sqrt(1 - rho * rho) * mass)
        width = min(mpmath.mpf(4) / (abs(x) + abs(rho) * mass), end / 8)
        edges, step = [mpmath.mpf(0)], min(mpmath.mpf(1), width)
        while edges[-1] < end:
            edges.append(edges[-1] + step)
            step = min(1.6 * step, width)

        def probability(shift):
            def integrand(u):
                return mpmath.re(mpmath.exp(1j * u * x) * phi(u - shift) / (1j * u))

            return 0.5 + mpmath.quad(integrand, edges, maxdegree=3) / mpmath.pi

        return probability(1j), probability(0)


@pytest.mark.parametrize(("params", "maturity", "strike"), quick_of(STATES, every=2))
def test_price_delta_and_probability_agree_with_hestons_own_formula(params, maturity, strike):
    p1, p2 = independent(params, maturity, strike)
    share = math.exp(-params.dividend * maturity)
    price = params.spot * share * p1 - strike * math.exp(-params.rate * maturity) * p2
    assert abs(heston_call(params, strike=strike, maturity=maturity) - float(price)) < 1e-8
    assert abs(heston_delta(params, strike=strike, maturity=maturity) - float(share * p1)) < 1e-9
    assert abs(heston_prob_itm(params, strike=strike, maturity=maturity) - float(p2)) < 1e-9


@pytest.mark.parametrize(("params", "maturity", "strike"), STATES[:-2])
def test_greeks_are_the_slopes_of_the_price(params, maturity, strike):
    def price(**change):
        return heston_call(replace(params, **change), strike=strike, maturity=maturity)

    h = 1e-3
    in_spot = (price(spot=100 + h) - price(spot=100 - h)) / (2 * h)
    assert heston_delta(params, strike=strike, maturity=maturity) == pytest.approx(
        in_spot, abs=2e-6
    )
    h = 1e-5
    in_v = (price(v0=params.v0 + h) - price(v0=params.v0 - h)) / (2 * h)
    vega = heston_vega_v(params, strike=strike, maturity=maturity)
    assert vega == pytest.approx(in_v, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("params", [NOTEBOOK, BUEHLER, SPX, ANDERSEN_1])
@pytest.mark.parametrize("maturity", [1 / 365, MONTH, 1.0, 15.0])
def test_prices_lie_in_their_bounds_and_fall_convexly_in_the_strike(params, maturity):
    strikes = [20.0, 60.0, 90.0, 100.0, 110.0, 150.0, 500.0]
    prices = [heston_call(params, strike=k, maturity=maturity) for k in strikes]
    share = params.spot * math.exp(-params.dividend * maturity)
    discount = math.exp(-params.rate * maturity)
    for k, c in zip(strikes, prices, strict=True):
        assert max(share - k * discount, 0.0) <= c <= share
    slopes = [
        (prices[i + 1] - prices[i]) / (strikes[i + 1] - strikes[i])
        for i in range(len(strikes) - 1)
    ]
    assert all(-discount - 1e-9 <= a <= b + 1e-9 for a, b in pairwise(slopes))


def test_calls_and_puts_by_symmetry_are_in_parity():
    # A put is a call in the mirrored market: S as unit of account swaps spot and strike, rate and
    # dividend, and turns kappa into kappa - rho xi and rho into -rho.
    p, strike, maturity = SPX, 95.0, 0.5
    kappa = p.kappa - p.rho * p.xi
    mirror = HestonParams(
        strike, p.v0, kappa, p.kappa * p.v_bar / kappa, p.xi, -p.rho, p.dividend, p.rate
    )
    put = heston_call(mirror, strike=p.spot, maturity=maturity)
    forward = p.spot * math.exp(-p.dividend * maturity) - strike * math.exp(-p.rate * maturity)
    assert heston_call(p, strike=strike, maturity=maturity) - put == pytest.approx(
        forward, abs=1e-9
    )


def test_the_price_tends_to_black_scholes_as_xi_vanishes():
    spot = torch.tensor(100.0, dtype=torch.float64)
    vol = math.sqrt(NOTEBOOK.integrated_variance_mean(0.5) / 0.5)
    exact = float(bs_call(spot, strike=103.0, maturity=0.5, vol=vol, rate=0.02))
    errors = [
        abs(heston_call(replace(NOTEBOOK, xi=xi), strike=103.0, maturity=0.5) - exact)
        for xi in (1e-2, 1e-4, 1e-6, 1e-9, 0.0)
    ]
    # First order in xi, down to rounding.
    assert errors[1] == pytest.approx(errors[0] / 100, rel=0.05)
    assert errors[2] == pytest.approx(errors[0] / 10_000, rel=0.05)
    assert errors[3] < 1e-9
    assert errors[4] < 1e-12


@pytest.mark.parametrize("rho", [-1.0, 1.0])
def test_the_price_is_continuous_up_to_perfect_correlation(rho):
    edge = heston_call(replace(BUEHLER, rho=rho), strike=101.0, maturity=MONTH)
    near = heston_call(replace(BUEHLER, rho=rho * (1 - 1e-7)), strike=101.0, maturity=MONTH)
    assert edge == pytest.approx(near, abs=1e-5)


def test_a_spot_without_variance_ahead_is_worth_its_intrinsic_value():
    frozen = HestonParams(100, 0.0, 1.0, 0.0, 0.5, -0.5, 0.02)
    intrinsic = 100 - 95 * math.exp(-0.02)
    assert heston_call(frozen, strike=95, maturity=1.0) == pytest.approx(intrinsic, abs=1e-12)
    assert heston_delta(frozen, strike=95, maturity=1.0) == 1.0
    assert heston_vega_v(frozen, strike=95, maturity=1.0) == 0.0
    assert heston_prob_itm(frozen, strike=120, maturity=1.0) == 0.0


@pytest.mark.parametrize("name", ["strike", "maturity"])
def test_a_contract_that_cannot_be_is_refused(name):
    contract = {"strike": 100.0, "maturity": 1.0, name: -1.0}
    with pytest.raises(ValueError, match=f"{name} must be positive and finite, got -1.0"):
        heston_call(NOTEBOOK, **contract)


def test_black_scholes_has_its_textbook_price_and_the_slope_of_it():
    spot = torch.tensor([100.0, 90.0, 120.0], dtype=torch.float64, requires_grad=True)
    price = bs_call(spot, strike=100.0, maturity=1.0, vol=0.2, rate=0.05, dividend=0.01)
    (slope,) = torch.autograd.grad(price.sum(), spot)
    delta = bs_delta(spot.detach(), strike=100.0, maturity=1.0, vol=0.2, rate=0.05, dividend=0.01)
    torch.testing.assert_close(delta, slope)
    plain = bs_call(spot.detach()[:1], strike=100.0, maturity=1.0, vol=0.2, rate=0.05)
    assert float(plain[0]) == pytest.approx(10.450583572185565, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("maturity", "vol"), [(0.0, 0.2), (0.5, 0.0), (0.0, 0.0)])
def test_black_scholes_without_risk_is_the_discounted_intrinsic_value(dtype, maturity, vol):
    spot = torch.tensor([80.0, 100.0, 120.0], dtype=dtype)
    vols = torch.full((3,), vol, dtype=dtype)
    price = bs_call(spot, strike=100.0, maturity=maturity, vol=vols)
    torch.testing.assert_close(price, torch.tensor([0.0, 0.0, 20.0], dtype=dtype))
    delta = bs_delta(spot, strike=100.0, maturity=maturity, vol=vols)
    torch.testing.assert_close(delta, torch.tensor([0.0, 0.5, 1.0], dtype=dtype))
