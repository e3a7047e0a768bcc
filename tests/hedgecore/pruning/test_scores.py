"""Scores in closed form."""

import pytest
import torch

from hedgecore.pruning import mask as masks
from hedgecore.pruning.allocation import best
from hedgecore.pruning.criteria import CRITERIA, find_mask
from hedgecore.rng import stream


def unused(theta):
    raise AssertionError("this criterion asks for no loss")


def everything(theta):
    return {n: torch.ones_like(theta[n], dtype=torch.bool) for n in masks.prunable(theta)}


def score(criterion, theta, within=None, *, loss=unused):
    within = everything(theta) if within is None else within
    return CRITERIA[criterion].score(
        masks.apply(theta, within), within, loss=loss, generator=stream(0, "score")
    )


def find(criterion, theta, *, loss=unused, **options):
    names = masks.prunable(theta)
    return find_mask(criterion, theta, names, loss=loss, generator=stream(0, "mask"), **options)


def matrix(*rows):
    return {"w": torch.tensor(rows, dtype=torch.float64)}


# LAMP.


def test_lamp_is_the_share_among_weights_not_smaller():
    scores = score("lamp", matrix([3.0, -1.0, 2.0]))
    assert scores["w"].flatten().tolist() == pytest.approx([9 / 9, 1 / 14, 4 / 13], rel=1e-15)


def test_lamp_gives_equal_weights_equal_scores_and_zeros_none():
    scores = score("lamp", matrix([2.0, 0.0], [-2.0, 1.0]))
    assert scores["w"].flatten().tolist() == [4 / 8, 0.0, 4 / 8, 1 / 9]


def test_lamp_of_a_layer_of_zeros_is_zero():
    assert score("lamp", matrix([0.0, 0.0]))["w"].tolist() == [[0.0, 0.0]]


def test_lamp_keeps_the_largest_weight_of_a_layer_of_tiny_ones_without_a_guard(network):
    theta = network(8, 16, 16, 1)
    theta["layers.1.weight"] *= 1e-6
    mask = find("lamp", theta, sparsity=0.9, min_kept=0)
    assert mask["layers.1.weight"].flatten()[theta["layers.1.weight"].abs().argmax()]


# SNIP and GraSP on L(w) = w' A w / 2, whose gradient is A w and whose Hessian is A.


def quadratic(size, seed=0):
    root = torch.randn(size, size, generator=stream(seed, "root"), dtype=torch.float64)
    a = root @ root.T
    return a, lambda theta: theta["w"].flatten() @ a @ theta["w"].flatten() / 2


def test_snip_is_weight_times_gradient():
    a, bowl = quadratic(6)
    theta = matrix([1.0, -2.0, 0.5], [3.0, 0.1, -1.0])
    w = theta["w"].flatten()
    scores = score("snip", theta, loss=bowl)["w"].flatten()
    torch.testing.assert_close(scores, (w * (a @ w)).abs(), rtol=1e-12, atol=0)


def test_snip_scores_zero_what_the_loss_does_not_see(network):
    theta = network(8, 4, 1)
    scores = score("snip", theta, loss=lambda t: t["layers.1.weight"].square().sum())
    assert not scores["layers.0.weight"].any()
    assert bool((scores["layers.1.weight"] == 2 * theta["layers.1.weight"].square()).all())


def test_grasp_is_weight_times_hessian_times_gradient():
    a, bowl = quadratic(6)
    theta = matrix([1.0, -2.0, 0.5], [3.0, 0.1, -1.0])
    w = theta["w"].flatten()
    scores = score("grasp", theta, loss=bowl)["w"].flatten()
    torch.testing.assert_close(scores, w * (a @ a @ w), rtol=1e-12, atol=0)


def test_grasp_scores_the_descent_lost_with_a_weight_and_so_keeps_the_highest():
    a, bowl = quadratic(6)
    theta = matrix([1.0, -2.0, 0.5], [3.0, 0.1, -1.0])
    w = theta["w"].flatten()

    def descent(share, i):
        moved = w.clone()
        moved[i] *= 1 - share
        return (a @ moved).square().sum() / 2

    # |A w|^2 is quadratic in w, so central differences are exact.
    lost = torch.stack([(descent(-0.5, i) - descent(0.5, i)) for i in range(6)])
    scores = score("grasp", theta, loss=bowl)["w"].flatten()
    torch.testing.assert_close(scores, lost, rtol=1e-10, atol=1e-10)
    mask = find("grasp", theta, sparsity=0.5, loss=bowl)["w"].flatten()
    assert lost[mask].min() > lost[~mask].max()


def test_grasp_of_a_pruned_network_takes_gradient_and_hessian_of_what_is_left():
    a, bowl = quadratic(4)
    theta = matrix([1.0, -2.0, 0.5, 3.0])
    left = torch.tensor([True, False, True, True])
    scores = score("grasp", theta, {"w": left.view(1, 4)}, loss=bowl)["w"].flatten()
    b, w = a[left][:, left], theta["w"].flatten()[left]
    torch.testing.assert_close(scores[left], w * (b @ b @ w), rtol=1e-12, atol=0)


# SynFlow.


def test_synflow_of_two_layers_by_hand():
    theta = {
        "a": torch.tensor([[1.0, -2.0], [3.0, 0.0]]),
        "bias": torch.tensor([5.0, 5.0]),
        "b": torch.tensor([[-4.0, 10.0]]),
    }
    scores = score("synflow", theta)  # R = 4 (1 + 2) + 10 (3 + 0) = 42
    assert scores["a"].tolist() == [[4.0, 8.0], [30.0, 0.0]]
    assert scores["b"].tolist() == [[12.0, 30.0]]


def test_synflow_is_weight_times_the_gradient_of_the_flow_through_dense_layers_too(network):
    theta = network(8, 16, 16, 16, 1)
    weights = {n: theta[n].double().abs().requires_grad_() for n in masks.prunable(theta)}
    flow = torch.ones(8, dtype=torch.float64)
    for w in weights.values():
        flow = w @ flow
    flow.sum().backward()
    inner = {n: everything(theta)[n] for n in list(weights)[1:-1]}
    for name, values in score("synflow", theta, inner).items():
        torch.testing.assert_close(values, weights[name] * weights[name].grad)


def test_synflow_is_conserved_from_layer_to_layer(network):
    theta = network(8, 16, 16, 16, 1)
    within = {n: theta[n] > -0.5 for n in masks.prunable(theta)}
    flows = [float(s.sum()) for s in score("synflow", theta, within).values()]
    assert flows == pytest.approx([flows[0]] * 4, rel=1e-12)
    assert flows[0] > 0


def test_synflow_in_rounds_keeps_every_layer_where_one_round_runs_one_dry(network):
    theta = network(8, 64, 64, 64, 1)
    sparsity = 1 - 12 / 8768
    gradual = find("synflow", theta, sparsity=sparsity, min_kept=0)
    at_once = best(score("synflow", theta), sparsity=sparsity, min_kept=0)
    assert all(m.any() for m in gradual.values())
    assert not all(m.any() for m in at_once.values())
    assert score("synflow", theta, gradual)["layers.0.weight"].sum() > 0
