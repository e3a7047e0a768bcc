"""Faithfulness of an explanation: three interventions on a hidden layer.

The nodes of a centroid are those that correlate with it most, ``Explanation.owner``. The rest of
the network is a head: activations of the layer in, class probabilities out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from hedgecore.insurance.evaluation.node_regression import LinearFit
from hedgecore.insurance.evaluation.scores import cross_entropy, defined_mean

Head = Callable[[Float[np.ndarray, "rows nodes"]], Float[np.ndarray, "rows 8"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """Rise of cross-entropy, in nats, without the nodes of each centroid.

    NaN for a centroid that owns no node, or that has no rows of the kind.

    Args:
        cluster: on the rows nearest to the centroid.
        others: on all other rows.
    """

    cluster: Float[np.ndarray, " centroids"]
    others: Float[np.ndarray, " centroids"]

    @property
    def selectivity(self) -> float:
        """Mean of ``cluster`` less ``others`` over centroids that have both; NaN if none has."""
        return defined_mean(self.cluster - self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptTest:
    """TCAV of one concept and class.

    Args:
        score: share of rows whose logit rises along the concept's direction.
        p_value: two-sided, of a random concept as far from 1/2.
    """

    score: float
    p_value: float


def ablation(
    head: Head,
    nodes: Float[np.ndarray, "rows nodes"],
    distances: Float[np.ndarray, "rows centroids"],
    label: Integer[np.ndarray, " rows"],
    *,
    owner: Int[np.ndarray, " nodes"],
    mean: Float[np.ndarray, " nodes"],
) -> Ablation:
    """Cost of replacing the nodes of each centroid by their means on training rows.

    Rows are held out, labels lie in 0..7; the nearest centroid makes the cluster of a row.
    """
    nearest, clean = distances.argmin(axis=1), head(nodes)
    cluster, others = np.full((2, distances.shape[1]), np.nan)
    for c in np.unique(owner):
        probability = head(np.where(owner == c, mean, nodes).astype(nodes.dtype))
        for rise, rows in ((cluster, nearest == c), (others, nearest != c)):
            if rows.any():
                costs = [cross_entropy(p[rows], label[rows]) for p in (probability, clean)]
                rise[c] = costs[0] - costs[1]
    return Ablation(cluster=cluster, others=others)


def surrogate(
    head: Head,
    nodes: Float[np.ndarray, "rows nodes"],
    distances: Float[np.ndarray, "rows centroids"],
    label: Integer[np.ndarray, " rows"],
    *,
    fit: LinearFit,
) -> dict[str, float]:
    """The "surrogate" columns: scores of the network with ``fit`` in the layer's place.

    Rows are held out, labels lie in 0..7; ``fit`` was made on training rows.
    """
    p = head(fit(distances).astype(nodes.dtype))
    likely = p.argmax(axis=1)
    return {
        "surrogate_cross_entropy": cross_entropy(p, label),
        "surrogate_accuracy": float((likely == label).mean()),
        "surrogate_agreement": float((likely == head(nodes).argmax(axis=1)).mean()),
    }


def concept_test(
    slopes: Float[np.ndarray, "sample nodes"],
    nodes: Float[np.ndarray, "rows nodes"],
    members: Bool[np.ndarray, " rows"],
    *,
    generator: np.random.Generator,
    random_concepts: int = 200,
) -> ConceptTest:
    """TCAV: does a class's logit rise toward the rows of a concept, more than toward any rows?

    The direction is the normal of Fisher's discriminant of ``members`` from all other rows. A
    random concept is as many rows, drawn without regard to anything.

    Args:
        slopes: derivative of the class's logit by each node, on rows of that class.
        nodes: activations from which directions are taken.
        members: rows of the concept, for instance a cluster.
        generator: for the random concepts.
        random_concepts: of the null hypothesis; p cannot be below 1 / (1 + their number).
    Raises:
        ValueError: a concept of no or of all rows.
    Source: Kim et al. (2018).
    """
    size, rows = int(members.sum()), len(members)
    if not 0 < size < rows:
        raise ValueError(f"members must be some but not all of {rows} rows, got {size}")
    concepts = np.zeros((1 + random_concepts, rows))
    concepts[0] = members
    for concept in concepts[1:]:
        concept[generator.choice(rows, size, replace=False)] = 1
    centred = nodes.astype(np.float64) - nodes.mean(axis=0)
    # The rows outside have the opposite mean, up to a positive factor.
    towards = concepts @ centred @ np.linalg.pinv(centred.T @ centred)
    scores = (slopes @ towards.T > 0).mean(axis=0)
    distance = np.abs(scores - 0.5)
    return ConceptTest(score=float(scores[0]), p_value=float((distance >= distance[0]).mean()))
