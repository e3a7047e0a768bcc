"""Trained X-NN as a module of encoded rows, for exporters of torch modules."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hedgecore.experiment import Graph
from hedgecore.insurance.classifier import Classifier
from hedgecore.insurance.xnn.network import pre_activations


class ClassNetwork(nn.Module):
    """Probabilities of the classes from encoded rows; the encoding is not part of it."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.names = list(classifier.theta)
        for name, value in classifier.theta.items():
            self.register_buffer(name.replace(".", "_"), value.detach().clone())

    def forward(self, rows: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows 8"]:
        """Class probabilities of every row; column 7 is Response 8."""
        theta = {name: self.get_buffer(name.replace(".", "_")) for name in self.names}
        return pre_activations(theta, rows)[-1].softmax(dim=1)


def graph(classifier: Classifier) -> Graph:
    """Network of a classifier, see :class:`hedgecore.experiment.Graph`."""
    weight: Any = next(iter(classifier.theta.values()))
    inputs = weight.shape[1]
    return Graph(
        module=ClassNetwork(classifier).eval(),
        inputs=tuple(f"input_{i}" for i in range(inputs)),
        output="probabilities",
        centre=torch.zeros(inputs),
        scale=torch.ones(inputs),
    )
