import pytest
import torch

from hedgecore.hedging.features import FEATURE_NAMES, Standardisation, exogenous, recurrent
from hedgecore.hedging.network import HedgingNetwork, initialise, positions
from hedgecore.rng import stream


def market(paths=20, steps=6):
    g = stream(0, "market")
    noise = torch.randn(paths, steps + 1, generator=g, dtype=torch.float64)
    return 100 * (0.01 * noise).cumsum(1).exp(), 0.02 + 0.01 * noise.abs()


def standardisation():
    g = stream(1, "standardisation")
    mean = torch.randn(8, generator=g, dtype=torch.float64)
    return Standardisation(mean=mean, sd=0.5 + torch.rand(8, generator=g, dtype=torch.float64))


def parameters(hidden, seed=2):
    theta = initialise(hidden, generator=stream(seed, "theta"))
    return {n: p.double() + 0.01 for n, p in theta.items()}


def held(theta, hidden, spot, variance, *, limit=100.0):
    network = HedgingNetwork(hidden, standardisation(), position_limit=limit)
    return positions(network, theta, exogenous(spot, variance, strike=100.0), spot)


@pytest.mark.parametrize("hidden", [(8,), (8, 8), (6, 5, 4)])
def test_every_position_is_the_plain_mlp_of_the_eight_standardised_features(hidden):
    (spot, variance), theta, s = market(), parameters(hidden), standardisation()
    position = held(theta, hidden, spot, variance)
    x = torch.cat([exogenous(spot, variance, strike=100.0), recurrent(position, spot)], dim=-1)
    h = (x - s.mean) / s.sd
    for i in range(len(hidden) + 1):
        h = h @ theta[f"layers.{i}.weight"].T + theta[f"layers.{i}.bias"]
        h = h.relu() if i < len(hidden) else h
    torch.testing.assert_close(position, h.squeeze(-1))


def test_a_position_depends_on_nothing_later():
    (spot, variance), theta = market(), parameters((8, 8))
    before = held(theta, (8, 8), spot, variance)
    spot[:, 4:] *= 1.1
    after = held(theta, (8, 8), spot, variance)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.equal(before[:, 4], after[:, 4])


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_every_feature_reaches_the_position_through_its_own_column(name):
    (spot, variance), theta = market(), parameters((8, 8))
    column = FEATURE_NAMES.index(name)
    cut = {**theta, "layers.0.weight": theta["layers.0.weight"].clone()}
    cut["layers.0.weight"][:, column] = 0
    assert not torch.equal(held(theta, (8, 8), spot, variance), held(cut, (8, 8), spot, variance))


def test_the_paper_network_has_101121_parameters_before_y():
    theta = initialise((256, 256, 128), generator=stream(0, "theta"))
    weights = sum(p.numel() for p in theta.values() if p.ndim == 2)
    biases = sum(p.numel() for p in theta.values() if p.ndim == 1)
    assert (weights, biases) == (100_480, 641)


def test_initial_weights_are_xavier_uniform_and_biases_zero():
    theta = initialise((256, 256), generator=stream(0, "theta"))
    weight = theta["layers.1.weight"]
    bound = (6 / 512) ** 0.5
    assert float(weight.abs().max()) <= bound
    assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=0.02)
    assert bool((theta["layers.1.bias"] == 0).all())


def test_the_network_holds_no_weights_of_its_own():
    network = HedgingNetwork((8, 8), standardisation(), position_limit=100.0)
    assert all(p.is_meta for p in network.parameters())
