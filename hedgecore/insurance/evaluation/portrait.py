"""Portrait of a trained network: responses of its nodes, and their use by the network.

Computed on a subset of rows to save time: an assessment should take a second on one core, and all
rows would not change the figures visibly.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hedgecore.insurance.evaluation.faithfulness import concept_test
from hedgecore.insurance.evaluation.probes import logit_slopes, maximise, partial_dependence
from hedgecore.insurance.evaluation.scores import CLASSES
from hedgecore.insurance.preparation import XnnPreparation
from hedgecore.insurance.xnn.network import divided, pre_activations
from hedgecore.rng import numpy_stream

# Numbers of rows for means along rays, random concepts, and quantiles that bound the inputs.
_MOVED, _CONCEIVED, _BOUNDING = 128, 1500, 4096
_ASCENT = 40
# Number of centroids, largest first, from which ascents start, in addition to the mean.
_STARTS = 6
_BOX = (0.01, 0.99)


def probes(
    preparation: XnnPreparation, theta: Mapping[str, Tensor], *, layer: int, points: int
) -> dict[str, Tensor]:
    """Nodes as functions of each distance, and the inputs that maximise them.

    Returns:
        ``dependence.distance`` and ``.mean`` of :class:`.probes.Dependence`,
        ``excitation.point`` and ``.value`` of :class:`.probes.Excitation`.
    """
    below, _ = divided(theta, layer)
    nodes = partial(_last, below)
    test, centroids = preparation.inputs["test.x"], preparation.points
    rows = _spread(len(test), _MOVED)
    dependence = partial_dependence(
        nodes, test[rows], centroids, preparation.inputs["test.distances"][rows], points=points
    )
    train = preparation.inputs["train.x"]
    sample = train[_spread(len(train), _BOUNDING)]
    low, high = np.quantile(sample.numpy(), _BOX, axis=0)
    starts = {f"centroid {k}": centroid for k, centroid in enumerate(centroids[:_STARTS])}
    excitation = maximise(
        nodes,
        {"mean": sample.mean(dim=0), **starts},
        low=torch.from_numpy(low).to(sample),
        high=torch.from_numpy(high).to(sample),
        steps=_ASCENT,
    )
    return {
        "dependence.distance": dependence.distance,
        "dependence.mean": dependence.mean,
        "excitation.point": excitation.point,
        "excitation.value": excitation.value,
    }


def concepts(
    preparation: XnnPreparation, theta: Mapping[str, Tensor], *, layer: int, random_concepts: int
) -> tuple[Float[np.ndarray, " clusters"], Float[np.ndarray, " clusters"]]:
    """TCAV of the rows nearest to each centroid for the best class: scores and p-values.

    NaN for a centroid with none or all of the sampled rows, or if no row is of that class.
    """
    below, above = divided(theta, layer)
    rows = _spread(len(preparation.inputs["test.x"]), _CONCEIVED)
    with torch.no_grad():
        nodes = _last(below, preparation.inputs["test.x"][rows])
    best = preparation.inputs["test.y"][rows] == CLASSES - 1
    slopes = logit_slopes(lambda z: _last(above, z.relu()), nodes[best], to=CLASSES - 1).numpy()
    nearest = preparation.distances("test")[rows].argmin(axis=1)
    score, p_value = np.full((2, len(preparation.points)), np.nan)
    for k in range(len(score)):
        members: Bool[np.ndarray, " rows"] = nearest == k
        if len(slopes) and 0 < members.sum() < len(members):
            test = concept_test(
                slopes,
                nodes.numpy(),
                members,
                generator=numpy_stream(preparation.seed, "concepts", str(k)),
                random_concepts=random_concepts,
            )
            score[k], p_value[k] = test.score, test.p_value
    return score, p_value


def _last(theta: Mapping[str, Tensor], x: Float[Tensor, "rows _"]) -> Float[Tensor, "rows _"]:
    return pre_activations(theta, x)[-1]


def _spread(rows: int, most: int) -> Int[Tensor, " some"]:
    """At most ``most`` row indices, evenly spaced."""
    return torch.linspace(0, rows - 1, min(rows, most), dtype=torch.float64).long()
