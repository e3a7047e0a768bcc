import pytest
import torch

from hedgecore.hedging.feature_importance import (
    attributions,
    connections,
    first_layer_importance,
    integrated_gradients,
    interpretation,
    live_connections,
    permutation_importance,
)
from hedgecore.hedging.features import FEATURE_NAMES, Standardisation, exogenous, recurrent
from hedgecore.hedging.network import HedgingNetwork, initialise, positions
from hedgecore.hedging.pnl import settle
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths
from hedgecore.market.payoffs import call
from hedgecore.pruning import mask as masks
from hedgecore.risk import cvar
from hedgecore.rng import stream

STRIKE = 100.0
FIRST = "layers.0.weight"


def market(paths=40, steps=6):
    g = stream(0, "market")
    noise = torch.randn(paths, steps + 1, generator=g, dtype=torch.float64)
    noise[:, 0] = 0
    return MarketPaths(
        spot=100 * (0.01 * noise).cumsum(1).exp(),
        variance=0.02 + 0.01 * noise.abs(),
        maturity=0.1,
    )


def standardisation():
    """About what the features have on :func:`market`."""
    mean = [0, 0, 0.15, 0, 0.6, 0.4, 0, 0.8]
    sd = [0.02, 0.01, 0.03, 0.01, 0.3, 0.3, 0.5, 0.4]
    return Standardisation(*(torch.tensor(x, dtype=torch.float64) for x in (mean, sd)))


def problem(theta, **axes):
    """The problem of default costs and option that ``theta`` belongs to."""
    hidden = tuple(
        theta[f"layers.{i}.bias"].numel() for i in range(len(masks.prunable(theta)) - 1)
    )
    network = HedgingNetwork(hidden, standardisation(), position_limit=100.0)
    return HedgingProblem(TicketStudy().with_axes(axes), network)


def parameters(hidden=(8, 8), seed=2):
    theta = initialise(hidden, generator=stream(seed, "theta"))
    return {n: p.double() + (0.05 if p.ndim == 1 else 0) for n, p in theta.items()}


def reading(*names, seed=2):
    """A network whose first layer reads ``names`` alone."""
    theta = parameters(seed=seed)
    for i, name in enumerate(FEATURE_NAMES):
        if name not in names:
            theta[FIRST][:, i] = 0
    return theta


def linear(slopes):
    """A network of two units that is ``slopes`` times the standardised features."""
    w = torch.tensor(slopes, dtype=torch.float64)
    return {
        "layers.0.weight": torch.stack([w, -w]),
        "layers.0.bias": torch.zeros(2, dtype=torch.float64),
        "layers.1.weight": torch.tensor([[1.0, -1.0]], dtype=torch.float64),
        "layers.1.bias": torch.zeros(1, dtype=torch.float64),
    }


def plain(theta, x):
    """The network of a single date."""
    s = standardisation()
    h = (x - s.mean) / s.sd
    layers = len(masks.prunable(theta))
    for i in range(layers):
        h = h @ theta[f"layers.{i}.weight"].T + theta[f"layers.{i}.bias"]
        h = h.relu() if i < layers - 1 else h
    return h.squeeze(-1)


def told(paths):
    return exogenous(paths.spot, paths.variance, strike=STRIKE)


def held(theta, paths, recall=None):
    return positions(problem(theta).network, theta, told(paths), paths.spot, recall)


def read(theta, paths):
    """Inputs of the network at every date."""
    return torch.cat([told(paths), recurrent(held(theta, paths), paths.spot)], dim=-1)


def only(name):
    return [1.0 if n == name else 0.0 for n in FEATURE_NAMES]


