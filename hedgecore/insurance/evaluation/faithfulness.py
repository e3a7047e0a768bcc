"""Faithfulness of an explanation: three interventions on a hidden layer.

The nodes of a centroid are those that correlate most with it, ``Explanation.owner``. The rest of
the network is a head: a function from activations of the layer to class probabilities.
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

    NaN for a centroid that owns no node, or has no such rows.

    Args:
        cluster: rise on the rows nearest to the centroid.
        others: rise on all other rows.
    """

    cluster: Float[np.ndarray, " centroids"]
    others: Float[np.ndarray, " centroids"]

    @property
    def selectivity(self) -> float:
        """Mean of ``cluster`` minus ``others`` over centroids with both; NaN if there are none."""
        return defined_mean(self.cluster - self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptTest:
    """TCAV of one concept and class.

    Args:
        score: share of rows whose logit rises along the concept's direction.
        p_value: two-sided, of a random concept at least as far from 1/2.
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
    """Cost of replacing each centroid's nodes by their means on training rows.

    Rows are held out, labels are in 0..7; a row belongs to the cluster of its nearest centroid.
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
    """The "surrogate" columns: scores of the network with ``fit`` in place of the layer.

    Rows are held out, labels are in 0..7; ``fit`` is a fit on training rows.
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
    random concept is the same number of rows, drawn uniformly.

    Args:
        slopes: derivative of the class's logit with respect to each node, on rows of that class.
        nodes: activations that define directions.
        members: rows of the concept, for instance a cluster.
        generator: source of the random concepts.
        random_concepts: number for the null distribution; p is at least 1 / (1 + random_concepts).
    Raises:
        ValueError: a concept of no rows or all rows.
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
