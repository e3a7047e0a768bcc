"""Mahalanobis distances of applicants to centroids, against SciPy and scikit-learn.

``python -m benchmarks distances``: CPU milliseconds for the 38,004 training rows and 6 centroids
of the generated table, on one thread. SciPy's ``cdist`` is given the inverse covariance V, and
computes (x - c)' V (x - c) for every pair. Ours whitens every row once and takes Euclidean
distances; scikit-learn is given the same whitening. Both encodings of the table: ten principal
axes, and all columns.
"""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import euclidean_distances

from benchmarks.figure import Figure, Runs, alternated, figure, print_figures
from hedgecore.insurance.clusters.whitening import Whitening
from hedgecore.insurance.config import DataConfig
from hedgecore.insurance.data.applicants import Applicants
from hedgecore.threads import one_thread

CENTROIDS = 6
PEERS = ("SciPy", "scikit-learn")
ENCODINGS = ("published", "sound")


def contestants(data: DataConfig, centroids: int) -> Runs:
    """Functions that return the distances of all rows of ``data``, ours first."""
    x = Applicants.of(data, seed=0).inputs()["train.x"]
    whitening = Whitening.fit(x)
    points = x[:: len(x) // centroids][:centroids].clone()
    root = whitening.inverse_root.double().numpy()
    rows, means, inverse = x.double().numpy(), points.double().numpy(), root.T @ root
    single = [part.numpy() for part in (x, points, whitening.mean, whitening.inverse_root)]

    def whitened() -> object:
        a, b, mean, inverse_root = single
        return euclidean_distances((a - mean) @ inverse_root.T, (b - mean) @ inverse_root.T)

    return {
        "ours": lambda: whitening.distances(x, points),
        "SciPy": lambda: cdist(rows, means, "mahalanobis", VI=inverse),
        "scikit-learn": whitened,
    }


def distances(*, rows: int | None = None, rounds: int = 5) -> dict[str, Figure]:
    """Milliseconds for all rows in every encoding, by name; ``rows`` of the table, None for all.

    Raises:
        AssertionError: a peer computes other distances.
    """
    one_thread()
    figures = {}
    for encoding in ENCODINGS:
        data = DataConfig(encoding=encoding, **({} if rows is None else {"rows": rows}))
        runs = contestants(data, CENTROIDS)
        results = {name: np.asarray(run()) for name, run in runs.items()}
        for name in PEERS:
            assert np.allclose(results["ours"], results[name], rtol=1e-3, atol=1e-2), name
        times = alternated(runs, rounds=rounds)
        count, _ = results["ours"].shape
        for name in PEERS:
            label = f"distances of {count:,} rows, {encoding} encoding, {name}"
            figures[label] = figure(times["ours"], times[name], unit="ms")
    return figures


if __name__ == "__main__":
    print_figures(distances())
