import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from hedgecore.hedging.band import Band, fitted, within
from hedgecore.hedging.baselines import tabulated
from hedgecore.hedging.pnl import settle
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.heston import simulate
from hedgecore.market.payoffs import call
from hedgecore.risk import cvar, cvar_influence, standard_error
from hedgecore.rng import stream


def simulated(study, count, name):
    market = study.market
    return simulate(
        market.heston,
        paths=count,
        steps=market.steps,
        maturity=market.maturity,
        generator=stream(0, "band", name),
    )


def held(band, study, paths):
    greeks = tabulated(study, largest_variance=float(paths.variance.max()))
    return band.positions(study, greeks, paths.spot[:, :-1], paths.variance[:, :-1].sqrt())


def pnl(position, study, paths):
    payoff = call(paths.spot[:, -1], study.option.strike)
    return settle(position, paths.spot, payoff, cost=study.cost, market=study.market).pnl


@pytest.fixture(scope="module")
def paths():
    return simulated(TicketStudy(), 2000, "small")


@pytest.fixture(scope="module")
def target(paths):
    return held(Band(scale=0.0, floor=0.0), TicketStudy(), paths)


def test_without_cost_the_band_is_the_minimum_variance_delta(paths, target):
    free = TicketStudy().with_axes({"cost.proportional": 0.0})
    assert torch.equal(held(Band(scale=5.0, floor=5.0), free, paths), target)
    greeks = tabulated(free, largest_variance=float(paths.variance.max()))
    at = greeks.at(paths.spot[:, :-1], paths.variance[:, :-1].sqrt().square())
    assert torch.equal(at.minimum_variance, target)
    assert fitted(free, greeks, paths) == Band(scale=0.0, floor=0.0)


def test_an_infinite_band_never_trades(paths):
    assert not held(Band(scale=0.0, floor=math.inf), TicketStudy(), paths).any()


def test_a_band_that_is_never_left_keeps_the_first_position():
    target = torch.full((1, 5), 0.5) + torch.tensor([[0.0, -0.1, -0.3, 0.0, -0.05]])
    width = torch.full_like(target, 0.2)
    assert within(target, width).unique().tolist() == [pytest.approx(0.3)]


def test_a_position_moves_only_to_the_edge_that_was_passed():
    target = torch.tensor([[0.5, 0.9, 0.6, 0.1]])
    position = within(target, torch.full_like(target, 0.1))
    torch.testing.assert_close(position, torch.tensor([[0.4, 0.8, 0.7, 0.2]]))


def test_trades_fall_with_the_width_on_every_path(paths):
    # The lazy position has the least variation of all within its band, and a wider one holds it.
    bands = ((0.0, 0.0), (0.1, 0.0), (0.1, 0.2), (0.5, 0.2), (0.5, 1.0))
    none = torch.zeros(paths.paths, 1, dtype=paths.spot.dtype)
    volumes = []
    for scale, floor in bands:
        position = held(Band(scale=scale, floor=floor), TicketStudy(), paths)
        volumes.append(position.diff(dim=1, prepend=none).abs().sum(dim=1))
    for narrow, wide in pairwise(volumes):
        assert (wide <= narrow + 1e-9).all()
        assert wide.mean() < narrow.mean()


def test_the_half_width_is_the_law_of_whalley_and_wilmott():
    spot, gamma = torch.tensor([[100.0]]), torch.tensor([[0.06]])
    aversion, cost = 2.0, 1e-3
    exact = (1.5 * cost * 100.0 * 0.06**2 / aversion) ** (1 / 3)
    width = Band(scale=aversion ** (-1 / 3), floor=0.0).half_width(spot, gamma, cost=cost)
    assert float(width) == pytest.approx(exact, rel=1e-5)


def test_gradients_through_the_band_are_finite_where_gamma_vanishes():
    study = TicketStudy()
    greeks = tabulated(study, largest_variance=0.1)
    spot = torch.tensor([[60.0] * 30, [100.0] * 30, [170.0] * 30]).requires_grad_()
    vol = torch.full((3, 30), 0.12).requires_grad_()
    Band(scale=0.2, floor=0.2).positions(study, greeks, spot, vol).sum().backward()
    assert spot.grad.isfinite().all()
    assert vol.grad.isfinite().all()


def test_a_fitted_band_is_better_than_the_delta_on_other_paths():
    study = TicketStudy()
    val, test = (simulated(study, 8192, name) for name in ("val", "test"))
    greeks = tabulated(study, largest_variance=float(val.variance.max()))
    band = fitted(study, greeks, val)
    assert fitted(study, greeks, val) == band
    ours, delta = (
        pnl(held(one, study, test), study, test) for one in (band, Band(scale=0.0, floor=0.0))
    )
    ahead = float(cvar(ours, tail=0.05) - cvar(delta, tail=0.05))
    error = standard_error(cvar_influence(ours, tail=0.05) - cvar_influence(delta, tail=0.05))
    assert ahead > 3 * float(error)


@pytest.mark.slow
def test_the_best_width_grows_with_the_cube_root_of_the_cost():
    # Black-Scholes and a constant aversion, for which the law holds; hourly dates, so that the
    # dates are not what limits trading.
    study = TicketStudy().with_axes(
        {
            "market.xi": 0.0,
            "market.v0": 0.04,
            "market.v_bar": 0.04,
            "market.rate": 0.0,
            "market.steps": 240,
            "risk.name": "entropic",
            "risk.aversion": 1.0,
        }
    )
    paths = simulated(study, 4000, "law")
    greeks = tabulated(study, largest_variance=0.08)
    costs, scales = [1e-4, 1e-3, 1e-2], []
    for cost in costs:
        free = replace(study, cost=replace(study.cost, proportional=cost))
        scales.append(_best_scale(free, greeks, paths))
    widths = [c ** (1 / 3) * s for c, s in zip(costs, scales, strict=True)]
    slope = np.polyfit(np.log(costs), np.log(widths), 1)[0]
    assert slope == pytest.approx(1 / 3, abs=0.07)
    assert scales[1] == pytest.approx(1.0, rel=0.35)


def _best_scale(study, greeks, paths):
    spot = paths.spot[:, :-1]
    at = greeks.at(spot, paths.variance[:, :-1])
    target, gamma, cost = at.minimum_variance, at.gamma, study.cost.proportional
    grid = np.geomspace(0.3, 3.0, 25)
    losses = []
    for scale in grid:
        width = Band(scale=float(scale), floor=0.0).half_width(spot, gamma, cost=cost)
        x = pnl(within(target, width), study, paths)
        losses.append(float(torch.logsumexp(-x, 0)))
    near = slice(max(int(np.argmin(losses)) - 4, 0), int(np.argmin(losses)) + 5)
    curve = np.polyfit(np.log(grid[near]), losses[near], 2)
    return float(np.exp(-curve[1] / (2 * curve[0])))
