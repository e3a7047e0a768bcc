"""Payoffs of the hedged option at maturity, as differentiable functions of the paths."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


def call(spot_T: Float[Tensor, " paths"], strike: float) -> Float[Tensor, " paths"]:
    """Payoff of a European call, max(S_T - strike, 0), in currency."""
    return torch.clamp(spot_T - strike, min=0.0)


@dataclass(frozen=True, slots=True)
class EuropeanCall:
    """The right to buy at ``strike``, in currency, at the last date.

    Raises:
        ValueError: strike not positive and finite.
    """

    strike: float

    def __post_init__(self) -> None:
        if not (self.strike > 0 and math.isfinite(self.strike)):
            raise ValueError(
                f"strike must be positive and finite, got {self.strike}; it is in currency"
            )

    def payoff(self, spot: Float[Tensor, "paths dates"]) -> Float[Tensor, " paths"]:
        """Payoff on every path of ``spot``, in currency."""
        return call(spot[:, -1], self.strike)


PAYOFFS = {"european_call": EuropeanCall}
