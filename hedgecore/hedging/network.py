"""Semi-recurrent hedging network: one small MLP for all dates, with its own past as input.

    delta_t = MLP(x_t, delta_{t-1}, cumulative P&L, trading volume)

Its parameters are a dict of tensors, applied by :func:`positions`; masks are dicts too, and many
tickets can share one module. Source: Buehler et al. (2019), section 4.
"""

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


class Hedge(nn.Module):
    """Positions from the features of a market; with mean and sd of the features in training."""

    mean: Tensor
    sd: Tensor

    def __init__(self, standardisation: Standardisation) -> None:
        super().__init__()
        self.register_buffer("mean", standardisation.mean)
        self.register_buffer("sd", standardisation.sd)


class HedgingNetwork(Hedge):
    """Structure of the network, without weights (torch's meta device)."""

    def __init__(self, hidden: tuple[int, ...], standardisation: Standardisation) -> None:
        super().__init__(standardisation)
        widths = (len(FEATURE_NAMES), *hidden, 1)
        self.layers = nn.ModuleList(nn.Linear(a, b, device="meta") for a, b in pairwise(widths))

    def forward(
        self,
        exogenous: Float[Tensor, "paths steps 5"],
        spot: Float[Tensor, "paths steps+1"],
        recall: Recall | None = None,
    ) -> Float[Tensor, "paths steps"]:
        """Shares held from every trading date to the next; see :func:`positions`."""
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
            volume = volume + (position - previous).abs()
            if step > 0:
                gains = gains + previous * moves[step - 1]
            previous = position
            holdings.append(position)
        return torch.stack(holdings, dim=1)


def positions(
    network: Hedge,
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


def initialise(hidden: tuple[int, ...], *, generator: torch.Generator) -> dict[str, Tensor]:
    """theta_0: Xavier-uniform weights and zero biases, float32, in the order of the network."""
    widths = (len(FEATURE_NAMES), *hidden, 1)
    theta = {}
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        weight = torch.empty(outputs, inputs)
        theta[f"layers.{i}.weight"] = nn.init.xavier_uniform_(weight, generator=generator)
        theta[f"layers.{i}.bias"] = torch.zeros(outputs)
    return theta
