"""Attacks on the distribution of paths: one Wasserstein budget for the whole sample.

The budget goes to the paths where it costs most, so ``loss`` is the risk's own loss of every path,
whose mean is the risk. The attacks are deterministic.
Source: He, Sutter and Gonon (2025), algorithms 1 and 2, with the exponents from their derivation.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.attacks.balls import Points, WassersteinBall
from hedgecore.attacks.pathwise import Effort, Loss, gradient

# Total length of all steps, in radii of the ball.
_REACH = 4.0


def wpgd(
    loss: Loss, true: Points, ball: WassersteinBall, *, effort: Effort, generator: torch.Generator
) -> Points:
    """Projected steps along the direction in which the mean loss grows fastest.

    ``effort.restarts`` and ``generator`` are unused.
    """
    best, current = _Best(effort.verify), true
    for _ in range(effort.steps):
        value, slope = gradient(loss, current)
        best.see(current, value)
        size = _REACH * ball.epsilon / effort.steps
        moves, _ = steepest(slope, ball)
        candidate = tuple(p + size * move for p, move in zip(current, moves, strict=True))
        current = ball.project(candidate, around=true)
    return best.of(loss, current)


def wbpgd(
    loss: Loss, true: Points, ball: WassersteinBall, *, effort: Effort, generator: torch.Generator
) -> Points:
    """Separate steps in each path's budget and direction: X' = X + budget * direction in [-1, 1].

    ``effort.restarts`` and ``generator`` are unused.
    """
    p, q = ball.order, ball.dual
    budgets = [p_.new_full((p_.shape[0],), ball.epsilon * len(true) ** (-1 / p)) for p_ in true]
    directions = [torch.zeros_like(p_) for p_ in true]
    best, current = _Best(effort.verify), true
    size = _REACH * ball.epsilon / effort.steps
    for _ in range(effort.steps):
        value, slope = gradient(loss, current)
        best.see(current, value)
        gains = torch.stack(
            [
                ((g * d).sum(dim=1) / scale).clamp(min=0)
                for g, d, scale in zip(slope, directions, ball.scales, strict=True)
            ]
        )
        upsilon = _mean_norm(gains, q)
        if upsilon > 0:
            budgets = [
                b + size * (gain / upsilon) ** (q - 1)
                for b, gain in zip(budgets, gains, strict=True)
            ]
        spent = _mean_norm(torch.stack(budgets), p)
        if spent > 0:
            budgets = [b * (ball.epsilon / spent) for b in budgets]
        directions = [
            (d + _REACH / effort.steps * g.sign()).clamp(-1, 1)
            for d, g in zip(directions, slope, strict=True)
        ]
        current = ball.project(
            tuple(
                x + b[:, None] * d / scale
                for x, b, d, scale in zip(true, budgets, directions, ball.scales, strict=True)
            ),
            around=true,
        )
    return best.of(loss, current)


def steepest(slope: Points, ball: WassersteinBall) -> tuple[Points, Float[Tensor, ""]]:
    """Move of unit distance along which the mean loss grows fastest, and the rate of growth.

    The rate is Upsilon = (mean_n |g_n|^q)^(1/q) with |.| dual to the distance of a path; the worst
    loss within delta is V(delta) = V(0) + delta Upsilon + o(delta).
    """
    q = ball.dual
    gradients = [torch.cat([torch.zeros_like(g[:, :1]), g[:, 1:]], dim=1) for g in slope]
    parts = torch.stack(
        [g.abs().sum(dim=1) / scale for g, scale in zip(gradients, ball.scales, strict=True)]
    )
    upsilon = _mean_norm(parts, q)
    if not upsilon > 0:
        return tuple(torch.zeros_like(g) for g in slope), upsilon
    lengths = (parts / upsilon) ** (q - 1)
    moves = tuple(
        length[:, None] * g.sign() / scale
        for length, g, scale in zip(lengths, gradients, ball.scales, strict=True)
    )
    return moves, upsilon


def _mean_norm(parts: Float[Tensor, "points paths"], order: float) -> Float[Tensor, ""]:
    """(mean over paths of the sum over parts of part^order)^(1/order)."""
    return (parts**order).sum(dim=0).mean() ** (1 / order)


class _Best:
    """Sample with the highest mean loss so far, or the last sample without verification."""

    def __init__(self, verify: bool) -> None:
        self._verify = verify
        self._points: Points | None = None
        self._loss = float("-inf")

    def see(self, points: Points, loss: Float[Tensor, " paths"]) -> None:
        """Record that ``points`` have ``loss``."""
        if self._verify and (mean := float(loss.mean())) > self._loss:
            self._points, self._loss = points, mean

    def of(self, loss: Loss, last: Points) -> Points:
        """The best sample of all, including ``last``."""
        if self._verify:
            with torch.no_grad():
                self.see(last, loss(*last))
        return self._points if self._points is not None else last
