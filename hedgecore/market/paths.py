"""Simulated paths of a market, as plain tensors."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class MarketPaths:
    """Spot and variance on an even grid of dates 0, dt, ..., maturity.

    Args:
        spot: price in currency; the first column is today's.
        variance: annual variance of the spot at the same dates.
        maturity: time of the last date, in years.
    """

    spot: Float[Tensor, "paths dates"]
    variance: Float[Tensor, "paths dates"]
    maturity: float

    def __post_init__(self) -> None:
        if self.spot.ndim != 2 or self.spot.shape != self.variance.shape:
            raise ValueError(
                "spot and variance must both have shape (paths, steps + 1), got "
                f"{tuple(self.spot.shape)} and {tuple(self.variance.shape)}"
            )
        if self.spot.shape[1] < 2:
            raise ValueError(f"paths need at least two dates, got {self.spot.shape[1]}")
        if not self.maturity > 0:
            raise ValueError(f"maturity must be positive, got {self.maturity}; it is in years")

    @property
    def paths(self) -> int:
        """Number of paths."""
        return self.spot.shape[0]

    @property
    def steps(self) -> int:
        """Number of time steps, one less than the number of dates."""
        return self.spot.shape[1] - 1

    @property
    def dt(self) -> float:
        """Length of a step, in years."""
        return self.maturity / self.steps

    def to(
        self, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
    ) -> "MarketPaths":
        """The same paths in another dtype, on another device, or both."""
        return MarketPaths(
            spot=self.spot.to(device=device, dtype=dtype),
            variance=self.variance.to(device=device, dtype=dtype),
            maturity=self.maturity,
        )
