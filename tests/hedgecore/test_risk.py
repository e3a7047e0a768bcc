import math

import axioms
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from hedgecore.risk import (
    RISKS,
    CVaR,
    Entropic,
    MeanVariance,
    MonotoneMeanVariance,
    cvar,
    cvar_influence,
    make,
    risk,
    standard_error,
)
from hedgecore.rng import stream

MEASURES = [
    CVaR(0.05),
    CVaR(0.37),
    CVaR(1.0),
    Entropic(0.7),
    MeanVariance(0.7),
    MonotoneMeanVariance(0.7),
    MonotoneMeanVariance(5.0),
]
every_measure = pytest.mark.parametrize("measure", MEASURES, ids=str)


def normal_quantiles(mean, sd, size=400_000):
    """Midpoint quantiles: a sample with the moments and tails of the normal, and no noise."""
    grid = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    return mean + sd * torch.special.ndtri(grid)


def monotone_mean_variance_of_normal(mean, sd, a):
    s = a * sd

    def excess(m):
        return m * norm.cdf(m / s) + s * norm.pdf(m / s) - 1

    m = brentq(excess, -10, 50)
    second = (m * m + s * s) * norm.cdf(m / s) + m * s * norm.pdf(m / s)
    y = -mean - (m - 1) / a
    return y + (second - 1) / (2 * a)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (-1.7, 0.74)])
@pytest.mark.parametrize(
    ("measure", "closed"),
    [
        (CVaR(0.05), lambda m, s: -m + s * norm.pdf(norm.ppf(0.05)) / 0.05),
        (CVaR(0.5), lambda m, s: -m + s * norm.pdf(0) / 0.5),
        (Entropic(1.3), lambda m, s: -m + 1.3 / 2 * s * s),
        (MeanVariance(1.3), lambda m, s: -m + 1.3 / 2 * s * s),
        (MonotoneMeanVariance(1.3), lambda m, s: monotone_mean_variance_of_normal(m, s, 1.3)),
    ],
    ids=lambda value: str(value) if not callable(value) else "",
)
def test_a_normal_has_its_closed_form(measure, closed, mean, sd):
    assert float(risk(measure, normal_quantiles(mean, sd))) == pytest.approx(
        closed(mean, sd), abs=2e-4
    )


@every_measure
def test_optimal_y_minimises_the_loss_over_every_sample(measure):
    for sample in axioms.samples(stream(0, "risk")):

        def loss(y, sample=sample):
            return float(measure.loss(sample, torch.tensor(y, dtype=torch.float64)).mean())

        found = minimize_scalar(loss, bounds=(-30, 30), method="bounded", options={"xatol": 1e-10})
        assert float(risk(measure, sample)) <= found.fun + 1e-9


@every_measure
def test_risk_is_cash_invariant(measure):
    for sample in axioms.samples(stream(1, "risk")):
        axioms.is_cash_invariant(measure, sample, 2.5)


@every_measure
def test_risk_is_convex(measure):
    g = stream(2, "risk")
    for share in (0.1, 0.5, 0.8):
        x, z = axioms.samples(g)[0], axioms.samples(g)[0] ** 3
        axioms.is_convex(measure, x, z, share)


@pytest.mark.parametrize("measure", [m for m in MEASURES if m.monotone], ids=str)
def test_risk_falls_when_every_path_gains(measure):
    g = stream(3, "risk")
    for sample in axioms.samples(g):
        gain = torch.rand(sample.numel(), generator=g, dtype=torch.float64) ** 4 * 50
        axioms.is_monotone(measure, sample, gain)


def test_mean_variance_is_declared_not_monotone_because_it_is_not():
    flat, lottery = torch.zeros(100, dtype=torch.float64), torch.zeros(100, dtype=torch.float64)
    lottery[0] = 100.0
    assert not MeanVariance(1.0).monotone
    assert risk(MeanVariance(1.0), lottery) > risk(MeanVariance(1.0), flat)
    assert risk(MonotoneMeanVariance(1.0), lottery) <= risk(MonotoneMeanVariance(1.0), flat)


