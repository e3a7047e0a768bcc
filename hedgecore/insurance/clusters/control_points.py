"""Points that centroids are compared with: random training rows, and rotated centroids.

Both are derived from the seed whenever they are needed, so no file contains them.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import special_ortho_group
from torch import Tensor

from hedgecore.insurance.clusters.whitening import Whitening, euclidean
from hedgecore.rng import numpy_stream


def random_rows(
    x: Float[Tensor, "rows features"], count: int, *, seed: int
) -> Float[Tensor, "points features"]:
    """``count`` training rows drawn without replacement."""
    order = numpy_stream(seed, "clustering", "control").permutation(len(x))
    return x[torch.from_numpy(order[:count])]


def rotated(white: Float[Tensor, "points axes"], *, seed: int) -> Float[Tensor, "points axes"]:
    """Whitened points after one random rotation about the mean of the training rows.

    The rotation is uniform (Haar) and the same for all points: their radii and the distances
    between them are kept, and only their directions are random.
    """
    generator = numpy_stream(seed, "clustering", "rotation")
    axes = white.shape[1]
    rotation = special_ortho_group.rvs(axes, random_state=generator) if axes > 1 else np.eye(1)
    return (white.double() @ torch.from_numpy(rotation).to(white.device)).to(white)


def all_distances(
    points: Float[Tensor, "points features"],
    whitening: Whitening,
    splits: Mapping[str, Float[Tensor, "_ features"]],
    *,
    seed: int,
) -> dict[str, Tensor]:
    """Distances of the rows of every split to centroids, random training rows, rotated centroids.

    Args:
        points: centroids in the coordinates of the features.
        whitening: whitening of the training rows.
        splits: rows by split; those of "train" are the rows that are drawn.
        seed: names the random streams.
    Returns:
        ``<split>.distances``, ``<split>.random_distances`` and ``<split>.rotated_distances``.
    """
    drawn = random_rows(splits["train"], len(points), seed=seed)
    white = {
        "distances": whitening(points),
        "random_distances": whitening(drawn),
        "rotated_distances": rotated(whitening(points), seed=seed),
    }
    return {
        f"{split}.{name}": euclidean(whitening(x), to)
        for split, x in splits.items()
        for name, to in white.items()
    }
