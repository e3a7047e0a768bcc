from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hedgecore.pruning import mask as masks
from hedgecore.pruning.lottery import rewind, shuffled, small_widths
from hedgecore.rng import stream


def weights(inputs, hidden):
    return sum(a * b for a, b in pairwise((inputs, *hidden, 1)))


def test_a_ticket_starts_at_its_snapshot_under_its_mask_bit_for_bit(network):
    theta_0 = network(8, 16, 16, 1)
    mask = {n: theta_0[n] > 0.3 for n in masks.prunable(theta_0)}
    for name, value in rewind(theta_0, mask).items():
        kept = mask.get(name, torch.ones_like(value, dtype=torch.bool))
        assert torch.equal(value, torch.where(kept, theta_0[name], torch.zeros_like(value))), name


def test_rewinding_restores_weights_biases_and_y_and_shares_no_memory(network):
    snapshot = network(8, 4, 1)
    rewound = rewind(snapshot, {})
    assert rewound.keys() == snapshot.keys()
    for name, value in rewound.items():
        assert torch.equal(value, snapshot[name])
        value += 1
        assert not torch.equal(value, snapshot[name])


def test_a_shuffled_mask_keeps_as_many_in_every_layer_and_others(network):
    theta = network(8, 16, 16, 1)
    mask = {n: theta[n] > 0.3 for n in masks.prunable(theta)}
    drawn = shuffled(mask, generator=stream(0, "shuffle"))
    assert [int(m.sum()) for m in drawn.values()] == [int(m.sum()) for m in mask.values()]
    assert all(drawn[n].shape == m.shape for n, m in mask.items())
    assert not any(torch.equal(drawn[n], m) for n, m in mask.items())


def test_a_shuffle_leaves_the_mask_it_was_given_alone(network):
    mask = {"w": torch.tensor([[True, False, False, False]])}
    for seed in range(9):
        shuffled(mask, generator=stream(seed, "shuffle"))
    assert mask["w"].tolist() == [[True, False, False, False]]


def test_every_weight_is_as_likely_to_survive_a_shuffle():
    mask, g = {"w": torch.tensor([[True, True], [False, False], [False, False]])}, stream(0, "s")
    n = 6000
    share = sum(shuffled(mask, generator=g)["w"].double() for _ in range(n)) / n
    assert float((share - 1 / 3).abs().max()) < 4 * (2 / 9 / n) ** 0.5


@given(
    hidden=st.lists(st.integers(1, 40), min_size=1, max_size=4).map(tuple),
    inputs=st.integers(1, 9),
    share=st.floats(0, 1.2),
)
def test_the_small_network_is_the_largest_scaled_one_with_no_more_weights(hidden, inputs, share):
    least = weights(inputs, (1,) * len(hidden))
    kept = least + int(share * (weights(inputs, hidden) - least))
    small = small_widths(hidden, inputs=inputs, budget=kept)
    factors = {Fraction(u, w) for w in hidden for u in range(1, w + 1)}
    rivals = [tuple(max(1, int(f * w)) for w in hidden) for f in factors]
    assert small in rivals
    assert weights(inputs, small) == max(
        weights(inputs, r) for r in rivals if weights(inputs, r) <= kept
    )


def test_the_small_rival_of_the_paper_network_at_80_percent():
    small = small_widths((256, 256, 128), inputs=8, budget=20_096)
    assert small == (113, 113, 56)
    assert weights(8, small) == 20_057


def test_the_small_network_is_never_wider_than_the_full_one():
    assert small_widths((16, 8), inputs=8, budget=10**9) == (16, 8)


def test_fewer_weights_than_a_network_one_unit_wide_has_are_refused():
    assert small_widths((16, 8), inputs=8, budget=10) == (1, 1)
    with pytest.raises(
        ValueError, match=r"of 2 hidden layers has at least 10 weights, more than the 9 of"
    ):
        small_widths((16, 8), inputs=8, budget=9)
