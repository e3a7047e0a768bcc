"""Centroids of the training rows, and every row's Mahalanobis distance to them.

    d(x, c) = |L^-1 (x - c)|,   L L' = covariance of the training rows, divided by n

Rows are whitened once and clustered there, so that clusters and distances use the same metric.
Distances are constant in a study: n x K numbers, computed once.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from hedgecore.insurance.clusters.groupings import NOISE, QUADRATIC, Labels, Rows, grouped
from hedgecore.insurance.clusters.whitening import Whitening
from hedgecore.insurance.config import ClusteringConfig
from hedgecore.rng import numpy_stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Centroids:
    """Means of the clusters, from the largest cluster to the smallest.

    Args:
        points: centroids in the coordinates of the features.
        rows: indices of the clustered training rows.
        labels: cluster of each of ``rows``, or ``NOISE``.
        whitening: whitening of all training rows.
        undersized: number of rows of every cluster that was too small; see :mod:`.groupings`.
    """

    points: Float[Tensor, "clusters features"]
    rows: Int[Tensor, " seen"]
    labels: Int[Tensor, " seen"]
    whitening: Whitening
    undersized: tuple[int, ...]

    @property
    def sizes(self) -> Int[Tensor, " clusters"]:
        """Number of rows that each centroid is the mean of."""
        return torch.bincount(self.labels[self.labels != NOISE], minlength=len(self.points))

    def distances(self, x: Float[Tensor, "rows features"]) -> Float[Tensor, "rows clusters"]:
        """Mahalanobis distance of every row to every centroid, in standard deviations."""
        return self.whitening.distances(x, self.points)


def find_centroids(
    config: ClusteringConfig, x: Float[Tensor, "rows features"], *, seed: int
) -> Centroids:
    """Centroids of the encoded training rows ``x``; ``seed`` names the random streams.

    K = 1 gives their mean, or that of ``min_rows`` rows for "random_points". There may be fewer
    than K centroids: DBSCAN and mean-shift may find fewer clusters, or too few have ``min_rows``.

    Raises:
        ValueError: more clusters than distinct rows, no cluster of ``min_rows``, all rows equal,
            or more axes than they vary along.
    """
    whitening = Whitening.fit(x, axes=config.axes)
    white = whitening(x).double().numpy(force=True)
    sample = _sample(config, len(white), seed)
    first = _distinct(x.numpy(force=True)[sample])
    if config.clusters >= len(x):
        raise ValueError(
            f"clusters must be fewer than the {len(x)} training rows, got {config.clusters}; "
            "lower it"
        )
    if config.clusters > len(first):
        raise ValueError(
            f"clusters must not exceed the {len(first)} distinct rows that {config.method} sees, "
            f"got {config.clusters}; lower it"
        )
    if config.method == "random_points":
        sample = sample[first]
    found = grouped(config, white[sample], seed)
    labels = torch.from_numpy(found.labels)
    rows = torch.from_numpy(sample)
    precise = x.double().cpu()
    # Whitening is affine, so means commute with it.
    means = [precise[rows[labels == k]].mean(dim=0) for k in range(int(labels.max()) + 1)]
    return Centroids(
        points=torch.stack(means).to(x),
        rows=rows,
        labels=labels,
        whitening=whitening,
        undersized=found.undersized,
    )


def most_clusters(config: ClusteringConfig, rows: int) -> int:
    """Largest K allowed by ``rows`` distinct training rows."""
    limit = config.sample if config.method in QUADRATIC else None
    sample = rows if limit is None else min(rows, limit)
    return max(1, min(rows - 1, sample // config.min_rows))


def nearest_means(
    config: ClusteringConfig, white: Rows, sample: NDArray[np.integer], *, seed: int
) -> Labels:
    """Cluster of every whitened row: that of the nearest mean of the clusters of ``sample``.

    ``sample`` contains row indices, which may repeat.

    Raises:
        ValueError: no cluster.
    """
    rows = white[sample]
    rows = rows[_sample(config, len(rows), seed)]
    labels = grouped(config, rows, seed).labels
    means = np.stack([rows[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    # The nearest mean has the smallest |m|^2 - 2 xm.
    return (np.square(means).sum(axis=1) - 2 * white @ means.T).argmin(axis=1)


def _sample(config: ClusteringConfig, rows: int, seed: int) -> Labels:
    """Indices of the clustered rows, ascending."""
    if config.method not in QUADRATIC or config.sample is None:
        return np.arange(rows)
    order = numpy_stream(seed, "clustering", "sample").permutation(rows)
    return np.sort(order[: config.sample])


def _distinct(x: NDArray[np.floating]) -> Labels:
    """Indices of the first occurrences of distinct rows, ascending."""
    numbers: dict[bytes, int] = {}
    for i, row in enumerate(x + 0.0):  # makes -0.0 and 0.0 equal
        numbers.setdefault(row.tobytes(), i)
    return np.fromiter(numbers.values(), dtype=np.int64)
