"""Centroids of the training rows, and every row's Mahalanobis distance to them.

    d(x, c) = |L^-1 (x - c)|,   L L' = covariance of the training rows, divided by n

Rows are whitened once and clustered there, so that clusters and distances use the same metric.
Distances are constant in a study: n x K numbers, computed once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans, MeanShift, estimate_bandwidth
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from hedgecore.insurance.config import ClusteringConfig, Grouping
from hedgecore.rng import numpy_stream, seed_sequence

NOISE = -1
"""Label of a row in no cluster."""

# An eigenvalue of the correlations, or a relative sd, below this is rounding error of float32.
_TINY = 1e-6
_SHRINKAGE = 1e-3
_STARTS = 3
# Share of the rows with enough neighbours within DBSCAN's automatic eps.
_CORE = 0.9

Rows = NDArray[np.float64]
Labels = NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whitening:
    """Map x -> L^-1 (x - mean), which gives the training rows unit covariance.

    Args:
        mean: mean of the training rows.
        inverse_root: L^-1, lower triangular; or one row per principal axis.
        shrinkage: share by which correlations were shrunk; 0 if their rank is full.
    """

    mean: Float[Tensor, " features"]
    inverse_root: Float[Tensor, "axes features"]
    shrinkage: float

    @classmethod
    def fit(cls, x: Float[Tensor, "rows features"], *, axes: int | None = None) -> "Whitening":
        """Whitening of ``x``, computed in float64 and stored in its dtype.

        With ``axes`` only the leading principal axes of the covariance of ``x`` remain, each in
        units of its standard deviation; features that are principal axes themselves are only
        scaled. With all axes, distances are Mahalanobis distances.

        Raises:
            ValueError: all rows are equal, or they vary along fewer than ``axes``.
        """
        if axes is not None:
            return cls._along(x, axes)
        mean = x.double().mean(dim=0)
        centred = x.double() - mean
        sd = centred.square().mean(dim=0).sqrt()
        varies = sd > _TINY * mean.abs()
        if not bool(varies.any()):
            problem = f"whitening needs rows that differ, got {len(x)} alike"
            raise ValueError(f"{problem}; check the encoding")
        # A constant column does not affect distances between training rows, whatever its unit.
        sd = torch.where(varies, sd, 1.0)
        correlation = ((centred / sd).T @ (centred / sd) / len(x)).fill_diagonal_(1)
        eye = torch.eye(len(sd), dtype=sd.dtype, device=sd.device)
        deficient = bool(torch.linalg.eigvalsh(correlation)[0] <= _TINY)
        shrinkage = _SHRINKAGE if deficient else 0.0
        root = torch.linalg.cholesky((1 - shrinkage) * correlation + shrinkage * eye)
        inverse = torch.linalg.solve_triangular(root, eye / sd, upper=False)
        return cls(mean=mean.to(x), inverse_root=inverse.to(x), shrinkage=shrinkage)

    @classmethod
    def _along(cls, x: Float[Tensor, "rows features"], axes: int) -> "Whitening":
        mean = x.double().mean(dim=0)
        centred = x.double() - mean
        variances, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
        # eigh sorts in ascending order: the last are the leading ones.
        rank = int((variances > _TINY**2 * variances[-1]).sum())
        if axes > rank:
            raise ValueError(
                f"axes must not exceed the {rank} that the training rows vary along, got {axes}; "
                "lower it, or take null for all"
            )
        components = vectors.flip(1).T[:axes]
        largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
        scaled = components * largest.sign() / variances.flip(0)[:axes, None].sqrt()
        return cls(mean=mean.to(x), inverse_root=scaled.to(x), shrinkage=0.0)

    def __call__(self, x: Float[Tensor, "rows features"]) -> Float[Tensor, "rows axes"]:
        """``x`` in units of the training rows' standard deviations."""
        return (x - self.mean) @ self.inverse_root.T

    def distances(
        self, x: Float[Tensor, "rows features"], points: Float[Tensor, "points features"]
    ) -> Float[Tensor, "rows points"]:
        """Mahalanobis distance of every row to every point, in standard deviations."""
        # |x|^2 - 2xc + |c|^2 would lose small distances in float32.
        return torch.cdist(self(x), self(points), compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Centroids:
    """Means of the clusters, from the largest cluster to the smallest.

    Args:
        points: centroids in the coordinates of the features.
        rows: indices of the clustered training rows.
        labels: cluster of each of ``rows``, or ``NOISE``.
        whitening: whitening of all training rows.
    """

    points: Float[Tensor, "clusters features"]
    rows: Int[Tensor, " seen"]
    labels: Int[Tensor, " seen"]
    whitening: Whitening

    def distances(self, x: Float[Tensor, "rows features"]) -> Float[Tensor, "rows clusters"]:
        """Mahalanobis distance of every row to every centroid, in standard deviations."""
        return self.whitening.distances(x, self.points)


def find_centroids(
    config: ClusteringConfig, x: Float[Tensor, "rows features"], *, seed: int
) -> Centroids:
    """Centroids of the encoded training rows ``x``; ``seed`` names the random streams.

    K = 1 gives their mean, or a single row for "random_points". DBSCAN and mean-shift may find
    fewer than K clusters, and then return fewer centroids.

    Raises:
        ValueError: more clusters than distinct rows, no cluster, all rows equal, or more axes than
            they vary along.
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
    labels = torch.from_numpy(_grouped(config, white[sample], seed))
    rows = torch.from_numpy(sample)
    precise = x.double().cpu()
    # Whitening is affine, so means commute with it.
    means = [precise[rows[labels == k]].mean(dim=0) for k in range(int(labels.max()) + 1)]
    return Centroids(
        points=torch.stack(means).to(x), rows=rows, labels=labels, whitening=whitening
    )


def most_clusters(config: ClusteringConfig, rows: int) -> int:
    """Largest K allowed by ``rows`` distinct training rows."""
    sample = rows if config.method not in _QUADRATIC or config.sample is None else config.sample
    return min(rows - 1, sample)


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
    labels = _grouped(config, rows, seed)
    means = np.stack([rows[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    # The nearest mean has the smallest |m|^2 - 2 xm.
    return (np.square(means).sum(axis=1) - 2 * white @ means.T).argmin(axis=1)


def _grouped(config: ClusteringConfig, sample: Rows, seed: int) -> Labels:
    """Labels of whitened rows; the largest cluster is 0."""
    return _largest(GROUPINGS[config.method](sample, config, seed), config.clusters)


def k_means(white: Rows, config: ClusteringConfig, seed: int) -> Labels:
    """Lloyd's algorithm, the best of three k-means++ starts."""
    model = KMeans(config.clusters, n_init=_STARTS, random_state=_draw(seed, "k_means"))
    return model.fit(white).labels_


def agglomerative(white: Rows, config: ClusteringConfig, seed: int) -> Labels:
    """Ward's tree, cut at K clusters."""
    if config.clusters == 1:
        return np.zeros(len(white), dtype=np.int64)
    return AgglomerativeClustering(config.clusters).fit(white).labels_


def dbscan(white: Rows, config: ClusteringConfig, seed: int) -> Labels:
    """Connected dense regions; the rows between them are noise.

    Raises:
        ValueError: all rows are noise.
    """
    eps = _reach(white, config.min_samples) if config.eps is None else config.eps
    labels = DBSCAN(eps=eps, min_samples=config.min_samples).fit(white).labels_
    if labels.max() == NOISE:
        raise ValueError(
            f"dbscan marks all {len(white)} rows as noise at eps {eps:g} and min_samples "
            f"{config.min_samples}; raise eps or lower min_samples"
        )
    return labels


def mean_shift(white: Rows, config: ClusteringConfig, seed: int) -> Labels:
    """Basins of the modes of the rows' density, by ascent from a grid of starts."""
    bandwidth = estimate_bandwidth(white, quantile=config.neighbours)
    # Rows that coincide with their neighbours give a bandwidth of 0.
    model = MeanShift(bandwidth=max(bandwidth, _TINY), bin_seeding=True)
    return model.fit(white).labels_


def random_points(white: Rows, config: ClusteringConfig, seed: int) -> Labels:
    """K random rows, each its own cluster: the control of the other methods."""
    order = numpy_stream(seed, "clustering", "random_points").permutation(len(white))
    labels = np.full(len(white), NOISE)
    labels[order[: config.clusters]] = np.arange(config.clusters)
    return labels


GROUPINGS: Mapping[Grouping, Callable[[Rows, ClusteringConfig, int], Labels]] = {
    "k_means": k_means,
    "agglomerative": agglomerative,
    "dbscan": dbscan,
    "mean_shift": mean_shift,
    "random_points": random_points,
}
_QUADRATIC = frozenset({"agglomerative", "dbscan", "mean_shift"})


def _sample(config: ClusteringConfig, rows: int, seed: int) -> Labels:
    """Indices of the clustered rows, ascending."""
    if config.method not in _QUADRATIC or config.sample is None:
        return np.arange(rows)
    order = numpy_stream(seed, "clustering", "sample").permutation(rows)
    return np.sort(order[: config.sample])


def _distinct(x: NDArray[np.floating]) -> Labels:
    """Indices of the first occurrences of distinct rows, ascending."""
    numbers: dict[bytes, int] = {}
    for i, row in enumerate(x + 0.0):  # makes -0.0 and 0.0 equal
        numbers.setdefault(row.tobytes(), i)
    return np.fromiter(numbers.values(), dtype=np.int64)


def _largest(labels: Labels, most: int) -> Labels:
    """``labels`` by descending size, ties by first appearance; noise beyond ``most``."""
    clusters, first, size = np.unique(labels, return_index=True, return_counts=True)
    order = [i for i in np.lexsort((first, -size)) if clusters[i] != NOISE][:most]
    ranks = np.full(len(labels), NOISE)
    for k, i in enumerate(order):
        ranks[labels == clusters[i]] = k
    return ranks


def _reach(white: Rows, neighbours: int) -> float:
    """Distance within which most rows have ``neighbours`` rows, including themselves."""
    model = NearestNeighbors(n_neighbors=min(neighbours, len(white))).fit(white)
    reach = np.quantile(model.kneighbors(white)[0][:, -1], _CORE)
    return max(float(reach), _TINY)


def _draw(seed: int, name: str) -> int:
    """Seed for a library with its own random generator."""
    return int(seed_sequence(seed, "clustering", name).generate_state(1)[0])