def stepwise(theta, paths, name, other, ahead):
    """The hedge that reads ``name`` of another path, one date after the other."""
    truth = told(paths)
    column, steps, spot = FEATURE_NAMES.index(name), paths.steps, paths.spot
    previous = gains = volume = torch.zeros_like(spot[:, 0])
    shares = []
    for t in range(steps):
        x = torch.cat([truth[:, t], torch.stack([previous, gains, volume], dim=1)], dim=1)
        x[:, column] = x[other, column]
        if name == "time_to_maturity":
            x[:, column] = 1 - (t + ahead[:, 0]) % steps / steps
        shares.append(plain(theta, x))
        volume = volume + (shares[-1] - previous).abs()
        gains = gains + previous * (spot[:, t] - spot[:, t - 1]) if t else gains
        previous = shares[-1]
    return torch.stack(shares, dim=1)


def permuted(theta, paths=None, **settings):
    generator = stream(4, "permutations")
    return permutation_importance(
        problem(theta), theta, paths or market(), generator=generator, **settings
    )


def test_a_network_told_the_truth_about_its_past_does_as_ever():
    theta, paths = parameters(), market()
    assert torch.equal(held(theta, paths, lambda past: past), held(theta, paths))


def test_a_network_told_a_lie_about_its_past_goes_on_from_what_it_truly_did():
    theta, paths, lie = parameters(), market(), torch.tensor([0.5, -1.0, 2.0]).double()
    position = held(theta, paths, lambda past: past + lie)
    x = torch.cat([told(paths), recurrent(position, paths.spot) + lie], dim=-1)
    torch.testing.assert_close(position, plain(theta, x))


def test_scaled_importance_is_the_share_of_absolute_weights_on_standardised_features():
    theta = {FIRST: torch.tensor([[1.0, -2, 0, 0, 0, 0, 0, 3], [-1, 0, 0, 0, 0, 0, 0, 1]])}
    _, scaled = first_layer_importance(theta, standardisation())
    assert scaled.tolist() == pytest.approx([2 / 8, 2 / 8, 0, 0, 0, 0, 0, 4 / 8])


def test_raw_importance_is_that_of_the_same_network_on_features_in_their_own_units():
    theta, s = parameters(), standardisation()
    weight = theta[FIRST] / s.sd
    unscaled = {**theta, FIRST: weight, "layers.0.bias": theta["layers.0.bias"] - weight @ s.mean}
    as_they_are = Standardisation(torch.zeros_like(s.mean), torch.ones_like(s.sd))

    paths = market()
    network = HedgingNetwork((8, 8), as_they_are, position_limit=100.0)
    same = positions(network, unscaled, told(paths), paths.spot)
    torch.testing.assert_close(held(theta, paths), same)

    raw, scaled = first_layer_importance(theta, s)
    column_sums = weight.abs().sum(0)
    torch.testing.assert_close(raw, column_sums / column_sums.sum())
    torch.testing.assert_close(raw, first_layer_importance(unscaled, as_they_are)[0])
    assert not torch.allclose(raw, scaled)


def test_the_first_layer_of_a_network_that_reads_nothing_has_no_importance():
    raw, scaled = first_layer_importance(reading(), standardisation())
    assert raw.tolist() == scaled.tolist() == [0.0] * 8


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_a_network_that_reads_one_feature_has_all_importance_there(name):
    theta = reading(name)
    raw, scaled = first_layer_importance(theta, standardisation())
    gradients = integrated_gradients(problem(theta), theta, market())
    kept = connections(theta, {FIRST: theta[FIRST] != 0})
    for importance in (raw, scaled, gradients / gradients.sum(), kept / kept.sum()):
        assert importance.tolist() == pytest.approx(only(name))


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_permutation_importance_is_the_fall_of_a_hedge_that_reads_another_path(name):
    theta, paths, tail = parameters(), market(), 0.2
    g = stream(4, "permutations")
    other = torch.randperm(paths.paths, generator=g)
    ahead = torch.randint(paths.steps, (paths.paths, 1), generator=g)
    study, payoff = TicketStudy(), call(paths.spot[:, -1], STRIKE)

    def worst(position):
        outcome = settle(position, paths.spot, payoff, cost=study.cost, market=study.market)
        return cvar(outcome.pnl, tail=tail)

    fall = worst(held(theta, paths)) - worst(stepwise(theta, paths, name, other, ahead))
    found = permuted(theta, tail=tail, repeats=1)[FEATURE_NAMES.index(name)]
    assert float(fall) != 0
    torch.testing.assert_close(found, fall)


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_a_feature_that_is_not_read_has_exactly_no_importance(name):
    theta = reading(*(n for n in FEATURE_NAMES if n != name))
    found = permuted(theta)
    gradients = integrated_gradients(problem(theta), theta, market())
    for i, n in enumerate(FEATURE_NAMES):
        assert (float(found[i]) == 0) == (float(gradients[i]) == 0) == (n == name)


