"""Whether another seed, or another sample, would have told the same story."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float, Integer
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score


def coefficient_stability(betas: Sequence[Float[np.ndarray, "nodes centroids"]]) -> float:
    """Mean cosine of the coefficients of matched nodes, over all pairs of seeds.

    The nodes of two networks are matched one to one so that the sum of cosines is largest. That
    lifts even random coefficients well above 0: compare with controls, not with 0.

    Args:
        betas: of every seed, on the same centroids in the same order.
    Raises:
        ValueError: fewer than 2 seeds.
    """
    if len(betas) < 2:
        raise ValueError(f"betas must be of at least 2 seeds to compare, got {len(betas)}")
    units = [b / np.linalg.norm(b, axis=1, keepdims=True).clip(min=1e-300) for b in betas]
    cosines = [a @ b.T for a, b in combinations(units, 2)]
    return float(np.mean([c[linear_sum_assignment(c, maximize=True)].mean() for c in cosines]))


def cluster_stability(
    partition: Callable[[Integer[np.ndarray, " drawn"]], Integer[np.ndarray, " rows"]],
    rows: int,
    *,
    generator: np.random.Generator,
    resamples: int = 10,
) -> float:
    """Mean adjusted Rand index of the clusters of bootstrap samples with those of all rows.

    1 where every sample gives the same clusters under any names, about 0 where they are unrelated.

    Args:
        partition: the cluster of every row, by centroids fitted to the rows drawn alone.
        rows: number of rows.
        generator: for the samples.
        resamples: of the bootstrap.
    Raises:
        ValueError: fewer than 1 resamples.
    Source: Hubert and Arabie (1985).
    """
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")
    whole = partition(np.arange(rows))
    samples = (partition(generator.integers(rows, size=rows)) for _ in range(resamples))
    return float(np.mean([adjusted_rand_score(whole, labels) for labels in samples]))
