"""The multipliers against a transcription in loops, the losses against closed forms."""

import math

import pytest
import torch

from hedgecore.insurance.xnn.alignment import (
    Alignment,
    Landmarks,
    depth_factor,
    multiplier,
    multiplier_published,
    unit_distances,
)
from hedgecore.insurance.xnn.contrastive import contrastive
from hedgecore.insurance.xnn.network import initialise, matrices, pre_activations
from hedgecore.rng import stream

FEATURES, HIDDEN, CLUSTERS = 4, (7, 5), 3
STRENGTHS = {0: 1.1, 1: 1.7, 2: 2.3}


def scene(batch, *, clusters=CLUSTERS):
    """Network, another one, a batch, points and distances over their largest, in float64."""
    generator = stream(0, "test", "alignment")
    theta, theta_0 = (
        {n: p.double() for n, p in initialise(FEATURES, HIDDEN, generator=generator).items()}
        for _ in range(2)
    )
    x = torch.randn(batch, FEATURES, generator=generator, dtype=torch.float64)
    points = torch.randn(clusters, FEATURES, generator=generator, dtype=torch.float64)
    distances = torch.cdist(x, points)
    return theta, theta_0, x, points, distances


def published_by_loops(theta, theta_0, x, points, nearness, strengths):
    """Section by section as the notebook goes: centroid by centroid, node by node, row by row."""
    ws = matrices(theta)
    outputs, centroid_passes = pre_activations(theta, x), pre_activations(theta_0, points)
    current = [x, *outputs]
    factors = {}
    for layer, strength in strengths.items():
        w, before, after = ws[layer], current[layer], current[layer + 1]
        rows, inputs, nodes, clusters = len(x), w.shape[1], w.shape[0], len(points)
        total = torch.zeros_like(w)
        for c in range(clusters):
            z_c = centroid_passes[layer][c]
            agreement = []
            for j in range(nodes):
                sum_j = 0.0
                for b in range(rows):
                    s = 1 / (1 + math.exp(-abs(float(after[b, j] - z_c[j]))))
                    n = float(nearness[b, c])
                    sum_j += n * s + (1 - n) * (1 - s)
                agreement.append(sum_j / rows)
            for i in range(inputs):
                modified = []
                for j in range(nodes):
                    product = sum(
                        float(before[b, i] * (after[b, j] - z_c[j])) for b in range(rows)
                    )
                    modified.append(float(w[j, i]) * math.copysign(1, product))
                for j in range(nodes):
                    total[j, i] += modified[j] / sum(modified) * agreement[j]
        factors[layer] = 1 + torch.tanh(strength * total / clusters)
    return factors


def repaired_by_loops(theta, x, points, quantiles, strengths):
    ws = matrices(theta)
    outputs, at_points = pre_activations(theta, x), pre_activations(theta, points)
    read = [x, *(z.relu() for z in outputs)]
    factors = {}
    for layer, strength in strengths.items():
        w, z, z_c, h = ws[layer], outputs[layer], at_points[layer], read[layer]
        total = torch.zeros_like(w)
        for j in range(len(w)):
            gaps = torch.stack([z[:, j] - at for at in z_c[:, j]])
            s = gaps.abs().mean()
            for c, gap in enumerate(gaps):
                similarity = torch.tanh(gap.abs() / (2 * s))
                agreement = 1 - (similarity - quantiles[:, c]).square().mean()
                for i in range(w.shape[1]):
                    sign = torch.sign((gap * h[:, i]).sum())
                    total[j, i] += agreement * w[j, i] * sign / w[:, i].abs().sum()
        factors[layer] = 1 + torch.tanh(strength * total / len(points))
    return factors


@pytest.mark.parametrize("batch", [1, 6])
def test_the_published_multiplier_equals_its_loops(batch):
    theta, theta_0, x, points, distances = scene(batch)
    nearness = distances / 5
    found = multiplier_published(
        matrices(theta),
        x,
        pre_activations(theta, x),
        pre_activations(theta_0, points),
        nearness,
        STRENGTHS,
    )
    expected = published_by_loops(theta, theta_0, x, points, nearness, STRENGTHS)
    assert found.keys() == expected.keys()
    for layer in found:
        torch.testing.assert_close(found[layer], expected[layer])


@pytest.mark.parametrize("batch", [1, 6])
def test_the_multiplier_equals_its_loops(batch):
    theta, _, x, points, distances = scene(batch)
    quantiles = distances / 5
    outputs, at_points = pre_activations(theta, x), pre_activations(theta, points)
    found = multiplier(matrices(theta), x, outputs, at_points, quantiles, STRENGTHS)
    expected = repaired_by_loops(theta, x, points, quantiles, STRENGTHS)
    for layer in STRENGTHS:
        torch.testing.assert_close(found[layer], expected[layer])