@pytest.mark.parametrize("name", FEATURE_NAMES[1:])
def test_permuting_a_feature_moves_its_own_importance_alone(name):
    # Log-moneyness makes paths differ: a hedge's own past is else the same on all of them.
    found = permuted(reading("log_moneyness", name))
    assert {n for n, fall in zip(FEATURE_NAMES, found, strict=True) if fall != 0} == {
        "log_moneyness",
        name,
    }


def test_a_hedge_that_lives_on_its_last_return_loses_two_in_the_tail_without_it():
    # Every path continues as it began, and the hedge holds one share, bought or sold, in its
    # direction: it gains 1. With the return of a path that went the other way it loses 1.
    up = torch.tensor([100.0, 101, 102], dtype=torch.float64)
    spot = torch.cat([up.repeat(50, 1), 200 - up.repeat(50, 1)])
    paths = MarketPaths(spot=spot, variance=torch.full_like(spot, 0.04), maturity=0.1)
    one_share = 100 * float(standardisation().sd[1])
    theta = linear([one_share * x for x in only("return")])
    free = problem(theta, **{"cost.proportional": 0.0, "option.strike": 200.0})
    found = permutation_importance(free, theta, paths, generator=stream(0, "permutations"))
    assert found.tolist() == pytest.approx([2 * x for x in only("return")])


def test_the_calendar_which_all_paths_share_has_an_importance_of_its_own():
    found = permuted(reading("time_to_maturity"))
    assert [float(x) != 0 for x in found] == [bool(x) for x in only("time_to_maturity")]


def test_permutations_are_those_of_their_stream():
    theta = parameters()
    assert torch.equal(permuted(theta), permuted(theta))
    elsewhere = permutation_importance(
        problem(theta), theta, market(), generator=stream(5, "other")
    )
    assert not torch.equal(permuted(theta), elsewhere)


def incompleteness(theta, nodes):
    """Largest error of the sum of attributions, as a share of the largest sum."""
    paths, mean = market(), standardisation().mean
    found = attributions(problem(theta), theta, paths, nodes=nodes).sum(dim=-1)
    expected = held(theta, paths) - plain(theta, mean[None])
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("seed", range(2))
def test_attributions_sum_to_the_position_less_that_at_the_training_mean(seed):
    theta = parameters(seed=seed)
    one, few, many = (incompleteness(theta, nodes) for nodes in (1, 16, 512))
    assert many < few < one
    assert many < 0.005


def test_a_linear_network_attributes_slope_times_distance_from_the_mean():
    slopes, s, paths = [0.1, -0.2, 0.3, 0.4, -0.5, 0.2, 0.1, -0.1], standardisation(), market()
    theta = linear(slopes)
    found = attributions(problem(theta), theta, paths, nodes=3)
    expected = torch.tensor(slopes, dtype=torch.float64) * (read(theta, paths) - s.mean) / s.sd
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        integrated_gradients(problem(theta), theta, paths), expected.abs().mean(dim=(0, 1))
    )


def test_the_default_number_of_nodes_is_enough_for_an_importance():
    theta, paths = parameters(), market()
    few = integrated_gradients(problem(theta), theta, paths)
    many = integrated_gradients(problem(theta), theta, paths, nodes=256)
    torch.testing.assert_close(few, many, rtol=0.03, atol=0)


