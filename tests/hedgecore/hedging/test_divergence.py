"""Networks that run away: bounded positions, and trials that count as diverged."""

import math
from dataclasses import replace

import pytest
import torch

from hedgecore.config import ConfigError, to_mapping
from hedgecore.fingerprints import tensor_sha256
from hedgecore.hedging.baseline_hedges import BaselineHedges
from hedgecore.hedging.deployment import deployed, objection
from hedgecore.hedging.divergence import divergence
from hedgecore.hedging.experiment import TICKETS
from hedgecore.hedging.features import Standardisation, exogenous
from hedgecore.hedging.network import HedgingNetwork, positions, saturated
from hedgecore.hedging.prepare import mismatch, prepare
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.risk import cvar
from hedgecore.rng import stream
from hedgecore.training.convergence import DivergedError
from hedgecore.training.run import TrialRun

LIMIT = 10.0


def at(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def holding(theta, shares):
    """A network that always holds ``shares``."""
    last = [name for name in theta if name.endswith("bias")][-1]
    still = {name: torch.zeros_like(value) for name, value in theta.items()}
    return {**still, last: torch.full_like(theta[last], shares)}


def growing(hidden=4, *, gain=3.0):
    """A network whose position is ``gain`` times its previous one, plus one share."""
    theta = {
        "layers.0.weight": torch.zeros(hidden, 8),
        "layers.0.bias": torch.zeros(hidden),
        "layers.1.weight": torch.zeros(1, hidden),
        "layers.1.bias": torch.ones(1),
    }
    theta["layers.0.weight"][0, 5] = 1.0
    theta["layers.1.weight"][0, 0] = gain
    return {name: value.requires_grad_() for name, value in theta.items()}


def network(limit, hidden=(4,)):
    standard = Standardisation(mean=torch.zeros(8), sd=torch.ones(8))
    return HedgingNetwork(hidden, standard, position_limit=limit)


def market(paths=16, steps=20):
    noise = torch.randn(paths, steps + 1, generator=stream(0, "market"))
    return 100 * (0.01 * noise).cumsum(1).exp(), torch.full((paths, steps + 1), 0.02)


def unrolled(theta, limit):
    spot, variance = market()
    return positions(network(limit), theta, exogenous(spot, variance, strike=100.0), spot)


def test_positions_up_to_half_of_the_limit_are_unchanged_to_the_last_bit():
    x = at(-5.0, -0.3, 0.0, 1e-30, 4.999, 5.0)
    y = saturated(x, limit=LIMIT)
    assert torch.equal(x, y)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(slope, torch.ones_like(x))


def test_larger_positions_grow_ever_more_slowly_towards_the_limit():
    y = saturated(torch.tensor([5.0, 6.0, 10.0, 100.0, 1e6, 1e30, math.inf]), limit=LIMIT)
    assert bool((y.diff() >= 0).all())
    assert float(y[-1]) == pytest.approx(LIMIT)
    assert float(y.max()) <= LIMIT * (1 + 1e-6)
    assert torch.equal(saturated(-y, limit=LIMIT), -saturated(y, limit=LIMIT))


def test_the_bound_is_twice_continuously_differentiable():
    x = at(5.0 - 1e-7, 5.0 + 1e-7, 7.0, -30.0)
    (slope,) = torch.autograd.grad(saturated(x, limit=LIMIT).sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    torch.testing.assert_close(slope[:2], torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(
        curvature[:2], torch.zeros(2, dtype=torch.float64), atol=1e-6, rtol=0
    )
    # 1 / (1 + (pi e / L)^2) at an excess e: polynomial, so that training finds the way back.
    excess = torch.tensor([2.0, 25.0], dtype=torch.float64)
    torch.testing.assert_close(slope[2:].detach(), 1 / (1 + (math.pi * excess / LIMIT) ** 2))
    assert torch.autograd.gradcheck(lambda z: saturated(z, limit=LIMIT), at(-8.0, 1.0, 12.0))


def test_a_network_that_feeds_on_its_own_position_stays_below_the_limit():
    assert float(unrolled(growing(), 1e9).detach().abs().max()) > 1e8
    theta = growing()
    bounded = unrolled(theta, LIMIT)
    assert float(bounded.detach().max()) < LIMIT
    gain = theta["layers.1.weight"]
    (slope,) = torch.autograd.grad(bounded.sum(), [gain])
    assert bool(slope.isfinite().all())
    assert float(slope[0, 0]) > 0.0


def test_a_limit_out_of_reach_changes_neither_positions_nor_gradients():
    near, far = (growing(gain=0.5) for _ in range(2))
    bounded, free = unrolled(near, LIMIT), unrolled(far, 1e9)
    assert torch.equal(bounded, free)
    bounded.square().sum().backward()
    free.square().sum().backward()
    for name, value in near.items():
        assert value.grad is None or torch.equal(value.grad, far[name].grad)


def test_an_attack_looks_through_the_bound(study, preparation):
    tight = study.with_axes({"network.position_limit": 0.1, "epsilon": 0.5})
    problem = HedgingProblem.of(tight, preparation.standardisation)
    draws = stream(0, "attack")
    paths = preparation.data["val"]
    clean = problem.outcomes(preparation.theta_star, paths)
    worst = problem.outcomes(preparation.theta_star, paths, attack=tight.attack, generator=draws)
    assert float(clean.turnover.max()) <= 0.1 * 2 * study.market.steps
    assert float(worst.pnl.mean()) < float(clean.pnl.mean())


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_a_limit_of_nothing_is_one_clear_line(limit):
    with pytest.raises(ConfigError, match=r"network.position_limit: .*above 0.*got -?\d"):
        TicketStudy().with_axes({"network.position_limit": limit})


def test_no_limit_at_all_is_one_clear_line():
    with pytest.raises(ConfigError, match=r"network.position_limit: expected a number") as caught:
        TicketStudy().with_axes({"network.position_limit": None})
    assert caught.value.write == (100.0,)


def test_the_limit_is_an_axis_that_changes_what_is_prepared_and_deployed():
    study = TicketStudy().with_axes({"network.position_limit": 3.0})
    assert study.shared_study() != TicketStudy().shared_study()
    assert deployed(study, {}, {}).facts["position_limit"] == 3.0


def test_a_hedge_worse_than_none_is_named_with_both_numbers(study, preparation):
    problem = HedgingProblem.of(study, preparation.standardisation)
    paths = preparation.data["val"]
    theta = holding(preparation.theta_star, 30.0)
    reason = divergence(problem, theta, paths)
    assert reason is not None
    hedges = BaselineHedges.of(study, preparation.standardisation, preparation.data)
    none = hedges.problems["no_hedge"].outcomes({}, paths)
    for pnl in (problem.outcomes(theta, paths).pnl, none.pnl):
        assert f"{float(cvar(pnl.double(), tail=0.05)):.6g}" in reason
    assert "training.lr" in reason


def test_what_hedges_and_what_does_nothing_has_not_diverged(study, preparation):
    problem = HedgingProblem.of(study, preparation.standardisation)
    for theta in (preparation.theta_star, holding(preparation.theta_star, 0.0)):
        assert divergence(problem, theta, preparation.data["val"]) is None


def test_a_hedge_without_a_number_has_diverged(study, preparation):
    problem = HedgingProblem.of(study, preparation.standardisation)
    theta = holding(preparation.theta_star, math.nan)
    assert "nan" in str(divergence(problem, theta, preparation.data["val"]))


def test_a_ticket_trained_under_attack_is_judged_on_clean_paths(study, preparation):
    robust = study.with_axes({"epsilon": 50.0, "attack.validation_weight": 1.0})
    problem = HedgingProblem.of(robust, preparation.standardisation)
    assert divergence(problem, preparation.theta_star, preparation.data["val"]) is None


def run(study, preparation, **arguments):
    sha256 = tensor_sha256(preparation.files["theta_0"].values())
    trial = {"study": to_mapping(study), "theta_0_sha256": sha256}
    return TrialRun(
        TICKETS.trainer, study, trial, None, preparation=preparation, device="cpu", **arguments
    )


def test_a_ticket_that_learns_nothing_fails_at_its_end_and_is_only_timed_otherwise(
    study, preparation
):
    # The position of the untrained network is worse than none.
    theta_0 = {**preparation.theta_0, "layers.2.bias": torch.tensor([30.0])}
    ran_away = replace(preparation, theta_0=theta_0)
    lazy = study.with_axes({"lr": 1e-12, "training.epochs": 1})
    judged = run(lazy, ran_away)
    assert len(list(judged.epochs())) == 1
    with pytest.raises(DivergedError, match=r"without a hedge; raise training\.epochs") as caught:
        judged.finish()
    assert not caught.value.of_baseline
    timed = run(lazy, ran_away, judged=False)
    list(timed.epochs())
    assert timed.finish()[0]["cvar_05"] < -30.0


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ({"dense.lr": 1e15, "training.schedule": "constant"}, r"loss is (nan|inf) in epoch \d"),
        ({"network.hidden": [8], "dense.lr": 1e-12}, r"without a hedge; raise dense.epochs"),
    ],
)
def test_a_dense_network_that_diverges_is_no_reference_and_fails_its_tickets(study, axes, reason):
    study = study.with_axes({**axes, "dense.epochs": 2})
    preparation = prepare(study, seed=0)
    assert set(preparation.columns.values()) == {None}
    with pytest.raises(DivergedError, match=f"dense network of the seed: .*{reason}") as caught:
        run(study, preparation)
    assert caught.value.of_baseline
    assert mismatch(study, preparation) is None
    assert "its trials fail" in TICKETS.wording.describe_preparation(preparation.about)


def test_only_tickets_with_the_mask_of_a_diverged_robust_network_fail(study, preparation):
    robust = study.with_axes(
        {"pruning.source": "robust", "epsilon": 1e6, "attack.variance_scale": 1e15}
    )
    extended = prepare(robust, seed=0, base=preparation)
    assert extended.dense.diverged is None
    assert extended.columns == preparation.columns
    with pytest.raises(DivergedError, match="dense network that determines the masks: "):
        run(robust, extended)
    assert preparation.diverged is None


@pytest.mark.parametrize(("cvar_05", "objected"), [(-7.1, True), (-6.9, False), (None, False)])
def test_a_ticket_worse_than_no_hedge_on_the_test_is_not_deployed(cvar_05, objected):
    reason = objection({"cvar_05": cvar_05}, {"no_hedge": {"cvar_05": -7.0}})
    assert (reason is not None) == objected
    assert objection({"cvar_05": cvar_05}, {}) is None
