"""Training steps by hand, the identity of weight 0, and trainings that are cut."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from safetensors.torch import load, save
from torch.nn.functional import cross_entropy

from hedgecore.insurance.config import ExplanationConfig, TrainingConfig
from hedgecore.insurance.xnn.alignment import (
    Landmarks,
    depth_factor,
    multiplier,
    multiplier_published,
)
from hedgecore.insurance.xnn.contrastive import contrastive
from hedgecore.insurance.xnn.methods import METHODS, Descent, Rule
from hedgecore.insurance.xnn.network import initialise, matrices, pre_activations
from hedgecore.insurance.xnn.train import Rows, train
from hedgecore.rng import stream
from hedgecore.training.convergence import DivergedError

LR = 0.01
PULLED = {
    "double_step": ExplanationConfig(method="double_step", adj_weight=1.0),
    "published": ExplanationConfig(method="multiplier_published", adj_weight=3.0),
    "published, one layer": ExplanationConfig(
        method="multiplier_published", adj_weight=3.0, layer=1
    ),
    "gradient": ExplanationConfig(method="multiplier", adj_weight=3.0),
    "update": ExplanationConfig(method="multiplier", adj_weight=3.0, target="update"),
    "alignment": ExplanationConfig(method="alignment", adj_weight=1.0),
    "contrastive": ExplanationConfig(
        method="alignment", adj_weight=1.0, beta=0.1, depth="literal", layer=1
    ),
}
pulled = pytest.mark.parametrize("explanation", PULLED.values(), ids=PULLED)


def rows(count, *, name):
    """Four features, two of which tell the class."""
    generator = stream(0, "test", name)
    x = torch.randn(count, 4, generator=generator)
    noise = torch.randn(count, generator=generator)
    return Rows(x=x, y=(4 + 2 * x[:, 0] + x[:, 1] + 0.3 * noise).long().clamp(0, 7))


TRAIN, VAL = rows(130, name="train"), rows(60, name="val")
POINTS = torch.randn(3, 4, generator=stream(0, "test", "points"))
LANDMARKS = Landmarks.of(POINTS, torch.cdist(TRAIN.x, POINTS))
THETA_0 = initialise(4, (8, 6), generator=stream(0, "theta_0"))
PLAIN = ExplanationConfig(method="none")


def training(explanation, *, train_rows=TRAIN, landmarks=LANDMARKS, resume=None, **settings):
    return train(
        THETA_0,
        train_rows=train_rows,
        val_rows=VAL,
        landmarks=landmarks,
        training=TrainingConfig(**{"epochs": 4, "batch_size": 40, "lr": LR, **settings}),
        explanation=explanation,
        seed=0,
        resume=resume,
    )


def course(epochs):
    """The row of every epoch, and the last one's best parameters."""
    *_, last = seen = list(epochs)
    return [epoch.row() for epoch in seen], last.theta


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


X, Y = TRAIN.x[:40], TRAIN.y[:40]


def step(descent):
    """One step on the first 40 rows."""
    return descent(next(descent.batches(TRAIN.x, TRAIN.y, torch.arange(40), 40)))


def stepped(explanation, *, steps=1):
    """Parameters after ``steps`` steps on one batch."""
    descent = Descent(THETA_0, explanation, LANDMARKS, lr=LR)
    for _ in range(steps):
        step(descent)
    return {name: value.detach() for name, value in descent.theta.items()}


def gradients(theta, *, loss=cross_entropy):
    theta = {name: value.clone().requires_grad_() for name, value in theta.items()}
    value = loss(pre_activations(theta, X)[-1], Y)
    return dict(zip(theta, torch.autograd.grad(value, theta.values()), strict=True))


