import math
from dataclasses import replace

import pytest
import torch
from quick import quick_of

from hedgecore import rng
from hedgecore.market.heston import CHUNK, SCHEMES, HestonParams, simulate
from hedgecore.market.paths import MarketPaths
from hedgecore.market.pricing import bs_call, heston_call
from hedgecore.market.validation import validate

NOTEBOOK = HestonParams(100, 0.0175, 1.5768, 0.0398, 0.5751, -0.5711, 0.02)
BUEHLER = HestonParams(100, 0.04, 1.0, 0.04, 2.0, -0.7)
BROADIE_KAYA_1 = HestonParams(100, 0.010201, 6.21, 0.019, 0.61, -0.7, 0.0319)
BROADIE_KAYA_2 = HestonParams(100, 0.09, 2.0, 0.09, 1.0, -0.3, 0.05)
ANDERSEN_1 = HestonParams(100, 0.04, 0.5, 0.04, 1.0, -0.9)
ANDERSEN_3 = HestonParams(100, 0.09, 1.0, 0.09, 1.0, -0.3)
BAKSHI_CAO_CHEN = HestonParams(100, 0.0348, 1.15, 0.0348, 0.39, -0.64, 0.04)

SETS = {
    "notebook": (NOTEBOOK, 0.0833, 30),
    "buehler": (BUEHLER, 30 / 365, 30),
    "broadie_kaya_1": (BROADIE_KAYA_1, 1.0, 30),
    "broadie_kaya_2": (BROADIE_KAYA_2, 5.0, 40),
    "andersen_1": (ANDERSEN_1, 10.0, 40),
    "andersen_3": (ANDERSEN_3, 5.0, 30),
    "bakshi_cao_chen": (BAKSHI_CAO_CHEN, 0.5, 30),
    "one_day": (NOTEBOOK, 1 / 365, 4),
    "steep_skew": (HestonParams(100, 0.02, 3.0, 0.05, 1.2, -0.99, 0.03, 0.015), 0.25, 30),
    "rising_smile": (HestonParams(100, 0.04, 2.0, 0.04, 0.6, 0.9), 0.5, 30),
}


def drawn(params: HestonParams, **given: object) -> MarketPaths:
    request = {"paths": 1000, "steps": 30, "maturity": 30 / 365, **given}
    names = request.pop("stream", "test")
    return simulate(params, generator=rng.stream(3, names), **request)


@pytest.mark.parametrize("name", quick_of(SETS, every=2))
@pytest.mark.parametrize("scheme", SCHEMES)
def test_prices_probabilities_and_moments_agree_with_the_closed_forms(scheme, name):
    params, maturity, steps = SETS[name]
    count = 20_000 if scheme == "full_truncation" else 50_000
    paths = drawn(
        params, paths=count, steps=steps, maturity=maturity, scheme=scheme, stream=f"closed {name}"
    )
    strikes = (98, 100, 102) if maturity < 0.01 else (95, 100, 105)
    report = validate(params, paths, strikes=strikes)
    sharp = [check for check in report.checks if not check.name.startswith("corr")]
    # Twelve figures a case, three hundred in all: 3.5 for the family, 3 for what the project
    # promises.
    assert all(abs(check.z) < 3.5 for check in sharp), f"\n{report}"
    assert all(abs(check.z) < 3 for check in sharp if check.name.startswith("call")), f"\n{report}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_spot_feels_the_shocks_of_the_variance(scheme):
    paths = drawn(NOTEBOOK, paths=50_000, maturity=0.0833, scheme=scheme)
    report = validate(NOTEBOOK, paths)
    assert abs(report["corr(d ln S, dv)"].realised - NOTEBOOK.rho) < 0.01
    # Without the correlation these are 0.2512 and 0.5125.
    assert report["call K=105"].realised == pytest.approx(0.1115, abs=0.01)
    assert report["P(S_T > 100)"].realised == pytest.approx(0.5801, abs=0.01)


@pytest.mark.parametrize("scheme", ["qe_m", "exact_bk"])
def test_the_discounted_spot_is_a_martingale_even_with_steps_of_a_year(scheme):
    # The plain quadratic-exponential scheme has 100.59 here, 7 standard errors away.
    paths = drawn(ANDERSEN_1, paths=200_000, steps=10, maturity=10.0, scheme=scheme, substeps=1)
    terminal = paths.spot[:, -1]
    error = float(terminal.std()) / math.sqrt(paths.paths)
    assert error < 0.085
    assert abs(float(terminal.mean()) - 100.0) < 3 * error


