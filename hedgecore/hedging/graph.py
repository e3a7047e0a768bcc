"""Trained ticket as a module of one trading date, for exporters of torch modules."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from hedgecore.experiment import Graph
from hedgecore.hedging.features import FEATURE_NAMES
from hedgecore.hedging.hedge import Hedge
from hedgecore.hedging.network import saturated


class DateNetwork(nn.Module):
    """Position at one trading date, in shares, from the features of that date.

    Unlike :class:`hedgecore.hedging.network.HedgingNetwork` it does not compute the features of
    its own past; a caller computes them from the positions before.
    """

    mean: Tensor
    sd: Tensor
    limit: float

    def __init__(self, hedge: Hedge) -> None:
        super().__init__()
        network = hedge.problem.network
        self.limit = hedge.study.network.position_limit
        self.register_buffer("mean", network.mean.detach().clone())
        self.register_buffer("sd", network.sd.detach().clone())
        layers = sum(name.endswith(".weight") for name in hedge.theta)
        self.names = [f"layers_{i}" for i in range(layers)]
        for i, name in enumerate(self.names):
            for part in ("weight", "bias"):
                value = hedge.theta[f"layers.{i}.{part}"].detach().clone()
                self.register_buffer(f"{name}_{part}", value)

    def forward(self, features: Float[Tensor, "rows 8"]) -> Float[Tensor, " rows"]:
        """Positions for rows of features in the order of ``FEATURE_NAMES``."""
        h = (features - self.mean) / self.sd
        for name, following in pairwise([*self.names, ""]):
            h = linear(h, self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias"))
            if following:
                h = h.relu()
        return saturated(h.squeeze(1), limit=self.limit)


def graph(hedge: Hedge) -> Graph:
    """Network of a trained hedge, see :class:`hedgecore.experiment.Graph`."""
    module = DateNetwork(hedge)
    return Graph(
        module=module.eval(),
        inputs=FEATURE_NAMES,
        output="position",
        centre=module.mean,
        scale=module.sd,
    )
