"""Information shared by nodes and centroids: adjusted mutual information, MIG and DCI.

A continuous variable is binned at the deciles of its rows. A binned variable is an indicator, rows
x variables x bins, so that one matrix product counts all pairs of variables at once.
"""

import numpy as np
from jaxtyping import Float, Float32, Int
from sklearn.metrics.cluster import expected_mutual_information

BINS = 10

Levels = Float32[np.ndarray, "rows variables bins"]


def levels(values: Float[np.ndarray, "rows variables"]) -> Levels:
    """Indicator of the quantile bin, of ``BINS``, of each value; a constant is in the last."""
    cuts = np.quantile(values, np.arange(1, BINS) / BINS, axis=0)
    bins = (values >= cuts[:, None]).sum(axis=0)
    return np.eye(BINS, dtype=np.float32)[bins]


def memberships(
    distances: Float[np.ndarray, "rows centroids"],
) -> Float32[np.ndarray, "rows 1 centroids"]:
    """Indicator of the nearest centroid, as one variable; the first among equals."""
    return np.eye(distances.shape[1], dtype=np.float32)[distances.argmin(axis=1)][:, None]


def adjusted_information(
    nodes: Float32[np.ndarray, "rows nodes bins"], nearest: Float32[np.ndarray, "rows 1 centroids"]
) -> Float[np.ndarray, " nodes"]:
    """(MI - E) / (H(nearest) - E), where E is the MI of the same margins by chance.

    1 if the bin of a node determines the nearest centroid, about 0 if they are independent; 0 if
    all rows have the same nearest centroid.

    Source: Vinh, Epps and Bailey (2010), with the entropy of the centroids as upper bound.
    """
    tables = _tables(nodes, nearest)[:, 0]
    # E depends on the margins only, which are equal for quantile bins, and is slow to compute.
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
    """1 - entropy of each row's shares, in base of the number of columns, weighted by row sums.

    1 if every row uses a single column or there is only one, 0 if all columns are equal or all
    importances 0. For nodes x centroids it is DCI's disentanglement, for the transpose its
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
    """Expected MI in nats given the margins of ``table``; empty rows and columns are ignored."""
    occupied = table[table.any(axis=1)][:, table.any(axis=0)]
    return expected_mutual_information(occupied, occupied.sum())


def _entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy in nats along the last axis; 0 without counts."""
    p = counts / counts.sum(axis=-1, keepdims=True).clip(min=1e-300)
    return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)


def _information(tables: np.ndarray) -> np.ndarray:
    """Mutual information in nats of the last two axes."""
    joint = tables.reshape(*tables.shape[:-2], -1)
    return _entropy(tables.sum(axis=-1)) + _entropy(tables.sum(axis=-2)) - _entropy(joint)
