"""Payoffs of the hedged option at maturity, as differentiable functions of the paths."""

import torch
from jaxtyping import Float
from torch import Tensor


def call(spot_T: Float[Tensor, " paths"], strike: float) -> Float[Tensor, " paths"]:
    """Payoff of a European call, max(S_T - strike, 0), in currency."""
    return torch.clamp(spot_T - strike, min=0.0)
