"""Stability of clusters under resampling."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Integer
from sklearn.metrics import adjusted_rand_score


def cluster_stability(
    partition: Callable[[Integer[np.ndarray, " sample"]], Integer[np.ndarray, " rows"]],
    rows: int,
    *,
    generator: np.random.Generator,
    resamples: int = 10,
) -> float:
    """Mean adjusted Rand index between the clusters of bootstrap samples and those of all rows.

    1 if every sample gives the same clusters, whatever their labels; about 0 if unrelated.

    ``partition`` returns the cluster of every row, by centroids fitted to a sample of rows.

    Raises:
        ValueError: fewer than 1 resamples.
    Source: Hubert and Arabie (1985).
    """
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")
    reference = partition(np.arange(rows))
    samples = (partition(generator.integers(rows, size=rows)) for _ in range(resamples))
    return float(np.mean([adjusted_rand_score(reference, labels) for labels in samples]))