def test_monotone_mean_variance_agrees_with_mean_variance_where_gains_are_small():
    sample = axioms.samples(stream(4, "risk"))[0] * 0.1
    assert torch.isclose(
        risk(MonotoneMeanVariance(0.5), sample), risk(MeanVariance(0.5), sample), atol=1e-12
    )


@every_measure
def test_the_gradient_is_exact_for_every_sample_size(measure):
    x = torch.randn(101, generator=stream(5, "risk"), dtype=torch.float64).requires_grad_()
    gradient = torch.autograd.grad(risk(measure, x), x)[0]
    direction = torch.randn(101, generator=stream(6, "risk"), dtype=torch.float64)
    h = 1e-6
    up, down = (risk(measure, x.detach() + sign * h * direction) for sign in (1, -1))
    assert float(gradient @ direction) == pytest.approx(float(up - down) / (2 * h), abs=1e-6)


def test_cvar_counts_the_boundary_path_fractionally():
    pnl = torch.tensor([-4.0, -2.0, 0.0, 10.0], dtype=torch.float64)
    assert float(cvar(pnl, tail=0.25)) == -4.0
    assert float(cvar(pnl, tail=0.375)) == pytest.approx((-4 + 0.5 * -2) / 1.5)
    assert float(cvar(pnl, tail=1.0)) == pytest.approx(1.0)


@settings(max_examples=200, deadline=None)
@given(
    pnl=st.lists(st.floats(-100, 100), min_size=1, max_size=40),
    tail=st.floats(1e-3, 1.0, exclude_min=True),
)
def test_cvar_is_the_fractional_mean_of_the_sorted_tail(pnl, tail):
    budget, total = tail * len(pnl), 0.0
    for value in sorted(pnl):
        weight = min(1.0, budget)
        total, budget = total + weight * value, budget - weight
        if budget <= 0:
            break
    measured = float(cvar(torch.tensor(pnl, dtype=torch.float64), tail=tail))
    assert measured == pytest.approx(total / (tail * len(pnl)), abs=1e-8, rel=1e-8)


def test_a_twentieth_of_twenty_thousand_is_a_thousand_paths():
    # 0.05 * 20000 exceeds 1000 in floating point; the boundary must not move for that.
    pnl = -torch.arange(20_000, dtype=torch.float64)
    assert float(CVaR(0.05).optimal_y(pnl)) == 19_999 - 999


def test_the_standard_error_of_cvar_matches_its_spread_over_samples():
    g = stream(7, "risk")
    estimates, errors = [], []
    for _ in range(400):
        x = torch.randn(2_000, generator=g, dtype=torch.float64)
        estimates.append(float(cvar(x, tail=0.05)))
        errors.append(float(standard_error(cvar_influence(x, tail=0.05))))
    spread = float(torch.tensor(estimates).std())
    assert sum(errors) / len(errors) == pytest.approx(spread, rel=4 / math.sqrt(2 * 400))


@pytest.mark.parametrize("tail", [0.0, -0.1, 1.5, float("nan")])
def test_a_tail_outside_zero_and_one_is_refused(tail):
    with pytest.raises(ValueError, match=r"tail must lie in \(0, 1\], got"):
        cvar(torch.zeros(3), tail=tail)


def test_no_paths_are_refused():
    with pytest.raises(ValueError, match="pnl is empty"):
        cvar(torch.zeros(0), tail=0.05)


@pytest.mark.parametrize("name", [n for n in RISKS if n != "cvar"])
def test_risk_aversion_must_be_positive(name):
    with pytest.raises(ValueError, match="aversion must be positive and finite, got 0"):
        make(name, tail=0.05, aversion=0)


def test_an_unknown_risk_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="unknown risk 'cvr'; did you mean 'cvar'"):
        make("cvr", tail=0.05, aversion=1)


@every_measure
def test_float32_pnl_gives_a_float32_risk(measure):
    assert risk(measure, torch.randn(50, generator=stream(8, "risk"))).dtype == torch.float32
