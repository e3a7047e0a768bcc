from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgecore.pruning import mask as masks
from hedgecore.pruning.allocation import SCOPES, best, keep_count, levels

PAPER = (8, 256, 256, 128, 1)


def magnitude(theta, sparsity, **options):
    return best({n: theta[n].abs() for n in masks.prunable(theta)}, sparsity=sparsity, **options)


def kept(mask):
    return [int(m.sum()) for m in mask.values()]


@settings(max_examples=150, deadline=None)
@given(
    sparsity=st.floats(0, 0.95),
    scope=st.sampled_from(sorted(SCOPES)),
    ties=st.booleans(),
    min_kept=st.integers(0, 3),
)
def test_pruning_keeps_exactly_k_weights_even_under_ties(network, sparsity, scope, ties, min_kept):
    theta = network(8, 13, 11, 1, ties=ties)
    total = 8 * 13 + 13 * 11 + 11
    mask = magnitude(theta, sparsity, scope=scope, min_kept=min_kept)
    found = sum(int((theta[name] * m).count_nonzero()) for name, m in mask.items())
    assert found == masks.weights(mask) == round((1 - sparsity) * total)
    assert all(k >= min_kept for k in kept(mask))


@settings(max_examples=100, deadline=None)
@given(
    sparsities=st.lists(st.floats(0, 0.97), min_size=2, max_size=5).map(sorted),
    scope=st.sampled_from(sorted(SCOPES)),
    ties=st.booleans(),
)
def test_a_weight_once_removed_stays_removed_whatever_it_scores_later(
    network, sparsities, scope, ties
):
    wide = None
    for seed, sparsity in enumerate(sparsities):
        theta = network(8, 13, 11, 1, seed=seed, ties=ties)
        narrow = magnitude(theta, sparsity, scope=scope, within=wide)
        assert masks.weights(narrow) == keep_count(masks.total(narrow), sparsity)
        assert wide is None or all(bool((wide[n] | ~narrow[n]).all()) for n in wide)
        wide = narrow


def test_a_mask_cannot_keep_more_than_is_left(network):
    theta = network(8, 16, 16, 1)
    with pytest.raises(ValueError, match=r"keeps 200 of 400 weights, but only 80 are left; raise"):
        magnitude(theta, 0.5, within=magnitude(theta, 0.8))


def test_the_paper_network_at_80_percent_keeps_20096_of_100480_weights(network):
    mask = magnitude(network(*PAPER), 0.8)
    assert (masks.weights(mask), masks.total(mask)) == (20_096, 100_480)
    assert masks.sparsity(mask) == pytest.approx(0.8)


def test_global_magnitude_keeps_the_largest_weights_of_the_whole_network(network):
    theta = network(8, 16, 16, 1)
    mask = magnitude(theta, 0.7)
    ours = torch.cat([theta[n].abs()[m] for n, m in mask.items()])
    removed = torch.cat([theta[n].abs()[~m] for n, m in mask.items()])
    assert ours.min() >= removed.max()


def test_layerwise_magnitude_prunes_every_layer_alike(network):
    mask = magnitude(network(8, 32, 32, 1), 0.75, scope="layerwise")
    for m in mask.values():
        assert int(m.sum()) == pytest.approx(0.25 * m.numel(), abs=1)


def test_erk_keeps_in_proportion_to_inputs_plus_outputs_and_shares_out_the_excess(network):
    # At 95 %, 5024 weights for the claims 264 : 512 : 384 : 129. The output layer's share of 503
    # is more than its 128 weights; the other 4896 go at 4896 / 1160 = 4.2207 a unit.
    mask = magnitude(network(*PAPER), 0.95, scope="erk")
    assert kept(mask) == [1114, 2161, 1621, 128]


def test_erk_of_layers_with_equal_claims_is_layerwise(network):
    theta = network(8, 8, 8, 8)
    erk, layerwise = (magnitude(theta, 0.63, scope=s) for s in ("erk", "layerwise"))
    assert all(torch.equal(erk[n], layerwise[n]) for n in erk)


