"""Compact networks: the same positions with fewer units, in Python and by the kernel."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgecore.hedging.compact import compact
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.network import HedgingNetwork, saturated
from hedgecore.kernel.inference import compact_positions, kernel_network
from hedgecore.kernel.shared_library import library
from hedgecore.rng import stream

LIMIT = 2.0
STATES = 50


def drawn(hidden, kept, seed=0):
    """A network of random parameters, of whose layers the shares ``kept`` of weights remain."""
    draw = stream(seed, "compact")
    scales = Standardisation(
        mean=torch.randn(8, generator=draw), sd=torch.rand(8, generator=draw) + 0.1
    )
    network = HedgingNetwork(hidden, scales, position_limit=LIMIT)
    theta = {}
    for i, (inputs, outputs) in enumerate(pairwise((8, *hidden, 1))):
        shape = outputs, inputs
        mask = torch.rand(shape, generator=draw) < kept[i]
        theta[f"layers.{i}.weight"] = torch.randn(shape, generator=draw) * mask
        theta[f"layers.{i}.bias"] = torch.randn(outputs, generator=draw)
    features = torch.randn(STATES, 8, generator=draw) * scales.sd + scales.mean
    return network, theta, features


def exact(network, theta, features):
    """Positions in double precision."""
    x = (features.double() - network.mean.double()) / network.sd.double()
    values = [theta[name].double() for name in network.names]
    for i, (weight, bias) in enumerate(zip(values[::2], values[1::2], strict=True)):
        x = x @ weight.T + bias
        if i < len(values) // 2 - 1:
            x = x.relu()
    return saturated(x.squeeze(1), limit=network.position_limit)


def evaluated(layers, features):
    x = features.double()
    for weight, bias in layers[:-1]:
        x = (x[:, : weight.shape[1]] @ weight.double().T + bias.double()).relu()
    weight, bias = layers[-1]
    return saturated(
        (x[:, : weight.shape[1]] @ weight.double().T + bias.double())[:, 0], limit=LIMIT
    )


def close(network, theta):
    """Tolerance of float32: rounding errors grow with the sums of a layer."""
    scale = 1.0
    for name in network.names[::2]:
        scale *= max(1.0, float(theta[name].abs().sum(dim=1).max()))
    scale /= float(network.sd.min())
    return {"rtol": 1e-5, "atol": 1e-7 * scale}


hidden_layers = st.lists(st.integers(1, 20), min_size=1, max_size=4).map(tuple)
shares = st.lists(st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0]), min_size=5, max_size=5)
networks = given(hidden_layers, shares, st.integers(0, 2**20))


@settings(deadline=None)
@networks
def test_a_compact_network_has_the_same_positions(hidden, kept, seed):
    network, theta, features = drawn(hidden, kept, seed)
    smaller = compact(network, theta)
    tolerance = close(network, theta)
    expected = exact(network, theta, features)
    torch.testing.assert_close(evaluated(smaller.layers, features), expected, **tolerance)
    if (kernel := library()) is not None:
        hedge = kernel_network(smaller.arrays, limit=LIMIT)
        position = compact_positions(kernel, hedge, features)
        torch.testing.assert_close(position.double(), expected, **tolerance)


@settings(deadline=None)
@networks
def test_every_unit_that_is_left_has_inputs_and_outputs(hidden, kept, seed):
    network, theta, _ = drawn(hidden, kept, seed)
    smaller = compact(network, theta)
    for (weight, _), (following, _) in pairwise(smaller.layers):
        assert (weight != 0).any(dim=1).all()
        assert (following != 0).any(dim=0).all()


def test_a_dense_network_keeps_all_of_its_weights():
    network, theta, _ = drawn((12, 5), (1.0, 1.0, 1.0))
    smaller = compact(network, theta)
    assert (smaller.weights, smaller.units) == (8 * 12 + 12 * 5 + 5, 17)
    assert len(smaller.inputs) == 8


@pytest.mark.parametrize("layer", range(3))
def test_a_layer_without_weights_makes_the_position_constant(layer):
    network, theta, features = drawn((6, 6), [float(i != layer) for i in range(3)])
    smaller = compact(network, theta)
    assert (len(smaller.layers), smaller.weights, smaller.units, smaller.inputs) == (1, 0, 0, [])
    expected = exact(network, theta, features)
    torch.testing.assert_close(evaluated(smaller.layers, features), expected)
    if (kernel := library()) is not None:
        hedge = kernel_network(smaller.arrays, limit=LIMIT)
        position = compact_positions(kernel, hedge, features)
        torch.testing.assert_close(position.double(), expected, rtol=1e-5, atol=1e-5)


def test_constants_pass_through_layers_and_dead_ends_are_cut_back():
    network, theta, _ = drawn((2, 2, 2), (1.0,) * 4)
    theta["layers.0.weight"][0] = 0  # constant, and so is the unit that reads it alone
    theta["layers.1.weight"][0, 1] = 0
    theta["layers.1.weight"][1, 1] = 1.0
    theta["layers.2.weight"][1, 1] = 0  # reads a constant alone
    smaller = compact(network, theta)
    assert [tuple(weight.shape) for weight, _ in smaller.layers] == [
        (1, 8),
        (1, 1),
        (1, 1),
        (1, 1),
    ]
    theta["layers.3.weight"][0, 0] = 0  # the only way out of the units that vary
    assert compact(network, theta).units == 0


def test_a_parameter_that_is_not_finite_is_refused():
    network, theta, _ = drawn((3,), (1.0, 1.0))
    theta["layers.0.bias"][1] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        compact(network, theta)


@pytest.mark.skipif(library() is None, reason="no compiled kernel")
def test_not_a_number_is_passed_on():
    network, theta, features = drawn((9, 9), (1.0,) * 3)
    hedge = kernel_network(compact(network, theta).arrays, limit=LIMIT)
    features[-1, 2] = torch.nan
    position = compact_positions(library(), hedge, features)
    assert position[-1].isnan()
    assert position[:-1].isfinite().all()
