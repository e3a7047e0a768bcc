from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgecore.pruning import criteria, lottery
from hedgecore.pruning import mask as masks
from hedgecore.rng import stream


def network(*widths, seed=0, ties=False):
    g, theta = stream(seed, "net"), {}
    for i, (a, b) in enumerate(pairwise(widths)):
        weight = torch.randn(b, a, generator=g)
        theta[f"layers.{i}.weight"] = weight.sign() if ties else weight
        theta[f"layers.{i}.bias"] = torch.randn(b, generator=g)
    theta["y"] = torch.tensor(2.7)
    return theta


def magnitude(theta, sparsity, **options):
    scores = criteria.magnitude(theta, masks.prunable(theta))
    return criteria.best(scores, sparsity=sparsity, **options)


@settings(max_examples=150, deadline=None)
@given(
    sparsity=st.floats(0, 0.95),
    scope=st.sampled_from(sorted(criteria.SCOPES)),
    ties=st.booleans(),
    min_kept=st.integers(0, 3),
)
def test_pruning_keeps_exactly_k_weights_even_under_ties(sparsity, scope, ties, min_kept):
    theta = network(8, 13, 11, 1, ties=ties)
    total = 8 * 13 + 13 * 11 + 11
    mask = magnitude(theta, sparsity, scope=scope, min_kept=min_kept)
    kept = sum(int((theta[name] * m).count_nonzero()) for name, m in mask.items())
    assert kept == masks.kept(mask) == round((1 - sparsity) * total)
    assert all(int(m.sum()) >= min_kept for m in mask.values())


def test_the_paper_network_at_80_percent_keeps_20096_of_100480_weights():
    mask = magnitude(network(8, 256, 256, 128, 1), 0.8)
    assert (masks.kept(mask), masks.total(mask)) == (20_096, 100_480)
    assert masks.sparsity(mask) == pytest.approx(0.8)


def test_global_magnitude_keeps_the_largest_weights_of_the_whole_network():
    theta = network(8, 16, 16, 1)
    mask = magnitude(theta, 0.7)
    kept = torch.cat([theta[n].abs()[m] for n, m in mask.items()])
    removed = torch.cat([theta[n].abs()[~m] for n, m in mask.items()])
    assert kept.min() >= removed.max()


def test_layerwise_magnitude_prunes_every_layer_alike():
    mask = magnitude(network(8, 32, 32, 1), 0.75, scope="layerwise")
    for layer in masks.report(mask):
        assert layer.kept == pytest.approx(0.25 * layer.total, abs=1)


def test_ties_go_to_the_earlier_weight():
    chosen = masks.top(torch.tensor([1.0, 2.0, 2.0, 2.0, 1.0]), 2)
    assert chosen.tolist() == [False, True, True, False, False]


def test_masks_are_nested_over_sparsity():
    theta = network(8, 16, 16, 1)
    dense_to_sparse = [magnitude(theta, s) for s in (0.0, 0.5, 0.8, 0.95)]
    for wide, narrow in pairwise(dense_to_sparse):
        assert all(bool((wide[n] | ~narrow[n]).all()) for n in wide)


def test_a_layer_of_tiny_weights_does_not_collapse():
    theta = network(8, 16, 16, 1)
    theta["layers.1.weight"] *= 1e-6
    mask = magnitude(theta, 0.9, min_kept=4)
    assert [layer.kept >= 4 for layer in masks.report(mask)] == [True, True, True]
    assert int(magnitude(theta, 0.9, min_kept=0)["layers.1.weight"].sum()) == 0


def test_a_sparsity_too_high_for_the_guard_says_so():
    with pytest.raises(ValueError, match=r"keeps 3 of 400 weights, too few for 2 in each of 3"):
        magnitude(network(8, 16, 16, 1), 0.9925, min_kept=2)


@pytest.mark.parametrize("sparsity", [1.0, -0.1, 2.0, float("nan")])
def test_sparsity_must_leave_something(sparsity):
    with pytest.raises(ValueError, match=r"sparsity must lie in \[0, 1\), got"):
        magnitude(network(8, 4, 1), sparsity)


def test_a_diverged_network_cannot_be_pruned():
    theta = network(8, 4, 1)
    theta["layers.0.weight"][0, 0] = float("nan")
    with pytest.raises(ValueError, match="score is NaN; the network diverged"):
        magnitude(theta, 0.5)