@pytest.mark.parametrize("scheme", SCHEMES)
def test_more_substeps_bring_a_long_step_to_the_exact_price(scheme):
    exact = heston_call(ANDERSEN_1, strike=100, maturity=4.0)
    errors = []
    for substeps in (1, 16):
        paths = drawn(
            ANDERSEN_1, paths=100_000, steps=2, maturity=4.0, scheme=scheme, substeps=substeps
        )
        errors.append(abs(float((paths.spot[:, -1] - 100).clamp(min=0).mean()) - exact))
    # Two steps of two years are off by 0.3 and more; the standard error is 0.03.
    assert errors[0] > 0.2
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize("scheme", ["qe_m", "exact_bk"])
def test_a_step_of_a_year_is_refined_until_calls_are_right(scheme):
    paths = drawn(ANDERSEN_1, paths=100_000, steps=10, maturity=10.0, scheme=scheme)
    assert paths.steps == 10
    checks = validate(ANDERSEN_1, paths, strikes=(70, 100, 140))
    assert all(abs(checks[f"call K={k}"].z) < 3.5 for k in (70, 100, 140))


def test_euler_takes_by_itself_the_substeps_that_a_wild_variance_needs():
    # Daily steps without substeps give 1.80 instead of 1.69.
    crude = drawn(BUEHLER, paths=50_000, scheme="full_truncation", substeps=1)
    chosen = drawn(BUEHLER, paths=50_000, scheme="full_truncation")
    assert float((crude.spot[:, -1] - 100).clamp(min=0).mean()) > 1.75
    assert abs(validate(BUEHLER, chosen)["call K=100"].z) < 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_vol_of_vol_the_model_is_black_scholes_with_a_known_variance(scheme):
    params = replace(NOTEBOOK, xi=0.0)
    paths = drawn(params, paths=100_000, maturity=1.0, scheme=scheme)
    assert float(paths.variance[:, -1].std()) < 1e-15
    assert float(paths.variance[0, -1]) == pytest.approx(params.variance_mean(1.0), rel=1e-12)
    vol = math.sqrt(params.integrated_variance_mean(1.0))
    spot = torch.tensor(100.0, dtype=torch.float64)
    exact = float(bs_call(spot, strike=100.0, maturity=1.0, vol=vol, rate=params.rate))
    check = validate(params, paths)["call K=100"]
    assert check.exact == pytest.approx(exact, abs=1e-9)
    assert abs(check.z) < 3


