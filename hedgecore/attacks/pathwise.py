"""Attacks with a budget per path: FGSM, PGD, and noise as their control.

An attack sees a loss and points, never a network. It returns a candidate; the caller projects it
onto the ball again and evaluates there, so that a defect in an attack cannot exceed the budget.
Sources: Goodfellow et al. (2015) for FGSM, Madry et al. (2018) for PGD.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from hedgecore.attacks.balls import Ball, Box, Points

Loss = Callable[..., Float[Tensor, " paths"]]
"""Points as positional arguments -> loss of every path; larger is worse for the hedger."""

B = TypeVar("B", bound=Ball, contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Computational effort of an attack.

    Args:
        steps: gradients per start.
        restarts: starting points.
        verify: return the visited point with the highest loss, as a robustness test needs.
            Otherwise the last point is returned, which saves training two evaluations per batch.
    """

    steps: int = 10
    restarts: int = 1
    verify: bool = True


@runtime_checkable
class Attack(Protocol[B]):
    """Common signature of attacks."""

    def __call__(
        self, loss: Loss, true: Points, ball: B, *, effort: Effort, generator: Generator
    ) -> Points:
        """Points in ``ball`` around ``true`` with a high ``loss``."""
        ...


def fgsm(loss: Loss, true: Points, ball: Box, *, effort: Effort, generator: Generator) -> Points:
    """One step of full size along the sign of the gradient.

    ``effort`` and ``generator`` are unused.
    """
    return _step(true, gradient(loss, true)[1], ball, 1.0, around=true)


def noise(loss: Loss, true: Points, ball: Box, *, effort: Effort, generator: Generator) -> Points:
    """Random corner of the box: the full distance of an attack, in a random direction.

    ``loss`` and ``effort`` are unused.
    """
    return _step(true, tuple(_uniform(p, generator) for p in true), ball, 1.0, around=true)


def pgd(loss: Loss, true: Points, ball: Box, *, effort: Effort, generator: Generator) -> Points:
    """Projected steps of 2.5 / steps times the radius, from random starts.

    With ``verify`` every path keeps the best point visited, including the true one: its loss never
    falls below its clean value.
    """
    best = _Best.of(loss, true) if effort.verify else None
    for _ in range(effort.restarts):
        start = tuple(
            p + radius * _uniform(p, generator) for p, radius in zip(true, ball.radii, strict=True)
        )
        current = ball.project(start, around=true)
        for _ in range(effort.steps):
            value, slope = gradient(loss, current)
            best = best and best.or_better(current, value)
            current = _step(current, slope, ball, 2.5 / effort.steps, around=true)
        if best:
            with torch.no_grad():
                best = best.or_better(current, loss(*current))
    return best.points if best else current


def gradient(loss: Loss, points: Points) -> tuple[Float[Tensor, " paths"], Points]:
    """Loss of every path and its gradient in ``points``; parameter gradients stay unchanged."""
    leaves = tuple(p.detach().requires_grad_() for p in points)
    with torch.enable_grad():  # evaluation disables gradients, which an attack needs
        value = loss(*leaves)
        slope = torch.autograd.grad(value.sum(), leaves, materialize_grads=True)
    return value.detach(), slope


@dataclass(frozen=True, slots=True)
class _Best:
    """The point with the highest loss so far, for every path."""

    points: Points
    loss: Float[Tensor, " paths"]

    @classmethod
    def of(cls, loss: Loss, points: Points) -> "_Best":
        with torch.no_grad():
            return cls(points, loss(*points))

    def or_better(self, points: Points, loss: Float[Tensor, " paths"]) -> "_Best":
        wins = loss > self.loss
        return _Best(
            tuple(
                torch.where(wins.view(-1, *[1] * (new.ndim - 1)), new, old)
                for new, old in zip(points, self.points, strict=True)
            ),
            torch.where(wins, loss, self.loss),
        )


def _step(points: Points, direction: Points, ball: Box, size: float, *, around: Points) -> Points:
    candidate = tuple(
        p + size * radius * d.sign()
        for p, d, radius in zip(points, direction, ball.radii, strict=True)
    )
    return ball.project(candidate, around=around)


def _uniform(like: Tensor, generator: Generator) -> Tensor:
    """Draws from (-1, 1), made on the CPU so that they are the same for every device."""
    return 2 * torch.rand(like.shape, generator=generator, dtype=like.dtype).to(like.device) - 1
