"""Attacks with a budget for every path, on losses whose worst case is known."""

import pytest
import torch

from hedgecore.attacks.balls import FeatureBall, PathBall
from hedgecore.attacks.pathwise import Effort, fgsm, noise, pgd
from hedgecore.rng import stream

SEARCHES = {"fgsm": fgsm, "pgd": pgd}
every_search = pytest.mark.parametrize("name", SEARCHES)
every_attack = pytest.mark.parametrize("name", [*SEARCHES, "noise"])


def paths(size=50, dates=6):
    g = stream(0, "paths")
    spot = 100 + torch.randn(size, dates, generator=g).cumsum(1)
    variance = (0.03 + 0.02 * torch.randn(size, dates, generator=g)).clamp(min=0)
    return spot, variance


def linear_loss(a, b):
    """Its worst case over a ball is known: every coordinate at its end, by sign."""
    return lambda spot, variance: spot @ a + variance @ b


def attack(name, loss, true, ball, seed=0, **effort):
    return {**SEARCHES, "noise": noise}[name](
        loss, true, ball, effort=Effort(**effort), generator=stream(seed, "attack")
    )


def coefficients(dates=6):
    g = stream(1, "loss")
    return torch.randn(dates, generator=g), torch.randn(dates, generator=g)


def is_within(found, true, ball, slack=1e-4):
    for value, origin, radius in zip(found, true, ball.radii, strict=True):
        assert bool(((value - origin).abs() <= radius + slack).all())
        assert torch.equal(value[:, 0], origin[:, 0])
        assert bool((value >= 0).all())


@every_attack
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 5.0])
def test_an_attack_stays_in_its_ball_leaves_today_alone_and_signs_non_negative(name, epsilon):
    ball, true = PathBall(epsilon=epsilon), paths()
    is_within(attack(name, linear_loss(*coefficients()), true, ball), true, ball)


@every_attack
def test_a_budget_of_zero_leaves_every_path_where_it_is(name):
    true = paths()
    found = attack(name, kinked, true, PathBall(epsilon=0.0))
    assert all(torch.equal(x, y) for x, y in zip(found, true, strict=True))


@every_search
@pytest.mark.parametrize("verify", [True, False])
def test_a_linear_loss_is_driven_to_its_closed_form_worst_case(name, verify):
    (a, b), (spot, variance) = coefficients(), paths()
    variance = variance + 1  # so that the sign constraint does not bind
    ball = PathBall(epsilon=0.2)
    found = attack(name, linear_loss(a, b), (spot, variance), ball, verify=verify)
    gain = linear_loss(a, b)(*found) - linear_loss(a, b)(spot, variance)
    worst = 0.2 * a[1:].abs().sum() + 0.002 * b[1:].abs().sum()
    torch.testing.assert_close(gain, worst.expand_as(gain), rtol=1e-3, atol=1e-3)


def test_noise_lies_as_far_away_as_an_attack_and_does_no_harm_on_average_to_a_linear_loss():
    a, b = coefficients()
    spot, variance = (p.double() for p in paths(20_000))
    true, ball = (spot, variance + 1), PathBall(epsilon=0.2)
    found = attack("noise", linear_loss(a.double(), b.double()), true, ball)
    assert torch.allclose((found[0] - true[0])[:, 1:].abs(), torch.tensor(0.2).double())
    gain = linear_loss(a.double(), b.double())(*found) - linear_loss(a.double(), b.double())(*true)
    assert abs(float(gain.mean())) < 4 * float(gain.std()) / 20_000**0.5


def kinked(spot, variance):
    return (spot[:, 1:] - 100).abs().sin().sum(1) + (30 * variance[:, 1:]).cos().sum(1)


def test_verified_pgd_never_does_less_harm_than_nothing_to_any_path():
    true, ball = paths(), PathBall(epsilon=1.0)
    assert bool((kinked(*attack("pgd", kinked, true, ball)) >= kinked(*true)).all())


def test_more_restarts_never_do_less_harm_to_any_path():
    true, ball = paths(), PathBall(epsilon=2.0)
    once, thrice = (kinked(*attack("pgd", kinked, true, ball, restarts=n)) for n in (1, 3))
    assert bool((thrice >= once).all())
    assert float((thrice - once).max()) > 0


def smooth(spot, variance):
    return ((spot[:, 1:] - 100) / 2).sin().sum(1) + (30 * variance[:, 1:]).cos().sum(1)


def test_pgd_of_many_steps_does_at_least_the_harm_of_fgsm():
    true, ball = paths(400), PathBall(epsilon=2.0)
    by_pgd, by_fgsm = (
        float(smooth(*attack(n, smooth, true, ball)).mean()) for n in ("pgd", "fgsm")
    )
    assert by_pgd >= by_fgsm


@every_search
def test_harm_grows_with_the_budget(name):
    true = paths(400)
    harm = [
        float(kinked(*attack(name, kinked, true, PathBall(epsilon=e))).mean())
        for e in (0.0, 0.05, 0.1, 0.2)
    ]
    assert harm == sorted(harm)


@every_search
def test_an_attack_touches_no_parameter_gradient(name):
    weight = torch.ones(6, requires_grad=True)
    weight.grad = torch.full((6,), 7.0)
    attack(name, lambda s, v: (s * weight).sum(1) + v.sum(1), paths(), PathBall(epsilon=0.1))
    assert weight.grad.tolist() == [7.0] * 6
    assert weight.tolist() == [1.0] * 6


@every_attack
def test_an_attack_is_a_function_of_its_generator(name):
    runs = [attack(name, kinked, paths(), PathBall(epsilon=0.5), seed=3) for _ in range(2)]
    assert torch.equal(runs[0][0], runs[1][0])


@every_attack
def test_features_move_by_their_own_unit_and_one_of_unit_zero_never(name):
    true = (torch.randn(40, 5, 3, generator=stream(2, "features")),)
    ball = FeatureBall(epsilon=0.5, units=torch.tensor([1.0, 0.1, 0.0]))
    (found,) = attack(name, lambda x: x.sum(dim=(1, 2)), true, ball)
    moved = (found - true[0]).abs().amax(dim=(0, 1))
    torch.testing.assert_close(moved, torch.tensor([0.5, 0.05, 0.0]), rtol=1e-4, atol=1e-5)


def test_projection_is_idempotent_and_leaves_points_inside_alone():
    true, ball = paths(), PathBall(epsilon=0.5)
    inside = ball.project((true[0] + 0.3, true[1] + 0.003), around=true)
    torch.testing.assert_close(inside[0][:, 1:], true[0][:, 1:] + 0.3)
    again = ball.project(inside, around=true)
    assert all(torch.equal(x, y) for x, y in zip(inside, again, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": -0.1}, "epsilon must be at least 0 and finite, got -0.1"),
        ({"epsilon": float("inf")}, "epsilon must be at least 0 and finite"),
        ({"epsilon": 0.1, "variance_scale": 0.0}, "variance_scale must be positive and finite"),
    ],
)
def test_a_ball_needs_a_sensible_radius(options, message):
    with pytest.raises(ValueError, match=message):
        PathBall(**options)