def test_biases_and_y_are_never_pruned():
    theta = network(8, 4, 1)
    assert masks.prunable(theta) == ["layers.0.weight", "layers.1.weight"]
    assert masks.prunable(theta, exclude=("layers.1.weight",)) == ["layers.0.weight"]


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        (("layers.9.weight",), "cannot exclude 'layers.9.weight'; weights: layers.0.weight"),
        (("layers.0.weight", "layers.1.weight"), "no weight is left to prune"),
    ],
)
def test_exclusion_must_name_weights_and_leave_some(exclude, message):
    with pytest.raises(ValueError, match=message):
        masks.prunable(network(8, 4, 1), exclude=exclude)


def test_dead_units_have_no_way_in_or_no_way_out():
    mask = {
        "a": torch.tensor([[1, 1], [0, 0], [1, 0]]).bool(),  # unit 1 has no way in,
        "b": torch.tensor([[1, 1, 0]]).bool(),  # unit 2 has no way out
    }
    assert [layer.dead_units for layer in masks.report(mask)] == [2, 0]


def draw(kind, theta_0, theta_star, sparsity=0.8, seed=0):
    return lottery.draw(
        kind,
        theta_0=theta_0,
        theta_star=theta_star,
        sparsity=sparsity,
        generator=stream(seed, "draw"),
        initialise=lambda g: network(8, 16, 16, 1, seed=int(torch.randint(99, (), generator=g))),
    )


def test_a_ticket_is_theta_0_under_the_mask_of_theta_star_bit_for_bit():
    theta_0, theta_star = network(8, 16, 16, 1, seed=1), network(8, 16, 16, 1, seed=2)
    ticket = draw("lottery", theta_0, theta_star)
    expected = magnitude(theta_star, 0.8)
    for name, value in ticket.theta.items():
        kept = expected.get(name, torch.ones_like(value, dtype=torch.bool))
        assert torch.equal(value, torch.where(kept, theta_0[name], torch.zeros_like(value))), name


def test_rewinding_restores_weights_biases_and_y_and_shares_no_memory():
    snapshot = network(8, 4, 1)
    rewound = lottery.rewind(snapshot, {})
    assert rewound.keys() == snapshot.keys()
    for name, value in rewound.items():
        assert torch.equal(value, snapshot[name])
        value += 1
        assert not torch.equal(value, snapshot[name])


def test_the_random_mask_is_as_sparse_and_chosen_blindly():
    theta_0, theta_star = network(8, 16, 16, 1, seed=1), network(8, 16, 16, 1, seed=2)
    drawn = draw("random_mask", theta_0, theta_star)
    found = draw("lottery", theta_0, theta_star)
    assert masks.kept(drawn.mask) == masks.kept(found.mask)
    shared = sum(int((drawn.mask[n] & found.mask[n]).sum()) for n in found.mask)
    assert shared < 0.5 * masks.kept(found.mask)


def test_the_random_reinit_keeps_the_mask_over_other_weights():
    theta_0, theta_star = network(8, 16, 16, 1, seed=1), network(8, 16, 16, 1, seed=2)
    drawn, found = (draw(kind, theta_0, theta_star) for kind in ("random_reinit", "lottery"))
    assert all(torch.equal(drawn.mask[n], found.mask[n]) for n in found.mask)
    assert not torch.equal(drawn.theta["layers.0.weight"], found.theta["layers.0.weight"])


def test_an_unknown_ticket_is_named_with_the_nearest():
    theta = network(8, 4, 1)
    with pytest.raises(ValueError, match="unknown ticket 'lotery'; did you mean 'lottery'"):
        draw("lotery", theta, theta)


def test_gradients_and_adam_never_move_a_masked_weight():
    theta = {n: p.requires_grad_() for n, p in network(8, 4, 1).items()}
    mask = magnitude(theta, 0.5)
    optimiser = torch.optim.Adam(theta.values(), lr=0.1)
    before = theta["layers.0.weight"].detach().clone()
    for _ in range(5):
        optimiser.zero_grad()
        sum((p**2).sum() for p in masks.apply(theta, mask).values()).backward()
        optimiser.step()
    m = mask["layers.0.weight"]
    assert torch.equal(theta["layers.0.weight"][~m], before[~m])
    assert not torch.equal(theta["layers.0.weight"][m], before[m])
