"""P&L and gradients of the kernel against autograd in double precision."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from kernel_problems import (
    ATTACKS,
    RISKS,
    SETTINGS,
    autograd_step,
    case,
    distance,
    scene_gradient,
    step_gradient,
)
from torch.overrides import TorchFunctionMode

from hedgecore.attacks import pathwise
from hedgecore.hedging.descent import AutogradDescent, CompiledDescent
from hedgecore.kernel.shared_library import library

pytestmark = pytest.mark.skipif(library() is None, reason="no compiled kernel")

WITHIN, NEAR = 1e-5, 3e-6
EXAMPLES = settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def draws_in_single_precision(monkeypatch):
    """The same random starts in both precisions: torch draws other numbers in float64."""

    def uniform(like, generator):
        return (2 * torch.rand(like.shape, generator=generator) - 1).to(like.dtype)

    monkeypatch.setattr(pathwise, "_uniform", uniform)


class Margin(TorchFunctionMode):
    """Smallest distance from a kink of the hedge, in mean absolute inputs of the kinked function.

    The kinks are those of hidden units, of traded amounts and of the payoff. An exact 0, such as
    the trade of a network without weights, is one in every precision.
    """

    KINKED = (torch.Tensor.relu, torch.Tensor.abs, torch.clamp)

    def __init__(self):
        super().__init__()
        self.least = float("inf")

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        if function in self.KINKED:
            sizes = torch.Tensor.detach(arguments[0]).double().numpy()
            sizes = np.abs(sizes[sizes != 0])
            if sizes.size:
                self.least = min(self.least, float(sizes.min() / sizes.mean()))
        return function(*arguments, **(keywords or {}))


def well_conditioned(gradient, case):
    """True if rounding to float32 leaves the exact gradient where it is.

    It does not next to a kink, nor at the boundary of the tail.
    """
    with Margin() as margin:
        exact = gradient(case.double())[1]
    return margin.least > NEAR and all(
        distance(gradient(case.moved(seed).double())[1], exact) < WITHIN / 5 for seed in (1, 2, 3)
    )


@EXAMPLES
@given(SETTINGS)
def test_the_pnl_and_its_gradient_in_prices_and_variances(settings_of_case):
    check(partial(scene_gradient, observed=False), case(**settings_of_case))


@EXAMPLES
@given(SETTINGS)
def test_the_pnl_and_its_gradient_in_the_observation(settings_of_case):
    check(partial(scene_gradient, observed=True), case(**settings_of_case))


@EXAMPLES
@given(SETTINGS)
def test_the_gradient_of_a_step_in_the_parameters(settings_of_case):
    check(partial(step_gradient, kind=CompiledDescent), case(**settings_of_case), autograd_step)


def check(kernel, tried, definition=None):
    definition = definition or kernel
    assume(well_conditioned(definition, tried))
    compare(kernel(tried), definition(tried.double()))


def compare(computed, exact):
    (value, gradient), (exact_value, exact_gradient) = computed, exact
    # A P&L near 0 is the difference of amounts of at least a unit of currency.
    assert (value - exact_value).norm() < WITHIN * max(exact_value.norm(), 1)
    assert distance(gradient, exact_gradient) < WITHIN


@pytest.mark.parametrize(
    ("y", "clean_weight", "sparsity"),
    [("optimal", 0, 0), ("optimal", 0.7, 0.8), ("parameter", 0.7, 0), ("parameter", 0, 0.8)],
)
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("risk", RISKS)
def test_the_gradient_under_every_risk_and_attack(risk, attack, clean_weight, y, sparsity):
    settings_of_attack = dict(ATTACKS[attack])
    if settings_of_attack:
        settings_of_attack["clean_weight"] = clean_weight
    for seed in range(20):
        tried = case(risk=risk, y=y, attack=settings_of_attack, sparsity=sparsity, seed=seed)
        if well_conditioned(autograd_step, tried):
            break
    else:
        pytest.fail("no well-conditioned case")
    compare(step_gradient(tried, CompiledDescent), autograd_step(tried))


def test_losses_of_forty_steps_agree_with_autograd():
    one = case(hidden=(16, 16), paths=256, steps=10, sparsity=0.5)
    steps = [(1e-3, torch.arange(256).roll(7 * i)[:128]) for i in range(40)]
    losses = [
        kind(one.problem, one.theta, one.mask, training=one.problem.study.training, seed=0).epoch(
            steps, one.paths, one.problem.study.attack
        )[0]
        for kind in (CompiledDescent, AutogradDescent)
    ]
    torch.testing.assert_close(*losses, rtol=1e-4, atol=0)


def test_a_path_that_is_not_finite_makes_the_loss_nan():
    one = case()
    one.paths.spot[3, 2] = float("nan")
    loss, gradient = step_gradient(one, CompiledDescent)
    assert loss.isnan()
    assert gradient.isnan().all()
