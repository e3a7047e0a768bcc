"""Clusterings of whitened rows, in which no cluster is smaller than a declared number of rows.

The mean of a cluster of one row is that row, and statistics of a cluster of few rows hang on each
of them. The rows of smaller clusters are set aside, and the others clustered again, as long as
all rows set aside are at most a twentieth: these are outliers. Beyond that, the smallest cluster
joins the one with the nearest mean until none is too small, which leaves fewer clusters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans, MeanShift, estimate_bandwidth
from sklearn.neighbors import NearestNeighbors

from hedgecore.insurance.config import ClusteringConfig, Grouping
from hedgecore.rng import numpy_stream, seed_sequence

NOISE = -1
"""Label of a row in no cluster."""

# Rows that coincide have a distance of 0, which no bandwidth or radius may have.
_TINY = 1e-6
_STARTS = 3
# Share of the rows that may be set aside as outliers.
_ASIDE = 0.05
# Share of the rows with enough neighbours within DBSCAN's automatic eps.
_CORE = 0.9

Rows = NDArray[np.float64]
Labels = NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Clusters of rows.

    Args:
        labels: cluster of every row, 0 being the largest, or ``NOISE``.
        undersized: number of rows of every cluster that was too small.
    """

    labels: Labels
    undersized: tuple[int, ...]


def grouped(config: ClusteringConfig, white: Rows, seed: int) -> Grouped:
    """At most K clusters of whitened rows, each of at least ``config.min_rows``.

    Raises:
        ValueError: no such cluster.
    """
    rows, undersized = np.arange(len(white)), []
    while True:
        found = GROUPINGS[config.method](white[rows], config, seed)
        small = _small(found, config.min_rows)
        aside = np.isin(found, small)
        undersized += [int((found == cluster).sum()) for cluster in small]
        remaining = len(rows) - int(aside.sum())
        if not len(small) or config.method in _DENSITY:
            # Density methods determine their own number, so that nothing replaces a cluster.
            found = np.where(aside, NOISE, found)
            break
        if remaining < max((1 - _ASIDE) * len(white), config.clusters):
            found = _merged(white[rows], found, config.min_rows)
            break
        rows = rows[~aside]
    labels = np.full(len(white), NOISE)
    labels[rows] = found
    if labels.max() == NOISE or len(_small(labels, config.min_rows)):
        raise ValueError(
            f"{config.method} finds no cluster of min_rows {config.min_rows} among {len(white)} "
            "rows; lower min_rows, or give more rows"
        )
    return Grouped(labels=_largest(labels, config.clusters), undersized=tuple(undersized))


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
    """K random rows, each with its nearest rows up to ``min_rows``: the control of the others.

    A row belongs to the first of them that it is drawn for.
    """
    order = numpy_stream(seed, "clustering", "random_points").permutation(len(white))
    labels = np.full(len(white), NOISE)
    for k in range(config.clusters):
        free = order[labels[order] == NOISE]
        if len(free) < config.min_rows:
            break
        distance = np.square(white[free] - white[free[0]]).sum(axis=1)
        labels[free[np.argsort(distance, kind="stable")[: config.min_rows]]] = k
    return labels


GROUPINGS: Mapping[Grouping, Callable[[Rows, ClusteringConfig, int], Labels]] = {
    "k_means": k_means,
    "agglomerative": agglomerative,
    "dbscan": dbscan,
    "mean_shift": mean_shift,
    "random_points": random_points,
}
_DENSITY = frozenset({"dbscan", "mean_shift"})
QUADRATIC = _DENSITY | {"agglomerative"}
"""Methods whose time or memory is quadratic in the rows."""


def _small(labels: Labels, min_rows: int) -> Labels:
    """Clusters of fewer than ``min_rows``."""
    clusters, sizes = np.unique(labels[labels != NOISE], return_counts=True)
    return clusters[sizes < min_rows]


def _merged(white: Rows, labels: Labels, min_rows: int) -> Labels:
    """``labels`` with the smallest cluster joined to the nearest until none is too small."""
    labels = labels.copy()
    while True:
        clusters, sizes = np.unique(labels[labels != NOISE], return_counts=True)
        least = clusters[sizes.argmin()]
        if len(clusters) == 1 or sizes.min() >= min_rows:
            return labels
        means = np.stack([white[labels == cluster].mean(axis=0) for cluster in clusters])
        gap = np.linalg.norm(means - means[clusters == least], axis=1)
        labels[labels == least] = clusters[np.where(clusters == least, np.inf, gap).argmin()]


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