def test_the_last_weights_go_to_the_largest_remainders(network):
    # 9 of 27 weights, 5/3 : 1 : 1/3 of 3 each; 10 of them leave 5.56, 3.33 and 1.11.
    mask = magnitude(network(5, 3, 3, 1), 1 - 10 / 27, scope="layerwise")
    assert kept(mask) == [6, 3, 1]


@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_masks_are_nested_over_sparsity(network, scope):
    theta = network(8, 16, 16, 1)
    dense_to_sparse = [magnitude(theta, s, scope=scope) for s in (0.0, 0.5, 0.8, 0.95)]
    for wide, narrow in pairwise(dense_to_sparse):
        assert all(bool((wide[n] | ~narrow[n]).all()) for n in wide)


def test_a_layer_of_tiny_weights_does_not_collapse(network):
    theta = network(8, 16, 16, 1)
    theta["layers.1.weight"] *= 1e-6
    assert all(k >= 4 for k in kept(magnitude(theta, 0.9, min_kept=4)))
    assert kept(magnitude(theta, 0.9, min_kept=0))[1] == 0


def test_the_guard_holds_against_an_infinite_score(network):
    theta = network(8, 16, 16, 1)
    theta["layers.1.weight"].fill_(torch.inf)
    assert kept(magnitude(theta, 0.9, min_kept=4)) == [4, 32, 4]


def test_a_sparsity_too_high_for_the_guard_says_so(network):
    with pytest.raises(ValueError, match=r"keeps 3 of 400 weights, too few for 2 in each of 3"):
        magnitude(network(8, 16, 16, 1), 0.9925, min_kept=2)


@pytest.mark.parametrize("sparsity", [1.0, -0.1, 2.0, float("nan")])
def test_sparsity_must_leave_something(network, sparsity):
    with pytest.raises(ValueError, match=r"sparsity must lie in \[0, 1\), got"):
        magnitude(network(8, 4, 1), sparsity)
    with pytest.raises(ValueError, match=r"sparsity must lie in \[0, 1\), got"):
        levels(sparsity, 3)


def test_a_diverged_network_cannot_be_pruned(network):
    theta = network(8, 4, 1)
    theta["layers.0.weight"][0, 0] = float("nan")
    with pytest.raises(ValueError, match="score is NaN; the network diverged"):
        magnitude(theta, 0.5)


def test_an_unknown_scope_is_named_with_the_nearest(network):
    with pytest.raises(ValueError, match="unknown scope 'layerwse'; did you mean 'layerwise'"):
        magnitude(network(8, 4, 1), 0.5, scope="layerwse")


@given(sparsity=st.floats(0, 0.999), rounds=st.integers(1, 30))
def test_every_level_removes_the_same_share_of_what_is_left(sparsity, rounds):
    density = [1.0, *(1 - s for s in levels(sparsity, rounds))]
    shares = [after / before for before, after in pairwise(density)]
    assert shares == pytest.approx([(1 - sparsity) ** (1 / rounds)] * rounds, rel=1e-9)


@given(sparsity=st.floats(0, 1, exclude_max=True), rounds=st.integers(1, 30))
def test_levels_climb_to_exactly_the_sparsity_asked_for(sparsity, rounds):
    climbing = levels(sparsity, rounds)
    assert len(climbing) == rounds
    assert climbing[-1] == sparsity
    assert list(climbing) == sorted(climbing)


def test_there_is_at_least_one_level():
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0; 1 is one-shot"):
        levels(0.5, 0)


def test_five_rounds_to_90_percent_end_at_90_percent_and_pass_every_level_exactly(network):
    mask, counts = None, []
    for seed, sparsity in enumerate(levels(0.9, 5)):
        mask = magnitude(network(*PAPER, seed=seed), sparsity, within=mask)
        counts.append(masks.weights(mask))
    assert counts == [round(0.1 ** (r / 5) * 100_480) for r in range(1, 6)]


def test_levels_taken_as_shares_of_what_is_left_would_end_at_99_9_percent():
    left = 100_480
    for sparsity in levels(0.9, 5):
        left = keep_count(left, sparsity)
    assert left == pytest.approx(100_480 * 0.1**3, abs=2)
