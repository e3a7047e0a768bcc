import pytest
import torch

from hedgecore.insurance.xnn.network import CLASSES, initialise, matrices, pre_activations
from hedgecore.rng import stream


def theta_0(seed=0, hidden=(64, 32)):
    return initialise(10, hidden, generator=stream(seed, "theta_0"))


def test_the_notebooks_network_has_3048_parameters():
    assert sum(p.numel() for p in theta_0().values()) == 3048


def test_theta_0_is_a_function_of_its_stream():
    first, again, other = theta_0(0), theta_0(0), theta_0(1)
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not any(torch.equal(first[n], other[n]) for n in first)


def test_theta_0_has_the_spread_of_torchs_linear_layers():
    theta = theta_0(hidden=(400, 300))
    for i, inputs in enumerate((10, 400, 300)):
        values = theta[f"layers.{i}.weight"]
        assert values.abs().max() <= inputs**-0.5
        # A uniform law of half-width b has sd b / sqrt(3); four standard errors of that.
        tolerance = 4 * (0.2 / values.numel()) ** 0.5 * inputs**-0.5 * 3**0.5
        assert float(values.std()) == pytest.approx((3 * inputs) ** -0.5, abs=tolerance)


def test_pre_activations_are_those_of_a_module():
    theta = theta_0()
    first, second, last = layers = [torch.nn.utils.skip_init(torch.nn.Linear, w.shape[1], len(w))
                                    for w in matrices(theta)]  # fmt: skip
    for i, layer in enumerate(layers):
        layer.load_state_dict({n: theta[f"layers.{i}.{n}"] for n in ("weight", "bias")})
    x = torch.randn(5, 10, generator=stream(0, "x"))
    z_1 = first(x)
    z_2 = second(z_1.relu())
    for found, expected in zip(
        pre_activations(theta, x), (z_1, z_2, last(z_2.relu())), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_logits_are_one_a_class():
    logits = pre_activations(theta_0(), torch.zeros(3, 10))[-1]
    assert logits.shape == (3, CLASSES)


def test_a_forward_pass_leaves_nothing_behind():
    theta, x = theta_0(), torch.ones(2, 10)
    first = pre_activations(theta, x)
    pre_activations(theta, torch.zeros(7, 10))
    assert all(map(torch.equal, first, pre_activations(theta, x)))