def adam(theta, gradient, moments, step):
    """One step of Kingma and Ba (2015), algorithm 1, with their constants; ``step`` from 1."""
    after = {}
    for name, g in gradient.items():
        m, v = moments.get(name, (0.0, 0.0))
        moments[name] = m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g.square()
        upwards = (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
        after[name] = theta[name] - LR * upwards
    return after


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_weight_zero_is_the_plain_network_to_the_last_bit(method):
    off = ExplanationConfig(method=method, adj_weight=0.0, beta=2.0, target="update", layer=1)
    found_rows, found = course(training(off, epochs=2))
    plain_rows, plain = course(training(PLAIN, landmarks=None, epochs=2))
    assert found_rows == plain_rows
    assert same(found, plain)


@pulled
def test_a_positive_weight_is_not_the_plain_network(explanation):
    assert not same(next(training(explanation)).theta, next(training(PLAIN)).theta)


@pulled
@pytest.mark.parametrize("batch_size", [1, 24, 40, 4096])
def test_every_batch_size_trains_with_whatever_is_left_for_the_last(explanation, batch_size):
    few = Rows(x=TRAIN.x[:50], y=TRAIN.y[:50])
    landmarks = Landmarks.of(POINTS, LANDMARKS.distances[:50])
    epochs = training(explanation, train_rows=few, landmarks=landmarks, batch_size=batch_size)
    assert all(value.isfinite().all() for value in next(epochs).theta.values())


@pulled
def test_one_centroid_is_enough(explanation):
    one = Landmarks.of(POINTS[:1], LANDMARKS.distances[:, :1])
    theta = next(training(explanation, landmarks=one)).theta
    assert all(value.isfinite().all() for value in theta.values())


@pytest.mark.parametrize("explanation", [PLAIN, *PULLED.values()], ids=["none", *PULLED])
def test_a_training_that_was_cut_goes_on_to_the_last_bit(explanation):
    whole_rows, whole = course(training(explanation))
    first = list(islice(training(explanation), 2))
    snapshot = load(save(first[-1].snapshot()))
    rest_rows, rest = course(training(explanation, resume=snapshot))
    assert [epoch.row() for epoch in first[:1]] == whole_rows[:1]
    assert rest_rows == whole_rows[2:]
    assert same(rest, whole)


def test_a_training_that_had_ended_by_patience_has_nothing_left():
    # So high a learning rate that the loss soon stops improving.
    settings = {"lr": 0.3, "epochs": 60, "patience": 2}
    epochs = []
    for epoch in training(PLAIN, **settings):
        epochs.append(epoch)
        snapshot = epoch.snapshot()
    best = min(epochs, key=lambda e: e.val_loss)
    assert len(epochs) == best.epoch + 2 < 60
    assert list(training(PLAIN, resume=snapshot, **settings)) == []


def test_a_snapshot_of_an_epoch_that_is_over_is_refused():
    epochs = training(PLAIN)
    first = next(epochs)
    next(epochs)
    with pytest.raises(RuntimeError, match="epoch 1 cannot be snapshot once epoch 2 has begun"):
        first.snapshot()


def test_a_snapshot_of_another_network_is_refused():
    snapshot = next(training(PLAIN)).snapshot()
    snapshot["theta.layers.0.bias"] = torch.zeros(9)
    with pytest.raises(ValueError, match=r"theta\.layers\.0\.bias is float32 \[9\], not float32"):
        next(training(PLAIN, resume=snapshot))


def test_the_best_parameters_are_kept():
    epochs = list(training(PLAIN, lr=0.3, epochs=12, patience=12))
    best = min(epochs, key=lambda e: e.val_loss)
    assert best.best
    assert best.epoch < 12
    loss = cross_entropy(pre_activations(epochs[-1].theta, VAL.x)[-1], VAL.y)
    assert float(loss) == best.val_loss


def test_training_metrics_are_those_of_the_rows_before_their_steps():
    epoch = next(training(PLAIN, lr=1e-12))
    logits = pre_activations(THETA_0, TRAIN.x)[-1]
    assert epoch.train_loss == pytest.approx(float(cross_entropy(logits, TRAIN.y)))
    right = (logits.argmax(dim=1) == TRAIN.y).sum()
    assert epoch.train_accuracy == pytest.approx(float(right) / len(TRAIN.y))
    assert epoch.added_loss == 0


def test_every_epoch_has_an_order_of_its_own_that_methods_share():
    seen = []

    def spied(explanation):
        first_features = []

        def spy(descent, batch):
            first_features.append(batch.x[:, 0])
            return METHODS["none"].step(descent, batch)

        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(METHODS, explanation.applied, Rule(step=spy))
            list(islice(training(explanation), 2))
        seen.append(torch.cat(first_features).view(2, -1))

    spied(ExplanationConfig(method="double_step", adj_weight=1.0))
    spied(ExplanationConfig(method="alignment", adj_weight=1.0))
    assert torch.equal(*seen)
    first, second = seen[0]
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, TRAIN.x[:, 0].sort().values)


def test_a_loss_that_is_not_finite_ends_the_training():
    with pytest.raises(DivergedError, match="training loss is nan in epoch 1; lower the learning"):
        next(training(PLAIN, lr=1e38))


def test_a_method_without_its_landmarks_is_refused():
    with pytest.raises(ValueError, match="landmarks are required by alignment, got None"):
        next(training(PULLED["alignment"], landmarks=None))


def test_landmarks_of_other_rows_are_refused():
    few = Rows(x=TRAIN.x[:50], y=TRAIN.y[:50])
    with pytest.raises(ValueError, match="distances of 130 rows, not of the 50 training rows"):
        next(training(PULLED["alignment"], train_rows=few))


def test_theta_0_is_left_as_it_was():
    before = {name: value.clone() for name, value in THETA_0.items()}
    for explanation in PULLED.values():
        next(training(explanation))
    assert same(before, THETA_0)


def test_a_plain_step_is_adams():
    assert_close(stepped(PLAIN), adam(THETA_0, gradients(THETA_0), {}, 1))


def test_a_double_step_is_two_of_adams_on_one_gradient():
    moments = {}
    gradient = gradients(THETA_0)
    once = adam(THETA_0, gradient, moments, 1)
    assert_close(stepped(PULLED["double_step"]), adam(once, gradient, moments, 2))


