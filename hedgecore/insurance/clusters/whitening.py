"""Whitening of rows, and Mahalanobis distances as Euclidean distances of whitened rows.

d(x, c) = |L^-1 (x - c)|,   L L' = covariance of the training rows, divided by n
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# An eigenvalue of the correlations, or a relative sd, below this is rounding error of float32.
_TINY = 1e-6
_SHRINKAGE = 1e-3


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
        return euclidean(self(x), self(points))


def euclidean(
    white: Float[Tensor, "rows axes"], points: Float[Tensor, "points axes"]
) -> Float[Tensor, "rows points"]:
    """Distances of whitened rows to whitened points."""
    # |x|^2 - 2xc + |c|^2 would lose small distances in float32.
    return torch.cdist(white, points, compute_mode="donot_use_mm_for_euclid_dist")
