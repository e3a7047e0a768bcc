"""The 8 input features of a hedge at every trading date, in the network's order.

Five follow from the paths alone (exogenous), three from the hedge's own past (recurrent).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

EXOGENOUS_NAMES = (
    "log_moneyness",  # ln(S_t / K)
    "return",  # S_t / S_{t-1} - 1, 0 at t = 0
    "volatility",  # sqrt(v_t)
    "variance_change",  # v_t - v_{t-1}, 0 at t = 0
    "time_to_maturity",  # (T - t) / T
)
RECURRENT_NAMES = (
    "previous_position",  # delta_{t-1}, 0 at t = 0
    "cumulative_pnl",  # sum_{k < t} delta_{k-1} (S_k - S_{k-1}): gains one date late, no costs
    "trading_volume",  # sum_{k < t} |delta_k - delta_{k-1}|, in shares
)
FEATURE_NAMES = EXOGENOUS_NAMES + RECURRENT_NAMES

# sqrt has no derivative at 0, and the variance reaches 0 where Feller's condition fails.
_VARIANCE_FLOOR = 1e-8


def exogenous(
    spot: Float[Tensor, "paths dates"], variance: Float[Tensor, "paths dates"], *, strike: float
) -> Float[Tensor, "paths steps 5"]:
    """The five exogenous features at the trading dates, differentiable in both paths.

    There is no trade at maturity, so no feature uses the last column of the paths.
    """
    s, v = spot[:, :-1], variance[:, :-1]
    steps = s.shape[1]
    still = torch.zeros_like(s[:, :1])
    remaining = 1 - torch.arange(steps, dtype=s.dtype, device=s.device) / steps
    columns = (
        (s / strike).log(),
        torch.cat([still, s[:, 1:] / s[:, :-1] - 1], dim=1),
        v.clamp(min=_VARIANCE_FLOOR).sqrt(),
        torch.cat([still, v[:, 1:] - v[:, :-1]], dim=1),
        remaining.expand_as(s),
    )
    return torch.stack(columns, dim=-1)


def recurrent(
    position: Float[Tensor, "paths steps"], spot: Float[Tensor, "paths steps+1"]
) -> Float[Tensor, "paths steps 3"]:
    """The three recurrent features that a given ``position`` produces.

    The network computes the same values date by date.
    """
    none = torch.zeros_like(position[:, :1])
    previous = torch.cat([none, position[:, :-1]], dim=1)
    moves = torch.cat([none, spot[:, 1:-1] - spot[:, :-2]], dim=1)
    gains = (previous * moves).cumsum(dim=1)
    volume = (position - previous).abs().cumsum(dim=1)
    late = [torch.cat([none, x[:, :-1]], dim=1) for x in (gains, volume)]
    return torch.stack([previous, *late], dim=-1)


@dataclass(frozen=True, slots=True)
class Standardisation:
    """Mean and sd of the 8 features on the training paths."""

    mean: Float[Tensor, "8"]
    sd: Float[Tensor, "8"]

    @classmethod
    def fit(
        cls,
        spot: Float[Tensor, "paths dates"],
        variance: Float[Tensor, "paths dates"],
        position: Float[Tensor, "paths steps"],
        *,
        strike: float,
    ) -> "Standardisation":
        """Statistics of training paths.

        The recurrent features are those of a reference hedge ``position``.
        """
        features = torch.cat(
            [exogenous(spot, variance, strike=strike), recurrent(position, spot)], dim=-1
        ).double()
        flat = features.flatten(0, 1)
        sd = flat.std(dim=0)
        # A constant feature (a single date, a zero vol-of-vol) is centred and left unscaled.
        sd = torch.where(sd > 1e-9, sd, torch.ones_like(sd))
        return cls(mean=flat.mean(dim=0).to(spot.dtype), sd=sd.to(spot.dtype))