def published_step(layers):
    """The published update, by hand: untrained centroid passes, weights after the first step."""
    moments = {}
    gradient = gradients(THETA_0)
    once = adam(THETA_0, gradient, moments, 1)
    factors = multiplier_published(
        matrices(once),
        X,
        pre_activations(THETA_0, X),
        pre_activations(THETA_0, POINTS),
        LANDMARKS.distances[:40] / LANDMARKS.distances.max(),
        {n: 3.0 * 5.0 * depth_factor(n, 3, depth="peaked", alpha=0.5) for n in layers},
    )
    for layer, factor in factors.items():
        gradient[f"layers.{layer}.weight"] = gradient[f"layers.{layer}.weight"] * factor
    return adam(once, gradient, moments, 2)


def test_a_published_step_is_adams_and_another_on_the_multiplied_gradient():
    assert_close(stepped(PULLED["published"]), published_step(range(3)))


def test_published_centroid_passes_stay_those_of_the_untrained_network():
    explanation = PULLED["published"]
    descent = Descent(THETA_0, explanation, LANDMARKS, lr=LR)
    step(descent)
    for found, expected in zip(descent.untrained, pre_activations(THETA_0, POINTS), strict=True):
        assert torch.equal(found, expected)


def test_a_published_step_limited_to_one_layer_is_a_double_step_elsewhere():
    limited, double = stepped(PULLED["published, one layer"]), stepped(PULLED["double_step"])
    differing = {n for n in limited if not torch.equal(limited[n], double[n])}
    assert differing == {"layers.1.weight"}
    assert_close(limited, published_step([1]))


def repaired_factors(theta):
    return multiplier(
        matrices(theta),
        X,
        pre_activations(theta, X),
        pre_activations(theta, POINTS),
        LANDMARKS.quantiles[:40],
        {n: 3.0 * 5.0 * depth_factor(n, 3, depth="peaked", alpha=0.5) for n in range(3)},
    )


def test_a_step_with_its_update_multiplied_is_adams_stretched():
    plain = adam(THETA_0, gradients(THETA_0), {}, 1)
    expected = dict(plain)
    for layer, factor in repaired_factors(THETA_0).items():
        name = f"layers.{layer}.weight"
        expected[name] = THETA_0[name] + factor * (plain[name] - THETA_0[name])
    assert_close(stepped(PULLED["update"]), expected)


def test_a_step_with_its_gradient_multiplied_is_adams_on_that():
    moments = {}
    theta = THETA_0
    for step in (1, 2):
        gradient = gradients(theta)
        for layer, factor in repaired_factors(theta).items():
            gradient[f"layers.{layer}.weight"] *= factor
        theta = adam(theta, gradient, moments, step)
    assert_close(stepped(PULLED["gradient"], steps=2), theta)


def test_adam_cancels_a_factor_of_its_first_gradient():
    # Its first step is lr * sign(g), whatever the size of g. So the notebook's second step counts.
    found, plain = stepped(PULLED["gradient"]), stepped(PLAIN)
    torch.testing.assert_close(
        found["layers.1.weight"], plain["layers.1.weight"], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("explanation", [PULLED["alignment"], PULLED["contrastive"]])
def test_a_step_of_the_alignment_goes_down_the_loss_as_it_is_written(explanation):
    distances = LANDMARKS.distances[:40]
    layers = (0, 1) if explanation.layer is None else (explanation.layer,)
    theta = {name: value.clone().requires_grad_() for name, value in THETA_0.items()}
    outputs = pre_activations(theta, X)
    loss = cross_entropy(outputs[-1], Y)
    for layer in layers:
        z = outputs[layer]
        unexplained = [
            1 - torch.corrcoef(torch.stack((z[:, j], distances[:, j % 3])))[0, 1].square()
            for j in range(z.shape[1])
        ]
        factor = depth_factor(layer, 3, depth=explanation.depth, alpha=explanation.alpha)
        loss = loss + explanation.adj_weight * factor * torch.stack(unexplained).mean()
        if explanation.beta:
            loss = loss + explanation.beta * contrastive(z, Y, temperature=0.1)
    expected = torch.autograd.grad(loss, theta.values())
    descent = Descent(THETA_0, explanation, LANDMARKS, lr=LR)
    outcome = step(descent)
    for value, gradient in zip(descent.theta.values(), expected, strict=True):
        torch.testing.assert_close(value.grad, gradient, rtol=1e-4, atol=1e-6)
    total = outcome.added + cross_entropy(outputs[-1], Y)
    torch.testing.assert_close(total, loss.detach())


def test_the_alignment_explains_what_the_plain_network_does_not():
    def explained(explanation):
        *_, last = training(explanation, epochs=20, patience=20)
        nodes = pre_activations(last.theta, TRAIN.x)[1]
        both = torch.corrcoef(torch.cat((nodes, LANDMARKS.distances), dim=1).T)
        owned = [both[j, 6 + j % 3] for j in range(6)]
        return float(torch.stack(owned).square().mean())

    strong = replace(PULLED["alignment"], adj_weight=3.0)
    assert explained(strong) > explained(PLAIN) + 0.3
