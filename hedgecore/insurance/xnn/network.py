"""Classifier: a small MLP with ReLU between its layers, as a function of a dict of tensors.

z_1 = W_0 x + b_0,   z_(l+1) = W_l relu(z_l) + b_l,   logits = the last z
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import linear

from hedgecore.insurance.data.schema import CLASSES


def initialise(
    features: int, hidden: tuple[int, ...], *, generator: torch.Generator
) -> dict[str, Tensor]:
    """theta_0: float32 weights and biases, uniform within 1 / sqrt(inputs) of 0, layer by layer.

    The default distribution of torch's linear layers, and so of the notebook's.
    """
    theta = {}
    for i, (inputs, outputs) in enumerate(pairwise((features, *hidden, CLASSES))):
        bound = inputs**-0.5
        for name, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
            theta[f"layers.{i}.{name}"] = torch.empty(shape).uniform_(
                -bound, bound, generator=generator
            )
    return theta


def pre_activations(
    theta: Mapping[str, Tensor], x: Float[Tensor, "rows features"]
) -> tuple[Float[Tensor, "rows _"], ...]:
    """Output z of every layer before its ReLU; the last are the logits.

    Args:
        theta: parameters as named by :func:`initialise`, with the dtype and device of ``x``.
        x: encoded rows.
    """
    outputs: list[Tensor] = []
    for name in theta:
        if name.endswith(".weight"):
            h = outputs[-1].relu() if outputs else x
            bias = theta[name.removesuffix("weight") + "bias"]
            outputs.append(linear(h, theta[name], bias))
    return tuple(outputs)


def matrices(theta: Mapping[str, Tensor]) -> list[Tensor]:
    """Weights of every layer, outputs x inputs, from the first layer to the last."""
    return [value for name, value in theta.items() if name.endswith(".weight")]


def probabilities(
    theta: Mapping[str, Tensor], x: Float[Tensor, "rows features"]
) -> Float[np.ndarray, "rows 8"]:
    """Probability of every class for encoded rows, on any device."""
    with torch.no_grad():
        return pre_activations(theta, x)[-1].softmax(dim=1).numpy(force=True)


def divided(
    theta: Mapping[str, Tensor], layer: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters of the layers up to ``layer``, from 0, and of the layers above it.

    The upper part takes the nodes of ``layer`` after their ReLU.
    """
    below = {n: value for n, value in theta.items() if int(n.split(".")[1]) <= layer}
    return below, {n: value for n, value in theta.items() if n not in below}
