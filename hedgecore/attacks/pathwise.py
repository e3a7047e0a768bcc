"""Path-wise attacks: S and v move, and all that follows is recomputed (threat model A2).

An attack sees a loss and paths, never a network. It returns a candidate; whoever calls it projects
that on the ball once more and evaluates there, so that no defect in an attack can exceed the
budget.
Sources: Goodfellow et al. (2015) for FGSM, Madry et al. (2018) for PGD.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.attacks.balls import PathBall

Loss = Callable[[Tensor, Tensor], Tensor]
"""(spot, variance) -> loss of every path; larger is worse for the hedger."""

Paths = tuple[Float[Tensor, "paths dates"], Float[Tensor, "paths dates"]]


class Attack(Protocol):
    """The common signature of path-wise attacks."""

    def __call__(
        self, loss: Loss, paths: Paths, ball: PathBall, *, steps: int, generator: torch.Generator
    ) -> Paths:
        """Paths in ``ball`` around ``paths`` on which ``loss`` is high."""
        ...


def fgsm(
    loss: Loss, paths: Paths, ball: PathBall, *, steps: int, generator: torch.Generator
) -> Paths:
    """One step of full size along the sign of the gradient.

    ``steps`` and ``generator`` are unused.
    """
    gradient = _gradient(loss, paths)[1]
    return _step(paths, gradient, ball, 1.0, around=paths)


def pgd(
    loss: Loss, paths: Paths, ball: PathBall, *, steps: int, generator: torch.Generator
) -> Paths:
    """Projected steps of 2.5 / steps times the radius, from a random start.

    Every path keeps the best point it came by.

    The true path is among the candidates, so the loss of no path falls below its clean value.
    """
    with torch.no_grad():
        best, best_loss = paths, loss(*paths)
    current = _random_start(paths, ball, generator)
    for _ in range(steps):
        value, gradient = _gradient(loss, current)
        best, best_loss = _better(best, best_loss, current, value)
        current = _step(current, gradient, ball, 2.5 / steps, around=paths)
    with torch.no_grad():
        return _better(best, best_loss, current, loss(*current))[0]


def _gradient(loss: Loss, paths: Paths) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Loss of every path and its gradient in (S, v); parameters' own gradients stay untouched."""
    spot, variance = (p.detach().requires_grad_() for p in paths)
    value = loss(spot, variance)
    by_spot, by_variance = torch.autograd.grad(value.sum(), (spot, variance))
    return value.detach(), (by_spot, by_variance)


def _step(
    paths: Paths, gradient: Paths, ball: PathBall, size: float, *, around: Paths
) -> tuple[Tensor, Tensor]:
    moved = [
        p + size * radius * g.sign()
        for p, g, radius in zip(paths, gradient, ball.radii, strict=True)
    ]
    return ball.project(moved[0], moved[1], around=around)


def _random_start(
    paths: Paths, ball: PathBall, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    moved = [
        p + radius * (2 * torch.rand(p.shape, generator=generator, dtype=p.dtype).to(p.device) - 1)
        for p, radius in zip(paths, ball.radii, strict=True)
    ]
    return ball.project(moved[0], moved[1], around=paths)


def _better(best: Paths, best_loss: Tensor, new: Paths, new_loss: Tensor) -> tuple[Paths, Tensor]:
    wins = new_loss > best_loss
    kept = tuple(torch.where(wins[:, None], n, b) for n, b in zip(new, best, strict=True))
    return (kept[0], kept[1]), torch.where(wins, new_loss, best_loss)


ATTACKS: Mapping[str, Attack] = {"fgsm": fgsm, "pgd": pgd}