@pytest.mark.parametrize("xi", [1e-10, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_vanishing_vol_of_vol_costs_no_accuracy(scheme, xi):
    params = replace(NOTEBOOK, xi=xi)
    paths = drawn(params, paths=20_000, maturity=0.25, scheme=scheme)
    report = validate(params, paths)
    assert abs(report["call K=100"].z) < 3
    assert float(paths.variance[:, -1].mean()) == pytest.approx(
        params.variance_mean(0.25), abs=xi + 1e-4 if scheme == "full_truncation" else xi + 1e-9
    )


@pytest.mark.parametrize(
    "change",
    [
        {"rho": 1.0},
        {"rho": -1.0},
        {"v0": 0.0},
        {"kappa": 0.0},
        {"kappa": 1e-12},
        {"v_bar": 0.0},
        {"v0": 0.0, "v_bar": 0.0},
        {"v0": 0.0, "kappa": 0.0},
        {"xi": 8.0},
        {"kappa": 60.0},
        {"rho": 1.0, "xi": 4.0},
        {"v0": 4.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_edges_of_the_model_stay_finite_and_fair(scheme, change):
    params = replace(BUEHLER, xi=0.5) if "xi" not in change else BUEHLER
    params = replace(params, **change)
    euler = scheme == "full_truncation"
    paths = drawn(params, paths=20_000, scheme=scheme, substeps=2 if euler else None)
    assert bool(paths.spot.isfinite().all())
    assert bool((paths.spot > 0).all())
    assert bool(paths.variance.isfinite().all())
    assert bool((paths.variance >= 0).all())
    checks = validate(params, paths, strikes=()).checks
    # Euler's variance is biased, its spot is not.
    assert all(abs(check.z) < 4 for check in checks[: 1 if euler else 2]), checks


def test_most_wild_paths_end_at_variance_zero_without_a_trace_of_nan():
    paths = drawn(BUEHLER, paths=20_000)
    assert float((paths.variance[:, -1] == 0).double().mean()) == pytest.approx(0.71, abs=0.02)
    assert not bool(paths.spot.isnan().any())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_paths_start_at_today_and_lie_on_an_even_contiguous_grid(scheme):
    paths = drawn(NOTEBOOK, paths=7, steps=130, maturity=0.5, scheme=scheme)
    assert paths.spot.shape == paths.variance.shape == (7, 131)
    assert paths.spot.dtype == paths.variance.dtype == torch.float64
    assert paths.spot.is_contiguous()
    assert paths.variance.is_contiguous()
    assert torch.equal(paths.spot[:, 0], torch.full((7,), 100.0, dtype=torch.float64))
    assert torch.equal(paths.variance[:, 0], torch.full((7,), 0.0175, dtype=torch.float64))
    assert paths.dt == pytest.approx(0.5 / 130)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_numbers_do_not_depend_on_the_number_of_threads(scheme):
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(drawn(BUEHLER, paths=2 * CHUNK + 17, steps=3, scheme=scheme))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(results[0].spot, other.spot) for other in results[1:])
    assert all(torch.equal(results[0].variance, other.variance) for other in results[1:])


def test_one_stream_gives_one_set_of_paths_and_its_continuation_another():
    generator = rng.stream(1, "paths")
    first, second = (
        simulate(NOTEBOOK, paths=5, steps=2, maturity=0.1, generator=generator) for _ in range(2)
    )
    again = simulate(NOTEBOOK, paths=5, steps=2, maturity=0.1, generator=rng.stream(1, "paths"))
    assert torch.equal(first.spot, again.spot)
    assert not torch.equal(first.spot, second.spot)


def test_simulating_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    for scheme in SCHEMES:
        drawn(NOTEBOOK, paths=10, steps=2, scheme=scheme)
    assert torch.equal(before, torch.get_rng_state())


def test_paths_change_their_dtype_together():
    paths = drawn(NOTEBOOK, paths=3, steps=2).to(dtype=torch.float32)
    assert paths.spot.dtype == paths.variance.dtype == torch.float32


@pytest.mark.parametrize("kappa", [0.0, 1e-9, 1e-4, 1.5768, 40.0])
def test_variance_moments_solve_their_differential_equations(kappa):
    params, t, h = replace(NOTEBOOK, kappa=kappa), 0.3, 1e-5

    def slope(f):
        return (f(t + h) - f(t - h)) / (2 * h)

    mean, variance = params.variance_mean(t), params.variance_variance(t)
    assert slope(params.variance_mean) == pytest.approx(kappa * (params.v_bar - mean), abs=1e-7)
    growth = params.xi**2 * mean - 2 * kappa * variance
    assert slope(params.variance_variance) == pytest.approx(growth, abs=1e-7)
    assert slope(params.integrated_variance_mean) == pytest.approx(mean, abs=1e-7)


def test_the_notebook_variance_has_its_known_moments():
    assert NOTEBOOK.variance_mean(0.0833) == pytest.approx(0.0202448391, abs=1e-10)
    assert NOTEBOOK.variance_variance(0.0833) == pytest.approx(4.59441e-4, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spot": 0.0}, "spot must be positive, got 0.0"),
        ({"v0": -0.1}, "v0 must not be negative, got -0.1"),
        ({"kappa": -1.0}, "kappa must not be negative, got -1.0"),
        ({"xi": -1.0}, "xi must not be negative, got -1.0"),
        ({"rho": 1.01}, r"rho must lie in \[-1, 1\], got 1.01"),
        ({"rate": math.nan}, "rate must be finite, got nan"),
    ],
)
def test_a_parameter_outside_its_range_is_refused_with_its_value(change, message):
    with pytest.raises(ValueError, match=message):
        replace(NOTEBOOK, **change)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"scheme": "qe"}, "unknown scheme 'qe'; did you mean 'qe_m'"),
        ({"paths": 0}, "paths must be a whole number of at least 1, got 0"),
        ({"steps": -1}, "steps must be a whole number of at least 1, got -1"),
        ({"substeps": 0}, "substeps must be a whole number of at least 1, got 0"),
        ({"maturity": 0.0}, "maturity must be positive and finite, got 0.0"),
    ],
)
def test_an_impossible_request_is_refused_with_its_cure(request_, message):
    with pytest.raises(ValueError, match=message):
        drawn(NOTEBOOK, **request_)


def test_paths_of_a_single_date_are_refused():
    with pytest.raises(ValueError, match="paths need at least two dates, got 1"):
        MarketPaths(spot=torch.ones(2, 1), variance=torch.ones(2, 1), maturity=1.0)
