"""Compact network: the same function of the features with fewer units.

The standardisation of the features becomes part of the first layer. A hidden unit without inputs
has the constant value relu(b), which becomes part of the biases of the next layer, W relu(b); one
without outputs has no effect. Both are removed. One pass forward and one backward suffice: a
constant unit can make units of later layers constant, a unit without outputs can leave earlier
ones without outputs, and neither does the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from hedgecore.hedging.features import FEATURE_NAMES
from hedgecore.hedging.network import HedgingNetwork, Strategy
from hedgecore.kernel.inference import NetworkArrays, network_arrays

Layer = tuple[Tensor, Tensor]
"""Weights [outputs, inputs] and biases."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CompactNetwork:
    """Layers of a network, float32, the last with one output.

    Args:
        layers: weights and biases; a single layer without inputs if the position is constant.
        position_limit: bound of the absolute position, in shares.
    """

    layers: tuple[Layer, ...]
    position_limit: float

    @cached_property
    def arrays(self) -> NetworkArrays:
        """Layers in the layout of ``inference.h``."""
        return network_arrays(self.layers)

    @property
    def weights(self) -> int:
        """Weights that are not zero."""
        return sum(int((weight != 0).sum()) for weight, _ in self.layers)

    @property
    def units(self) -> int:
        """Hidden units."""
        return sum(len(bias) for _, bias in self.layers[:-1])

    @property
    def inputs(self) -> list[str]:
        """Names of the features that have a weight."""
        weight, _ = self.layers[0]
        return [n for n, used in zip(FEATURE_NAMES, _has_outputs(weight), strict=False) if used]


def compact(network: Strategy, theta: Mapping[str, Tensor]) -> CompactNetwork:
    """The network ``theta`` without units that have no effect, computed in double precision.

    Equal to ``network`` up to the rounding of float32.

    Raises:
        ValueError: a parameter is not finite.
    """
    assert isinstance(network, HedgingNetwork), "the only strategy with layers"
    values = [theta[name].detach().double() for name in network.names]
    if not all(bool(value.isfinite().all()) for value in values):
        raise ValueError("a weight or bias is not finite; choose a network that has not diverged")
    layers = list(zip(values[::2], values[1::2], strict=True))
    weight, bias = layers[0]
    weight = weight / network.sd.double()
    layers[0] = weight, bias - weight @ network.mean.double()
    layers = _with_outputs(_without_constants(layers))
    if not layers[-1][0].numel():  # then no hidden unit is left
        layers = layers[-1:]
    return CompactNetwork(
        layers=tuple((weight.float(), bias.float()) for weight, bias in layers),
        position_limit=network.position_limit,
    )


def _without_constants(layers: list[Layer]) -> list[Layer]:
    """``layers`` without hidden units that have no inputs, from the first to the last."""
    layers = list(layers)
    for i, (weight, bias) in enumerate(layers[:-1]):
        weight, bias = layers[i]
        following, offset = layers[i + 1]
        varies = (weight != 0).any(dim=1)
        layers[i] = weight[varies], bias[varies]
        constant: Float[Tensor, " constants"] = bias[~varies].relu()
        layers[i + 1] = following[:, varies], offset + following[:, ~varies] @ constant
    return layers


def _with_outputs(layers: list[Layer]) -> list[Layer]:
    """``layers`` without hidden units that have no outputs, from the last to the first."""
    reachable = [layers[-1]]
    for (weight, bias), _ in reversed(list(pairwise(layers))):
        following, offset = reachable[0]
        used = _has_outputs(following)
        reachable[:1] = [(weight[used], bias[used]), (following[:, used], offset)]
    return reachable


def _has_outputs(weight: Float[Tensor, "outputs inputs"]) -> Tensor:
    return (weight != 0).any(dim=0)
