"""The kernel computes what it covers, and leaves everything else to autograd."""

from dataclasses import dataclass, replace
from itertools import product

import pytest
import torch
from kernel_problems import ATTACKS, case
from kernel_problems import RISKS as COMPARED_RISKS

from hedgecore.attacks.threats import THREATS
from hedgecore.config import ConfigError, from_mapping, to_mapping
from hedgecore.hedging import compiled
from hedgecore.hedging.compiled import covers, positions
from hedgecore.hedging.descent import AutogradDescent, CompiledDescent, compiles, descent
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.network import HedgingNetwork
from hedgecore.hedging.network import positions as positions_by_autograd
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.hedging.study import TicketStudy
from hedgecore.kernel.shared_library import OFF, SWITCH, library
from hedgecore.kernel.structures import MAX_LAYERS
from hedgecore.risk import RISKS, CVaR

needs_kernel = pytest.mark.skipif(library() is None, reason="no compiled kernel")


def chosen(one):
    return descent(one.problem, one.theta, one.mask, training=one.problem.study.training, seed=0)


@needs_kernel
def test_what_is_covered_is_what_the_gradients_are_compared_for():
    # A new entry of a registry is not covered, or is added to the comparison.
    covered = {
        (risk, threat)
        for risk, threat in product(RISKS, THREATS)
        if compiles(case(risk=risk, attack={"epsilon": 0.1, "name": threat}).problem)
    }
    assert covered == set(product(COMPARED_RISKS, set(ATTACKS) - {"none"}))
    assert all(compiles(case(risk=risk).problem) for risk in RISKS)


@needs_kernel
@pytest.mark.parametrize("threat", [n for n, t in THREATS.items() if t.model == "distribution"])
def test_training_under_a_distribution_attack_takes_autograd(threat):
    one = case(attack={"epsilon": 0.1, "name": threat, "steps": 2})
    descent = chosen(one)
    assert isinstance(descent, AutogradDescent)
    batch = torch.arange(one.paths.paths)
    losses, _ = descent.epoch([(1e-3, batch)], one.paths, one.problem.study.attack)
    assert losses.isfinite().all()


def test_without_the_kernel_every_study_trains_by_autograd(monkeypatch):
    monkeypatch.setenv(SWITCH, OFF)
    assert isinstance(chosen(case()), AutogradDescent)


def test_an_unknown_build_is_refused_with_the_choices(monkeypatch):
    monkeypatch.setenv(SWITCH, "sse")
    with pytest.raises(ConfigError, match=f"{SWITCH}: must be one of .*off, got 'sse'"):
        library()


@dataclass(frozen=True)
class OtherRisk(CVaR):
    """A risk that the kernel has never heard of."""


class OtherNetwork(HedgingNetwork):
    """A network that may compute anything."""


@needs_kernel
def test_other_risks_networks_and_attacks_are_not_covered(monkeypatch):
    one = case()
    assert compiles(one.problem)
    scales = Standardisation(mean=torch.zeros(8), sd=torch.ones(8))
    network = OtherNetwork((4,), scales, position_limit=1.0)
    assert not covers(network)
    assert not compiles(replace(one.problem, network=network))
    attacked = case(attack=ATTACKS["path_pgd"]).problem
    other = replace(THREATS["path_pgd"], attack=lambda *args, **kwargs: args[1])
    monkeypatch.setitem(THREATS, "path_pgd", other)
    assert not compiles(attacked)
    monkeypatch.setattr("hedgecore.hedging.config.RiskConfig.measure", OtherRisk())
    assert not compiles(one.problem)


@needs_kernel
def test_double_precision_and_deep_networks_are_not_covered():
    one = case()
    assert covers(one.problem.network, *one.theta.values())
    assert not covers(one.problem.network, one.paths.spot.double())
    deep = case(hidden=[3] * MAX_LAYERS)
    assert not covers(deep.problem.network)
    shallow = case(hidden=[3] * (MAX_LAYERS - 1))
    assert covers(shallow.problem.network)


@needs_kernel
def test_parameters_that_need_a_gradient_take_autograd():
    one = case()
    theta = {name: value.requires_grad_() for name, value in one.theta.items()}
    scene = Scene(one.paths.spot, one.paths.variance)
    one.problem.outcome(theta, scene).pnl.sum().backward()
    assert all(value.grad is not None for value in theta.values())
    with torch.no_grad():
        assert compiled.outcome(one.problem.study, one.problem.network, theta, *scene) is not None


@needs_kernel
@pytest.mark.parametrize("sparsity", [0.0, 0.9])
@pytest.mark.parametrize("limit", [100.0, 0.05])
def test_positions_are_those_of_the_network(sparsity, limit):
    one = case(paths=130, sparsity=sparsity, limit=limit, hidden=(20, 20))
    scene = Scene(one.paths.spot, one.paths.variance)
    features = one.problem.features(scene)
    with torch.no_grad():
        arguments = (one.problem.network, one.theta, features, scene.spot)
        expected = positions_by_autograd(*arguments)
        torch.testing.assert_close(positions(*arguments), expected, rtol=1e-5, atol=1e-6)


@needs_kernel
def test_a_network_smaller_than_that_of_the_study_has_its_own_sizes():
    large, small = case(hidden=(30, 30)), case(hidden=(5, 4))
    scene = Scene(large.paths.spot, large.paths.variance)
    study = from_mapping(TicketStudy, to_mapping(large.problem.study))
    problem = HedgingProblem(study, large.problem.network)
    expected = small.problem.outcome(small.theta, scene).pnl
    torch.testing.assert_close(problem.outcome(small.theta, scene).pnl, expected)
    one = replace(small, problem=problem)
    assert isinstance(chosen(one), CompiledDescent)
