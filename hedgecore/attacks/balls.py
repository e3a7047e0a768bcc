"""How far an attacked path may lie from the true one."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PathBall:
    """All (S, v) with |S' - S| <= epsilon and |v' - v| <= epsilon / variance_scale at every date.

    Today (t = 0) is known and never moves; prices and variances stay non-negative.

    Args:
        epsilon: budget in price units (S0 = 100: epsilon 0.1 is 10 basis points of spot).
        variance_scale: price units that one unit of variance counts as; 100 as in He, Sutter and
            Gonon (2025).
    """

    epsilon: float
    variance_scale: float = 100.0

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon < float("inf"):
            raise ValueError(f"epsilon must be at least 0 and finite, got {self.epsilon}")
        if not 0 < self.variance_scale < float("inf"):
            raise ValueError(
                f"variance_scale must be positive and finite, got {self.variance_scale}"
            )

    @property
    def radii(self) -> tuple[float, float]:
        """Largest shift of S (price units) and of v (annualised variance)."""
        return self.epsilon, self.epsilon / self.variance_scale

    def project(
        self,
        spot: Float[Tensor, "paths dates"],
        variance: Float[Tensor, "paths dates"],
        *,
        around: tuple[Float[Tensor, "paths dates"], Float[Tensor, "paths dates"]],
    ) -> tuple[Float[Tensor, "paths dates"], Float[Tensor, "paths dates"]]:
        """The point of the ball around the true paths that is nearest to (spot, variance)."""
        moved = []
        for value, true, radius in zip((spot, variance), around, self.radii, strict=True):
            near = torch.clamp(
                torch.minimum(torch.maximum(value, true - radius), true + radius), min=0
            )
            moved.append(torch.cat([true[:, :1], near[:, 1:]], dim=1))
        return moved[0], moved[1]
