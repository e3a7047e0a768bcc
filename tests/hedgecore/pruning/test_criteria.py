import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgecore.pruning import mask as masks
from hedgecore.pruning.allocation import SCOPES, keep_count, levels
from hedgecore.pruning.criteria import CRITERIA, find_mask
from hedgecore.rng import stream


def outputs(theta):
    """The network on eight inputs that do not change."""
    x = torch.linspace(-2, 2, 64).view(8, 8)
    weights = masks.prunable(theta)
    for name in weights:
        x = x @ theta[name].T + theta[name.replace("weight", "bias")]
        x = x if name == weights[-1] else x.relu()
    return x


def loss(theta):
    return (outputs(theta) - theta["y"]).square().mean()


def unused(theta):
    raise AssertionError("this criterion asks for no loss")


def score(criterion, theta, within):
    return CRITERIA[criterion].score(
        masks.apply(theta, within), within, loss=loss, generator=stream(0, "score")
    )


def find(criterion, theta, *, seed=0, loss=loss, **options):
    return find_mask(
        criterion,
        theta,
        masks.prunable(theta),
        loss=loss,
        generator=stream(seed, "mask"),
        **options,
    )


# What every criterion must satisfy.

every = pytest.mark.parametrize("criterion", sorted(CRITERIA))


@every
def test_every_weight_has_a_finite_score(network, criterion):
    theta = network(8, 16, 16, 1)
    whole = {n: torch.ones_like(theta[n], dtype=torch.bool) for n in masks.prunable(theta)}
    scores = score(criterion, theta, whole)
    assert list(scores) == masks.prunable(theta)
    for name, values in scores.items():
        assert values.shape == theta[name].shape
        assert bool(values.isfinite().all())
        assert not values.requires_grad


@every
def test_scores_of_a_half_pruned_network_are_finite_where_weights_are_left(network, criterion):
    theta = network(8, 16, 16, 1)
    within = {n: theta[n] > 0 for n in masks.prunable(theta)}
    scores = score(criterion, theta, within)
    assert all(bool(scores[n][m].isfinite().all()) for n, m in within.items())


@every
def test_scoring_leaves_parameters_and_gradients_alone(network, criterion):
    theta = {n: p.requires_grad_() for n, p in network(8, 16, 16, 1).items()}
    before = {n: p.detach().clone() for n, p in theta.items()}
    find(criterion, theta, sparsity=0.8)
    assert all(torch.equal(theta[n], before[n]) for n in theta)
    assert all(p.grad is None and p.requires_grad for p in theta.values())


@every
def test_the_same_stream_finds_the_same_mask_even_where_gradients_are_off(network, criterion):
    theta = network(8, 16, 16, 1, ties=True)
    first = find(criterion, theta, sparsity=0.8)
    with torch.no_grad():
        second = find(criterion, theta, sparsity=0.8)
    assert all(torch.equal(first[n], second[n]) for n in first)


@every
@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_every_criterion_meets_the_count_in_every_scope_level_after_level(
    network, criterion, scope
):
    theta, wide = network(8, 16, 16, 1), None
    for sparsity in levels(0.95, 3):
        narrow = find(criterion, theta, sparsity=sparsity, scope=scope, within=wide, min_kept=2)
        assert masks.weights(narrow) == keep_count(400, sparsity)
        assert all(m.sum() >= 2 for m in narrow.values())
        assert wide is None or all(bool((wide[n] | ~narrow[n]).all()) for n in wide)
        wide = narrow


@every
def test_the_mask_covers_the_weights_asked_for_and_no_other(network, criterion):
    theta = network(8, 16, 16, 1)
    names = masks.prunable(theta)[:-1]
    mask = find_mask(criterion, theta, names, sparsity=0.5, loss=loss, generator=stream(0, "mask"))
    assert list(mask) == names
    assert masks.weights(mask) == (8 * 16 + 16 * 16) // 2


@every
def test_no_criterion_revives_what_an_earlier_mask_removed(network, criterion):
    theta = network(8, 16, 16, 1)
    narrow = find(criterion, theta, sparsity=0.9)
    with pytest.raises(ValueError, match="keeps 200 of 400 weights, but only 40 are left"):
        find(criterion, theta, sparsity=0.5, within=narrow)


def test_only_the_criteria_of_initial_networks_need_no_training():
    assert {n for n, c in CRITERIA.items() if c.at_init} == {"snip", "grasp", "synflow", "random"}


@pytest.mark.parametrize("criterion", sorted(CRITERIA.keys() - {"snip", "grasp"}))
def test_only_snip_and_grasp_ask_for_the_loss(network, criterion):
    find(criterion, network(8, 16, 16, 1), sparsity=0.8, loss=unused)


@pytest.mark.parametrize(
    "criterion", sorted(CRITERIA.keys() - {"random", "random_like_magnitude"})
)
def test_only_the_random_criteria_draw(network, criterion):
    theta = network(8, 16, 16, 1)
    first, second = (find(criterion, theta, sparsity=0.8, seed=s) for s in (1, 2))
    assert all(torch.equal(first[n], second[n]) for n in first)


def test_an_unknown_criterion_is_named_with_the_nearest(network):
    with pytest.raises(ValueError, match="unknown criterion 'snp'; did you mean 'snip'"):
        find("snp", network(8, 4, 1), sparsity=0.5)


# The random criteria.


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 99),
    sparsity=st.floats(0, 0.95),
    scope=st.sampled_from(sorted(SCOPES)),
    ties=st.booleans(),
)
def test_random_like_magnitude_keeps_as_many_in_every_layer_as_magnitude(
    network, seed, sparsity, scope, ties
):
    theta = network(8, 16, 16, 1, ties=ties)
    theta["layers.1.weight"] *= 0.3
    wide = find("magnitude", theta, sparsity=sparsity / 2, scope=scope)
    found, drawn = (
        find(name, theta, seed=seed, sparsity=sparsity, scope=scope, within=wide)
        for name in ("magnitude", "random_like_magnitude")
    )
    assert [int(m.sum()) for m in drawn.values()] == [int(m.sum()) for m in found.values()]


@pytest.mark.parametrize("criterion", ["random", "random_like_magnitude"])
def test_a_random_mask_is_as_sparse_and_chosen_blindly(network, criterion):
    theta = network(8, 16, 16, 1)
    drawn, found = (find(name, theta, sparsity=0.8) for name in (criterion, "magnitude"))
    shared = sum(int((drawn[n] & found[n]).sum()) for n in found)
    assert masks.weights(drawn) == masks.weights(found)
    assert shared < 0.5 * masks.weights(found)
