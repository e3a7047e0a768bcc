import math
from dataclasses import replace

import pytest
import torch
from scipy.stats import norm

from hedgecore import rng
from hedgecore.control_variate import Pilot, controlled_cvar
from hedgecore.risk import cvar, cvar_influence, standard_error

TAIL = 0.05
PATHS, PILOT = 4000, 20_000


def normal_pair(correlation, *names, paths=PATHS):
    z = torch.randn(2, paths, generator=rng.stream(0, "control", *names), dtype=torch.float64)
    return z[0], correlation * z[0] + math.sqrt(1 - correlation**2) * z[1]


def normal(*names, paths):
    return torch.randn(paths, generator=rng.stream(0, "pilot", *names), dtype=torch.float64)


def replications(correlation, count):
    for i in range(count):
        pnl, control = normal_pair(correlation, f"{correlation}", str(i))
        other = normal(f"{correlation}", str(i), paths=PILOT)
        yield controlled_cvar(pnl, control, pilot=Pilot.of(other, tail=TAIL))


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.9, -0.5, 0.0])
def test_estimates_are_unbiased_and_intervals_cover_the_closed_form(correlation):
    # CVaR of a standard normal: -phi(z_tail) / tail.
    exact = -norm.pdf(norm.ppf(TAIL)) / TAIL
    count = 1000
    estimates = list(replications(correlation, count))
    values = torch.tensor([e.value for e in estimates])
    errors = torch.tensor([e.se for e in estimates])
    assert abs(float(values.mean()) - exact) < 4 * float(values.std()) / math.sqrt(count)
    assert float(errors.mean()) == pytest.approx(float(values.std()), rel=0.08)
    covered = ((values - exact).abs() < 1.96 * errors).double().mean()
    assert 0.93 < float(covered) < 0.97


@pytest.mark.parametrize("correlation", [0.99, 0.7, 0.0])
def test_the_gain_is_that_of_the_correlation_of_the_influences(correlation):
    paths = 200_000
    pnl, control = normal_pair(correlation, "gain", paths=paths)
    other = normal("gain", paths=paths)
    result = controlled_cvar(pnl, control, pilot=Pilot.of(other, tail=TAIL))
    influences = torch.stack([cvar_influence(x, tail=TAIL) for x in (pnl, control)])
    rho = float(torch.corrcoef(influences)[0, 1])
    assert result.gain == pytest.approx(1 / (1 - rho**2 / 2), rel=0.02)  # as many pilot paths
    endless = replace(Pilot.of(other, tail=TAIL), paths=10**9)
    gain = controlled_cvar(pnl, control, pilot=endless).gain
    assert gain == pytest.approx(1 / (1 - rho**2), rel=0.02)
    plain = float(standard_error(influences[0]))
    assert result.se == pytest.approx(plain / math.sqrt(result.gain), rel=1e-9)


def test_a_hedge_that_is_its_control_has_the_error_of_the_pilot():
    pilot = Pilot.of(normal("same", paths=1_000_000), tail=TAIL)
    pnl, _ = normal_pair(0.0, "same", paths=10_000)
    result = controlled_cvar(pnl, pnl, pilot=pilot)
    exact = -norm.pdf(norm.ppf(TAIL)) / TAIL
    assert abs(result.value - exact) < 3 * result.se
    assert result.se == pytest.approx(math.sqrt(pilot.variance / 1_010_000), rel=0.2)


def test_a_constant_control_changes_nothing():
    pnl, _ = normal_pair(0.0, "constant")
    flat = torch.ones_like(pnl)
    result = controlled_cvar(pnl, flat, pilot=Pilot.of(flat, tail=TAIL))
    assert result.value == float(cvar(pnl, tail=TAIL))
    assert result.gain == pytest.approx(1.0)


def test_the_mean_influence_over_the_pilot_is_its_cvar():
    pnl = normal("mean", paths=PATHS)
    pilot = Pilot.of(pnl, tail=TAIL)
    assert float(pilot.influence(pnl).mean()) == pytest.approx(pilot.cvar, abs=1e-12)