def test_connections_are_the_kept_weights_of_every_input():
    mask = {FIRST: torch.zeros(8, 8, dtype=torch.bool)}
    for i in range(8):
        mask[FIRST][:i, i] = True
    assert connections(parameters(), mask).tolist() == list(range(8))


def test_a_network_without_a_mask_keeps_and_uses_every_connection():
    theta = parameters()
    assert connections(theta, {}).tolist() == live_connections(theta, {}).tolist() == [8] * 8


def test_a_connection_is_live_while_its_path_to_the_output_is_kept():
    theta = parameters((3, 2))
    mask = {n: torch.ones_like(theta[n], dtype=torch.bool) for n in masks.prunable(theta)}
    mask["layers.1.weight"][:, 0] = False  # unit 0 leads nowhere,
    mask["layers.1.weight"][0, 1] = False  # unit 1 to the second of the next layer alone,
    mask["layers.2.weight"][0, 1] = False  # which leads nowhere
    mask[FIRST][2, 5] = False
    assert connections(theta, mask).tolist() == [3, 3, 3, 3, 3, 2, 3, 3]
    assert live_connections(theta, mask).tolist() == [1, 1, 1, 1, 1, 0, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_a_feature_moves_the_hedge_through_live_connections_alone(seed):
    theta, g, paths = parameters((12, 10), seed), stream(seed, "mask"), market()
    mask = {n: torch.rand(theta[n].shape, generator=g) < 0.15 for n in masks.prunable(theta)}
    ticket, live = masks.apply(theta, mask), live_connections(theta, mask)
    assert bool((live <= connections(theta, mask)).all())
    cut = {**ticket, FIRST: ticket[FIRST] * (live > 0)}
    assert torch.equal(held(cut, paths), held(ticket, paths))
    assert bool((integrated_gradients(problem(ticket), ticket, paths)[live == 0] == 0).all())


def test_an_interpretation_holds_every_measure_of_the_hedge():
    theta, paths = parameters(), market()
    mask = {FIRST: torch.rand(8, 8, generator=stream(0, "mask")) < 0.5}
    ticket = masks.apply(theta, mask)
    raw, scaled = first_layer_importance(ticket, standardisation())
    generator = stream(3, "interpretation")
    expected = {
        "importance_raw": raw,
        "importance_scaled": scaled,
        "importance_permutation": permutation_importance(
            problem(theta), ticket, paths, generator=generator
        ),
        "importance_gradients": integrated_gradients(problem(theta), ticket, paths),
        "connections": connections(theta, mask),
        "connections_live": live_connections(theta, mask),
    }
    found = interpretation(problem(theta), ticket, mask, paths, seed=3)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert torch.equal(found[name], value.float())


def test_an_interpretation_is_of_the_first_paths_that_the_study_names():
    theta, paths = parameters(), market()
    few = problem(theta, **{"evaluation.interpreted_paths": 10})
    found = interpretation(few, theta, {}, paths, seed=3)
    paths.spot[10:] *= 1.1
    again = interpretation(few, theta, {}, paths, seed=3)
    assert all(torch.equal(found[name], again[name]) for name in found)
    everything = interpretation(problem(theta), theta, {}, paths, seed=3)
    assert not torch.equal(found["importance_permutation"], everything["importance_permutation"])


def test_a_study_that_interprets_no_paths_has_no_interpretation():
    theta = parameters()
    none = problem(theta, **{"evaluation.interpreted_paths": 0})
    assert interpretation(none, theta, {}, market(), seed=3) == {}


def test_an_interpretation_needs_no_gradients_and_leaves_none():
    theta = {name: p.requires_grad_() for name, p in parameters().items()}
    with torch.no_grad():
        found = interpretation(problem(theta), theta, {}, market(), seed=3)
    assert not any(value.requires_grad for value in found.values())
    assert all(p.grad is None for p in theta.values())
