import math
from dataclasses import replace

import pytest
import torch

from hedgecore import rng
from hedgecore.market import validation
from hedgecore.market.heston import HestonParams, simulate
from hedgecore.market.paths import MarketPaths
from hedgecore.market.validation import NOTEBOOK, Check, validate


def spot_deaf_to_the_variance() -> MarketPaths:
    """The classic mistake: variance and step each right, but no correlation between them."""
    uncorrelated = replace(NOTEBOOK, rho=0.0)
    return simulate(
        uncorrelated, paths=50_000, steps=30, maturity=0.0833, generator=rng.stream(0, "deaf")
    )


def test_a_spot_deaf_to_the_variance_is_found_out():
    report = validate(NOTEBOOK, spot_deaf_to_the_variance())
    # What it does not disturb, and why three sorts of check are needed:
    assert abs(report["E[v_T]"].z) < 3
    assert abs(report["discounted S_T"].z) < 3
    assert abs(report["call K=100"].z) < 3
    # What it does:
    assert report["corr(d ln S, dv)"].realised == pytest.approx(0.0, abs=0.01)
    assert abs(report["corr(d ln S, dv)"].z) > 100
    assert report["call K=105"].z > 20
    assert report["P(S_T > 100)"].z < -20


@pytest.mark.parametrize("rho", [-0.99, -0.3, 0.0, 0.7])
def test_the_target_of_the_correlation_is_met_by_exact_variance_and_short_steps(rho):
    params = replace(NOTEBOOK, rho=rho, xi=1.0)
    paths = simulate(
        params,
        paths=20_000,
        steps=4,
        maturity=0.2,
        scheme="exact_bk",
        substeps=16,
        generator=rng.stream(0, "correlation", str(rho)),
    )
    check = validate(params, paths)["corr(d ln S, dv)"]
    assert abs(check.z) < 3.5
    assert check.exact == pytest.approx(rho, abs=0.02)


def test_the_report_is_a_table_of_one_line_a_check():
    paths = simulate(
        NOTEBOOK, paths=100, steps=2, maturity=0.0833, generator=rng.stream(0, "table")
    )
    report = validate(NOTEBOOK, paths, strikes=(90, 110))
    lines = str(report).splitlines()
    assert len(lines) == 1 + len(report.checks) == 9
    assert lines[0].split() == ["realised", "std.", "error", "exact", "z"]
    with pytest.raises(KeyError, match="known: discounted S_T, call K=90"):
        report["call K=95"]


def test_a_difference_without_error_is_zero_when_rounding_explains_it_and_infinite_otherwise():
    assert Check("a", 1.0 + 1e-12, 0.0, 1.0).z == 0.0
    assert Check("a", 1.1, 0.0, 1.0).z == math.inf


def test_black_scholes_paths_have_no_correlation_to_check():
    params = HestonParams(100, 0.04, 0.0, 0.04, 0.0, 0.0)
    paths = simulate(params, paths=1000, steps=2, maturity=1.0, generator=rng.stream(0, "flat"))
    report = validate(params, paths)
    assert all(math.isfinite(check.z) for check in report.checks)
    assert not any("corr" in check.name for check in report.checks)


def test_the_command_prints_every_scheme(capsys):
    validation.main(["--paths", "500", "--seed", "1"])
    printed = capsys.readouterr().out
    assert all(f"{name}\n" in printed for name in ("exact_bk", "full_truncation", "qe_m"))
    assert printed.count("corr(d ln S, dv)") == 3


def test_float32_paths_are_judged_too():
    paths = simulate(
        NOTEBOOK, paths=2000, steps=5, maturity=0.0833, generator=rng.stream(0, "single")
    ).to(dtype=torch.float32)
    assert abs(validate(NOTEBOOK, paths)["call K=100"].z) < 3.5
