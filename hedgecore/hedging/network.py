"""Semi-recurrent hedging network: one small MLP for all dates, with its own past as input.

    delta_t = saturated(MLP(x_t, delta_{t-1}, cumulative P&L, trading volume))

Without the saturation a network whose position grows with its own past runs away: 1.1 per date
becomes 17 in 30 dates, and layers of such gains overflow.

Its parameters are a dict of tensors, applied by :func:`positions`; masks are dicts too, and many
tickets can share one module. Source: Buehler et al. (2019), section 4.
"""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import linear

from hedgecore.hedging.features import EXOGENOUS_NAMES, FEATURE_NAMES, Standardisation

OCE_SCALARS = ("y", "y_attacked")
"""Parameters of the risk that may be in the network's dict: y, and y under attack."""

Recall = Callable[[Float[Tensor, "paths 3"]], Float[Tensor, "paths 3"]]
"""Function from the actual recurrent features at a date to those that the network reads."""

_FIXED = len(EXOGENOUS_NAMES)


class Strategy(nn.Module):
    """Positions from the features of a market; with mean and sd of the features in training."""

    mean: Tensor
    sd: Tensor

    def __init__(self, standardisation: Standardisation) -> None:
        super().__init__()
        self.register_buffer("mean", standardisation.mean)
        self.register_buffer("sd", standardisation.sd)


class HedgingNetwork(Strategy):
    """Structure of the network, without weights (torch's meta device).

    Args:
        hidden: widths of the hidden layers.
        standardisation: mean and sd of the features.
        position_limit: bound of the absolute position, in shares; see :func:`saturated`.
    """

    def __init__(
        self, hidden: tuple[int, ...], standardisation: Standardisation, *, position_limit: float
    ) -> None:
        super().__init__(standardisation)
        self.position_limit = position_limit
        widths = (len(FEATURE_NAMES), *hidden, 1)
        self.layers = nn.ModuleList(nn.Linear(a, b, device="meta") for a, b in pairwise(widths))
        self.names = [name for name, _ in self.named_parameters()]

    def forward(
        self,
        exogenous: Float[Tensor, "paths steps 5"],
        spot: Float[Tensor, "paths steps+1"],
        recall: Recall | None = None,
    ) -> Float[Tensor, "paths steps"]:
        """Shares held from every trading date to the next; see :func:`positions`."""
        holdings = self._unrolled(exogenous, spot, recall, limit=math.inf)
        # Saturating every date takes a quarter to a half of a pass and leaves a sane hedge
        # unchanged to the last bit. NaN is not below the limit.
        if bool(holdings.detach().abs().amax() <= self.position_limit / 2):
            return holdings
        return self._unrolled(exogenous, spot, recall, limit=self.position_limit)

    def _unrolled(
        self,
        exogenous: Float[Tensor, "paths steps 5"],
        spot: Float[Tensor, "paths steps+1"],
        recall: Recall | None,
        *,
        limit: float,
    ) -> Float[Tensor, "paths steps"]:
        first, *middle, last = self.layers
        assert isinstance(first, nn.Linear)
        # Standardisation is folded into the first layer; its exogenous part is one product for all
        # dates.
        weight = first.weight / self.sd
        bias = first.bias - weight @ self.mean
        fixed = linear(exogenous.transpose(0, 1), weight[:, :_FIXED], bias)
        from_state = weight[:, _FIXED:].T
        moves = (spot[:, 1:] - spot[:, :-1]).T

        previous = gains = volume = torch.zeros_like(spot[:, 0])
        holdings = []
        for step, offset in enumerate(fixed):
            state = torch.stack((previous, gains, volume), dim=1)
            if recall is not None:
                state = recall(state)
            h = torch.addmm(offset, state, from_state).relu()
            for layer in middle:
                h = layer(h).relu()
            position = last(h).squeeze(1)
            if limit < math.inf:
                position = saturated(position, limit=limit)
            volume = volume + (position - previous).abs()
            if step > 0:
                gains = gains + previous * moves[step - 1]
            previous = position
            holdings.append(position)
        return torch.stack(holdings, dim=1)


def positions(
    network: Strategy,
    theta: Mapping[str, Tensor],
    exogenous: Float[Tensor, "paths steps 5"],
    spot: Float[Tensor, "paths steps+1"],
    recall: Recall | None = None,
) -> Float[Tensor, "paths steps"]:
    """Shares held by ``network`` with parameters ``theta`` (a ``y`` among them is ignored).

    Args:
        network: the structure.
        theta: its parameters.
        exogenous: the features of the market.
        spot: prices, from which the recurrent features follow.
        recall: changes the recurrent features that the network reads, date by date; its actual
            position, gains and volume are unaffected. None for no change.
    """
    weights = {name: value for name, value in theta.items() if name not in OCE_SCALARS}
    return functional_call(network, weights, (exogenous, spot, recall))


def saturated(position: Float[Tensor, " paths"], *, limit: float) -> Float[Tensor, " paths"]:
    """``position`` bounded by ``limit`` in absolute value, in shares; unchanged up to half of it.

        x                                                  for |x| <= L/2
        sign(x) (L/2 + L/pi arctan(pi/L (|x| - L/2)))      beyond

    Twice continuously differentiable and strictly increasing; its slope falls as 1/x^2 and not
    exponentially, so that training can bring a network back that has run away.
    """
    size, half, scale = position.abs(), limit / 2, limit / math.pi
    # No excess where it is not taken: its gradient there is 0 and never NaN.
    excess = (size - half).clamp(min=0)
    beyond = position.sign() * (half + scale * (excess / scale).atan())
    return torch.where(size <= half, position, beyond)


def initialise(hidden: tuple[int, ...], *, generator: torch.Generator) -> dict[str, Tensor]:
    """theta_0: Xavier-uniform weights and zero biases, float32, in the order of the network."""
    widths = (len(FEATURE_NAMES), *hidden, 1)
    theta = {}
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        weight = torch.empty(outputs, inputs)
        theta[f"layers.{i}.weight"] = nn.init.xavier_uniform_(weight, generator=generator)
        theta[f"layers.{i}.bias"] = torch.zeros(outputs)
    return theta
