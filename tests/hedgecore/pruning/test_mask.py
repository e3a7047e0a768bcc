import pytest
import torch

from hedgecore.pruning import mask as masks


def test_ties_go_to_the_earlier_weight():
    chosen = masks.top(torch.tensor([1.0, 2.0, 2.0, 2.0, 1.0]), 2)
    assert chosen.tolist() == [False, True, True, False, False]


@pytest.mark.parametrize("count", range(6))
def test_the_top_are_the_first_of_a_stable_sort(count):
    scores = torch.tensor([0.0, torch.inf, -torch.inf, -0.0, torch.inf])
    first = scores.sort(descending=True, stable=True).indices[:count]
    assert masks.top(scores, count).nonzero().flatten().tolist() == sorted(first.tolist())


def test_biases_and_y_are_never_pruned(network):
    theta = network(8, 4, 1)
    assert masks.prunable(theta) == ["layers.0.weight", "layers.1.weight"]


def test_dead_units_have_no_way_in_or_no_way_out():
    mask = {
        "a": torch.tensor([[1, 1], [0, 0], [1, 0]]).bool(),  # unit 1 has no way in,
        "b": torch.tensor([[1, 1, 0]]).bool(),  # unit 2 has no way out
    }
    assert masks.dead_units(mask) == [2, 0]


def test_gradients_and_adam_never_move_a_masked_weight(network):
    theta = {n: p.requires_grad_() for n, p in network(8, 4, 1).items()}
    mask = {n: theta[n] > 0 for n in masks.prunable(theta)}
    optimiser = torch.optim.Adam(theta.values(), lr=0.1)
    before = theta["layers.0.weight"].detach().clone()
    for _ in range(5):
        optimiser.zero_grad()
        sum((p**2).sum() for p in masks.apply(theta, mask).values()).backward()
        optimiser.step()
    m = mask["layers.0.weight"]
    assert torch.equal(theta["layers.0.weight"][~m], before[~m])
    assert not torch.equal(theta["layers.0.weight"][m], before[m])
