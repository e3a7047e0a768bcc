"""One Wasserstein budget for the whole sample: first-order theory, budget, and what it buys."""

import pytest
import torch

from hedgecore.attacks.balls import PathBall, WassersteinBall
from hedgecore.attacks.distributional import steepest, wbpgd, wpgd
from hedgecore.attacks.pathwise import Effort, gradient, pgd
from hedgecore.rng import stream

every_attack = pytest.mark.parametrize("attack", [wpgd, wbpgd])


def paths(size=300, dates=5):
    g = stream(0, "paths")
    spot = 100 + torch.randn(size, dates, generator=g, dtype=torch.float64).cumsum(1)
    variance = 0.05 + 0.01 * torch.rand(size, dates, generator=g, dtype=torch.float64)
    return spot, variance


def smooth(spot, variance):
    """Curved, and steeper on some paths than on others."""
    return ((spot[:, 1:] - 100) / 3).square().sum(1) + (40 * variance[:, 1:]).square().sum(1)


def found(attack, loss, true, ball, steps=20):
    return attack(loss, true, ball, effort=Effort(steps=steps), generator=stream(0, "unused"))


@every_attack
@pytest.mark.parametrize("order", [1.5, 2.0, 4.0])
@pytest.mark.parametrize("epsilon", [0.01, 0.1, 1.0])
def test_the_mean_distance_is_within_the_budget(attack, order, epsilon):
    true, ball = paths(), WassersteinBall(epsilon=epsilon, order=order)
    moved = ball.project(found(attack, smooth, true, ball), around=true)
    assert float(ball.distance(moved, around=true)) <= epsilon * (1 + 1e-6)
    assert all(torch.equal(m[:, 0], t[:, 0]) for m, t in zip(moved, true, strict=True))
    assert all(bool((m >= 0).all()) for m in moved)


@every_attack
@pytest.mark.parametrize("order", [1.5, 2.0, 4.0])
def test_a_small_budget_costs_upsilon_for_every_unit(attack, order):
    true = paths()
    value, slope = gradient(smooth, true)
    ball = WassersteinBall(epsilon=1e-4, order=order)
    rate = steepest(slope, ball)[1]
    rise = float((smooth(*found(attack, smooth, true, ball)) - value).mean())
    assert rise / ball.epsilon == pytest.approx(float(rate), rel=0.01)


@pytest.mark.parametrize("order", [1.5, 2.0, 4.0])
def test_the_steepest_move_has_unit_distance_and_grows_at_the_rate_it_says(order):
    true, ball = paths(), WassersteinBall(epsilon=1.0, order=order)
    _, slope = gradient(smooth, true)
    move, rate = steepest(slope, ball)
    there = tuple(t + m for t, m in zip(true, move, strict=True))
    torch.testing.assert_close(ball.distance(there, around=true), torch.ones_like(rate))
    inner = sum((g * m).sum(dim=1) for g, m in zip(slope, move, strict=True)).mean()
    torch.testing.assert_close(inner, rate)


@pytest.mark.parametrize("order", [1.5, 2.0])
def test_no_other_move_of_unit_distance_grows_faster(order):
    true, ball = paths(60), WassersteinBall(epsilon=1.0, order=order)
    _, slope = gradient(smooth, true)
    _, rate = steepest(slope, ball)
    g = stream(3, "moves")
    for _ in range(50):
        move = [torch.randn(t.shape, generator=g, dtype=t.dtype) for t in true]
        for m, scale in zip(move, ball.scales, strict=True):
            m[:, 0] = 0
            m /= scale
        length = ball.distance(tuple(t + m for t, m in zip(true, move, strict=True)), around=true)
        inner = sum((s * m).sum(dim=1) for s, m in zip(slope, move, strict=True)).mean() / length
        assert float(inner) <= float(rate) * (1 + 1e-9)


@every_attack
def test_the_budget_goes_where_it_hurts(attack):
    """A loss that only one path in ten has: a budget for each would waste nine tenths."""
    spot, variance = paths()
    hurt = (torch.arange(300) % 10 == 0).double()

    def loss(s, v):
        return hurt * (s[:, 1:] - spot[:, 1:]).sum(1)

    ball = WassersteinBall(epsilon=0.1)
    together = loss(*found(attack, loss, (spot, variance), ball)).mean()
    alone = loss(
        *pgd(
            loss,
            (spot, variance),
            PathBall(epsilon=0.1),
            effort=Effort(),
            generator=stream(0, "start"),
        )
    ).mean()
    # sqrt(10) for order 2: all of it on a tenth of the paths.
    assert float(together / alone) == pytest.approx(10**0.5, rel=0.02)


@every_attack
def test_harm_grows_with_the_budget(attack):
    true = paths()
    harm = [
        float(smooth(*found(attack, smooth, true, WassersteinBall(epsilon=e))).mean())
        for e in (0.0, 0.05, 0.2, 0.8)
    ]
    assert harm == sorted(harm)
    assert harm[0] == float(smooth(*true).mean())


@every_attack
def test_a_flat_loss_leaves_every_path_where_it_is(attack):
    true = paths()
    moved = found(attack, lambda s, v: 0 * s.sum(1), true, WassersteinBall(epsilon=0.5))
    assert all(torch.equal(m, t) for m, t in zip(moved, true, strict=True))


def test_a_projection_that_doubled_the_distance_would_be_seen():
    true, ball = paths(), WassersteinBall(epsilon=0.1)
    far = tuple(t + 1 for t in true)
    wrong = tuple(  # max(1, .) in place of min(1, .), as printed in the paper
        t + max(1.0, float(ball.epsilon / ball.distance(far, around=true))) * (f - t)
        for f, t in zip(far, true, strict=True)
    )
    assert float(ball.distance(wrong, around=true)) > ball.epsilon


@pytest.mark.parametrize("order", [1.0, 0.5, float("inf")])
def test_an_order_that_is_no_norm_is_refused(order):
    with pytest.raises(ValueError, match="order must be above 1 and finite"):
        WassersteinBall(epsilon=0.1, order=order)