def unread():
    """A layer of two nodes whose input is zero in every row."""
    outputs, at_points = [torch.ones(4, 2)], [torch.zeros(1, 2)]
    return [torch.ones(2, 1)], torch.zeros(4, 1), outputs, at_points, torch.full((4, 1), 0.5)


def test_the_published_multiplier_is_nan_where_a_column_is_never_read():
    factors = multiplier_published(*unread(), {0: 3.0})
    assert factors[0].isnan().all()


def test_the_multiplier_is_one_where_a_column_is_never_read():
    factors = multiplier(*unread(), {0: 3.0})
    assert torch.equal(factors[0], torch.ones(2, 1))


def test_the_multiplier_is_finite_for_a_network_of_zeros():
    zeros = [torch.zeros(4, 2)], [torch.zeros(1, 2)]
    factors = multiplier(
        [torch.zeros(2, 1)], torch.ones(4, 1), *zeros, torch.full((4, 1), 0.5), {0: 3.0}
    )
    assert torch.equal(factors[0], torch.ones(2, 1))


@pytest.mark.parametrize("repaired", [False, True])
def test_multipliers_move_with_the_hidden_units(repaired):
    theta, theta_0, x, points, distances = scene(6)
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])

    def factors(theta, theta_0):
        outputs = pre_activations(theta, x)
        rule, other = (multiplier, theta) if repaired else (multiplier_published, theta_0)
        at_points = pre_activations(other, points)
        return rule(matrices(theta), x, outputs, at_points, distances / 5, STRENGTHS)

    def permuted(theta):
        moved = dict(theta)
        moved["layers.0.weight"] = theta["layers.0.weight"][order]
        moved["layers.0.bias"] = theta["layers.0.bias"][order]
        moved["layers.1.weight"] = theta["layers.1.weight"][:, order]
        return moved

    before, after = factors(theta, theta_0), factors(permuted(theta), permuted(theta_0))
    torch.testing.assert_close(after[0], before[0][order])
    torch.testing.assert_close(after[1], before[1][:, order])
    torch.testing.assert_close(after[2], before[2])


def unit(distances):
    """One batch of unit distances."""
    (found,) = unit_distances(distances, len(distances))
    return found


def aligned(z, distances, *, factor=1.0):
    loss = Alignment({0: factor}, widths=[z.shape[1]], clusters=distances.shape[1], like=distances)
    return loss([z], unit(distances))


@pytest.mark.parametrize("batch_size", [1, 4, 5, 10, 99])
def test_unit_distances_are_those_of_every_batch_alone(batch_size):
    distances = torch.rand(10, 3, generator=stream(0, "test"))
    units = unit_distances(distances, batch_size)
    batches = distances.split(batch_size)
    assert [len(u) for u in units] == [len(b) for b in batches]
    for found, batch in zip(units, batches, strict=True):
        centred = batch - batch.mean(dim=0)
        assert torch.allclose(found * centred.norm(dim=0), centred, atol=1e-6)
        length = 0.0 if len(batch) == 1 else 1.0
        assert found.norm(dim=0).tolist() == pytest.approx([length] * 3, abs=1e-6)


def test_nodes_that_are_distances_are_aligned():
    distances = torch.rand(50, 3, generator=stream(0, "test"), dtype=torch.float64)
    z = torch.cat((2 * distances + 1, -distances), dim=1)
    loss, (gradient,) = aligned(z, distances)
    torch.testing.assert_close(loss, torch.zeros((), dtype=torch.float64))
    assert gradient.abs().max() < 1e-12


def test_nodes_that_are_uncorrelated_with_their_own_distance_are_not():
    wave = 2 * math.pi * torch.arange(40, dtype=torch.float64) / 40
    distances = torch.stack((wave.sin() + 3, wave.cos() + 3), dim=1)
    # Each node is the other centroid's distance.
    loss, _ = aligned(distances.flip(1), distances, factor=0.7)
    torch.testing.assert_close(loss, torch.tensor(0.7, dtype=torch.float64))


def test_the_alignment_of_a_planted_correlation_is_one_less_its_square():
    wave = 2 * math.pi * torch.arange(40, dtype=torch.float64) / 40
    z = (0.6 * wave.sin() + 0.8 * wave.cos() - 5)[:, None]
    loss, _ = aligned(z, wave.sin()[:, None] + 3)
    torch.testing.assert_close(loss, torch.tensor(1 - 0.36, dtype=torch.float64))


def test_a_constant_node_is_unaligned_and_left_alone():
    loss, (gradient,) = aligned(torch.full((9, 1), 4.0), torch.arange(9.0)[:, None])
    assert loss == 1
    assert torch.equal(gradient, torch.zeros(9, 1))


