"""Information shared by nodes and centroids: adjusted mutual information, MIG and DCI.

A continuous variable is told by which of 10 quantile bins a value lies in, cut at the deciles of
the rows given. Such a variable is an indicator, rows x variables x bins, so that one product of
matrices counts all pairs of variables at once.
"""

import numpy as np
from jaxtyping import Float, Float32, Int
from sklearn.metrics.cluster import expected_mutual_information

BINS = 10

Levels = Float32[np.ndarray, "rows variables bins"]


def levels(values: Float[np.ndarray, "rows variables"]) -> Levels:
    """Which of ``BINS`` quantile bins each value lies in; a constant lies in the last."""
    cuts = np.quantile(values, np.arange(1, BINS) / BINS, axis=0)
    bins = (values >= cuts[:, None]).sum(axis=0)
    return np.eye(BINS, dtype=np.float32)[bins]


def memberships(
    distances: Float[np.ndarray, "rows centroids"],
) -> Float32[np.ndarray, "rows 1 centroids"]:
    """Which centroid is nearest, as one variable; the first among equals."""
    return np.eye(distances.shape[1], dtype=np.float32)[distances.argmin(axis=1)][:, None]


def adjusted_information(
    nodes: Float32[np.ndarray, "rows nodes bins"], nearest: Float32[np.ndarray, "rows 1 centroids"]
) -> Float[np.ndarray, " nodes"]:
    """(MI - E) / (H(nearest) - E), where E is the MI of the same margins by chance.

    1 where the bin of a node tells the nearest centroid, about 0 where it tells nothing; 0 where
    all rows have the same nearest centroid.

    Source: Vinh, Epps and Bailey (2010), with the entropy of the centroids as upper bound.
    """
    tables = _tables(nodes, nearest)[:, 0]
    # Chance knows the margins alone, which quantile bins have in common, and takes long.
    margins = tables.sum(axis=2)
    _, first, index = np.unique(margins, axis=0, return_index=True, return_inverse=True)
    chance = np.array([_by_chance(tables[i]) for i in first])[index]
    room = _entropy(tables.sum(axis=1)) - chance
    return np.where(room > 1e-12, (_information(tables) - chance) / room.clip(min=1e-12), 0)


def information_gap(
    nodes: Float32[np.ndarray, "rows nodes bins"],
    distances: Float32[np.ndarray, "rows centroids bins"],
) -> Float[np.ndarray, " centroids"]:
    """MIG: lead of the best node over the second, in MI with a distance over its entropy.

    Source: Chen et al. (2018), with quantile bins for both.
    """
    tables = _tables(nodes, distances)
    share = _information(tables) / _entropy(tables.sum(axis=-2)).clip(min=1e-300)
    shares = np.sort(share, axis=0)
    return shares[-1] - (shares[-2] if len(shares) > 1 else 0)


def concentration(importance: Float[np.ndarray, "rows columns"]) -> float:
    """1 - entropy of each row's shares, base the number of columns, weighted by the rows' sums.

    1 where every row has one column alone or there is but one, 0 where all columns are equal or
    nothing is important. Of nodes x centroids it is DCI's disentanglement, of the transpose DCI's
    completeness.

    Source: Eastwood and Williams (2018).
    """
    sums = importance.sum(axis=1)
    if not sums.any():
        return 0.0
    purity = 1 - _entropy(importance) / max(np.log(importance.shape[1]), 1e-300)
    return float(purity @ sums / sums.sum())


def gini(sizes: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, " rows"]:
    """Gini index of each row of non-negative sizes: 0 all equal, 1 - 1 / columns one alone.

    0 for a row of zeros.

    Source: Hurley and Rickard (2009).
    """
    n = sizes.shape[1]
    weight = (2 * np.arange(1, n + 1) - n - 1) / n
    return np.sort(sizes, axis=1) @ weight / sizes.sum(axis=1).clip(min=1e-300)


def _tables(
    a: Float32[np.ndarray, "rows n bins"], b: Float32[np.ndarray, "rows k others"]
) -> Int[np.ndarray, "n k bins others"]:
    """Rows in every pair of levels, for every pair of variables; exact below 2^24 rows."""
    flat = a.reshape(len(a), -1).T @ b.reshape(len(b), -1)
    return flat.reshape(*a.shape[1:], *b.shape[1:]).swapaxes(1, 2).astype(np.int64)


def _by_chance(table: np.ndarray) -> float:
    """Expected MI in nats of the margins of ``table``; its empty rows and columns have no part."""
    occupied = table[table.any(axis=1)][:, table.any(axis=0)]
    return expected_mutual_information(occupied, occupied.sum())


def _entropy(counts: np.ndarray) -> np.ndarray:
    """In nats, along the last axis; 0 where there are no counts."""
    p = counts / counts.sum(axis=-1, keepdims=True).clip(min=1e-300)
    return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)


def _information(tables: np.ndarray) -> np.ndarray:
    """Mutual information in nats of the last two axes."""
    joint = tables.reshape(*tables.shape[:-2], -1)
    return _entropy(tables.sum(axis=-1)) + _entropy(tables.sum(axis=-2)) - _entropy(joint)
