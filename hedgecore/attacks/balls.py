"""Balls that bound an attack; the caller projects onto them to enforce the budget."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

Points = tuple[Tensor, ...]
"""Tensors that an attack perturbs: prices and variances, or features; the first axis is paths."""


@runtime_checkable
class Ball(Protocol):
    """Neighbourhood of the true points."""

    def project(self, points: Points, *, around: Points) -> Points:
        """The nearest points of the ball around the true points."""
        ...


@runtime_checkable
class Box(Ball, Protocol):
    """Ball with a separate radius for every coordinate of every path."""

    @property
    def radii(self) -> tuple[Tensor | float, ...]:
        """Largest shift: one number or tensor for each of the points."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PathBall:
    """All (S, v) with |S' - S| <= epsilon and |v' - v| <= epsilon / variance_scale at every date.

    The values at t = 0 are known and never move; prices and variances stay non-negative.

    Args:
        epsilon: budget in price units (S0 = 100: epsilon 0.1 is 10 basis points of spot).
        variance_scale: price units per unit of variance; 100 as in He, Sutter and Gonon (2025).
    """

    epsilon: float
    variance_scale: float = 100.0

    def __post_init__(self) -> None:
        _check(self.epsilon, self.variance_scale)

    @property
    def radii(self) -> tuple[float, float]:
        """Largest shift of S (price units) and of v (annualised variance)."""
        return self.epsilon, self.epsilon / self.variance_scale

    def project(self, points: Points, *, around: Points) -> Points:
        """Points of the ball around the true paths nearest to ``points``."""
        return tuple(
            _market(torch.minimum(torch.maximum(value, true - radius), true + radius), true)
            for value, true, radius in zip(points, around, self.radii, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureBall:
    """All features within ``epsilon`` units each of the true ones, at every date.

    Args:
        epsilon: budget in units of ``units``.
        units: size of one unit for each feature, such as its sd on the training paths; 0 for a
            feature that must not move.
    """

    epsilon: float
    units: Float[Tensor, " features"]

    def __post_init__(self) -> None:
        _check(self.epsilon)

    @property
    def radii(self) -> tuple[Float[Tensor, " features"]]:
        """Largest shift of every feature, in its own unit."""
        return (self.epsilon * self.units,)

    def project(self, points: Points, *, around: Points) -> Points:
        """Features in the ball around the true ones nearest to ``points``."""
        (value,), (true,), (radius,) = points, around, self.radii
        return (torch.minimum(torch.maximum(value, true - radius), true + radius),)


@dataclass(frozen=True, slots=True, kw_only=True)
class WassersteinBall:
    """All samples of (S, v) within epsilon of the true ones in the mean of order p.

    One budget for the whole sample: (mean_n d_n^p)^(1/p) <= epsilon with the distance of a path
    d^p = max_t |S' - S|^p + (variance_scale max_t |v' - v|)^p. The values at t = 0 never move;
    prices and variances stay non-negative.

    Args:
        epsilon: budget in price units.
        variance_scale: price units per unit of variance.
        order: p, above 1; the path-wise ball is its limit at infinity.

    Source: He, Sutter and Gonon (2025), with the minimum in the projection that their formula
    requires.
    """

    epsilon: float
    variance_scale: float = 100.0
    order: float = 2.0

    def __post_init__(self) -> None:
        _check(self.epsilon, self.variance_scale)
        if not 1 < self.order < float("inf"):
            raise ValueError(f"order must be above 1 and finite, got {self.order}")

    @property
    def scales(self) -> tuple[float, float]:
        """Price units per unit of S and per unit of v."""
        return 1.0, self.variance_scale

    @property
    def dual(self) -> float:
        """q with 1/p + 1/q = 1."""
        return self.order / (self.order - 1)

    def distance(self, points: Points, *, around: Points) -> Float[Tensor, ""]:
        """(mean_n d_n^p)^(1/p) from ``points`` to the true paths, in price units."""
        parts = [
            (scale * (value - true).abs().amax(dim=1)) ** self.order
            for value, true, scale in zip(points, around, self.scales, strict=True)
        ]
        return torch.stack(parts).sum(dim=0).mean() ** (1 / self.order)

    def project(self, points: Points, *, around: Points) -> Points:
        """``points`` moved towards the true paths by one common factor until in the ball."""
        admissible = tuple(
            _market(value, true) for value, true in zip(points, around, strict=True)
        )
        reached = self.distance(admissible, around=around)
        factor = (self.epsilon / reached).clamp(max=1) if reached > 0 else torch.ones_like(reached)
        return tuple(
            torch.where(factor < 1, true + factor * (value - true), value)
            for value, true in zip(admissible, around, strict=True)
        )


def _market(
    value: Float[Tensor, "paths dates"], true: Float[Tensor, "paths dates"]
) -> Float[Tensor, "paths dates"]:
    """``value`` with the known value at t = 0 and no value below zero."""
    return torch.cat([true[:, :1], value[:, 1:].clamp(min=0)], dim=1)


def _check(epsilon: float, variance_scale: float = 1.0) -> None:
    if not 0 <= epsilon < float("inf"):
        raise ValueError(f"epsilon must be at least 0 and finite, got {epsilon}")
    if not 0 < variance_scale < float("inf"):
        raise ValueError(f"variance_scale must be positive and finite, got {variance_scale}")