def test_the_alignment_of_one_row_is_zero():
    loss, (gradient,) = aligned(torch.randn(1, 4, generator=stream(0, "test")), torch.ones(1, 2))
    assert loss == 0
    assert torch.equal(gradient, torch.zeros(1, 4))


def test_the_gradient_of_the_alignment_agrees_with_finite_differences():
    theta, _, x, _, distances = scene(6)
    outputs = pre_activations(theta, x)
    loss = Alignment({0: 0.4, 2: 1.3}, widths=[7, 5, 8], clusters=CLUSTERS, like=distances)
    _, gradients = loss(outputs, unit(distances))
    h = 1e-6
    for layer, gradient in zip(loss.layers, gradients, strict=True):
        numeric = torch.zeros_like(gradient)
        for place in torch.cartesian_prod(*map(torch.arange, gradient.shape)):
            ends = []
            for sign in (1, -1):
                moved = [z.clone() for z in outputs]
                moved[layer][tuple(place)] += sign * h
                ends.append(loss(moved, unit(distances))[0])
            numeric[tuple(place)] = (ends[0] - ends[1]) / (2 * h)
        torch.testing.assert_close(gradient, numeric, rtol=1e-6, atol=1e-9)


def test_the_contrastive_loss_equals_its_definition():
    generator = stream(0, "test", "contrastive")
    z = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    y = torch.tensor([0, 0, 0, 1, 1, 2])
    unit = z / z.norm(dim=1, keepdim=True)
    rows = []
    for i in range(5):
        others = [a for a in range(6) if a != i]
        total = sum(math.exp(float(unit[i] @ unit[a]) / 0.5) for a in others)
        same = [p for p in others if y[p] == y[i]]
        rows.append(
            -sum(float(unit[i] @ unit[p]) / 0.5 - math.log(total) for p in same) / len(same)
        )
    found = contrastive(z, y, temperature=0.5)
    assert float(found) == pytest.approx(sum(rows) / 5)


def test_the_gradient_of_the_contrastive_loss_agrees_with_finite_differences():
    z = torch.randn(6, 3, generator=stream(1, "test"), dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 0, 0, 1, 1, 2])
    assert torch.autograd.gradcheck(lambda z: contrastive(z, y, temperature=0.5), z)


@pytest.mark.parametrize("y", [[0], [0, 1, 2]])
def test_the_contrastive_loss_is_zero_where_no_rows_share_a_class(y):
    z = torch.randn(len(y), 3, generator=stream(0, "test"))
    assert contrastive(z, torch.tensor(y), temperature=0.1) == 0


def test_rows_of_a_class_that_agree_leave_only_the_size_of_their_class():
    z = torch.eye(2).repeat_interleave(3, dim=0)
    y = torch.tensor([0, 0, 0, 1, 1, 1])
    # Two of the class at cosine 1, three others at cosine 0.
    expected = math.log(2 + 3 * math.exp(-1 / 0.1))
    assert float(contrastive(z, y, temperature=0.1)) == pytest.approx(expected)


def test_the_peaked_depth_factor_is_the_notebooks():
    found = [depth_factor(layer, 3, depth="peaked", alpha=0.5) for layer in range(3)]
    assert found == pytest.approx([0.56978, 0.84062, 0.99308], abs=5e-6)


@pytest.mark.parametrize(("alpha", "powers"), [(1.0, [1, 1, 1]), (2.0, [1, 2, 4])])
def test_the_literal_depth_factor_is_the_exponential_of_a_power(alpha, powers):
    found = [depth_factor(layer, 3, depth="literal", alpha=alpha) for layer in range(3)]
    assert found == pytest.approx([math.exp(p) for p in powers])


def test_quantiles_are_the_share_of_nearer_rows_with_ties_by_halves():
    distances = torch.tensor([[3.0, 1.0], [1.0, 1.0], [2.0, 1.0], [5.0, 2.0]])
    landmarks = Landmarks.of(torch.zeros(2, 1), distances)
    expected = torch.tensor([[0.625, 0.375], [0.125, 0.375], [0.375, 0.375], [0.875, 0.875]])
    assert torch.equal(landmarks.quantiles, expected)


@pytest.mark.parametrize("repaired", [False, True])
def test_no_factor_turns_a_gradient_around(repaired):
    # So a multiplier has every stationary point of the plain network, and no other.
    theta, theta_0, x, points, distances = scene(6)
    rule, other = (multiplier, theta) if repaired else (multiplier_published, theta_0)
    factors = rule(
        matrices(theta),
        x,
        pre_activations(theta, x),
        pre_activations(other, points),
        distances / 5,
        dict.fromkeys(range(3), 100.0),
    )
    assert all((f >= 0).all() and (f <= 2).all() for f in factors.values())
