"""Regression of a layer's nodes on distances to centroids, measured on held-out rows.

A node is the pre-activation of one unit. Fits use training rows, everything else rows that neither
network nor fit has seen. R^2 grows with the number of centroids whatever their meaning, and is
about as high for an untrained network or random points: only the gain over such controls is
meaningful, see :func:`explanation_gain`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from hedgecore.insurance.evaluation.information import (
    adjusted_information,
    concentration,
    gini,
    information_gap,
    levels,
    memberships,
)
from hedgecore.insurance.evaluation.scores import standard_error

OWNED = 0.7
"""|rho| above which a node is counted for its centroid."""

# Activations and distances are float32: relative to the largest, anything smaller is rounding.
_RESOLUTION = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearFit:
    """Nodes as affine functions of distances.

    Args:
        coefficients: node units per unit of distance.
        intercept: of every node.
        beta: standardised coefficients: sd of node per sd of distance.
        inflation: variance inflation factor of every distance, 1 / (1 - R^2 on the others).
        rank: rank of the distances. Below K, the coefficients are those of least norm, which
            shares an effect among collinear distances.
    """

    coefficients: Float[np.ndarray, "centroids nodes"]
    intercept: Float[np.ndarray, " nodes"]
    beta: Float[np.ndarray, "nodes centroids"]
    inflation: Float[np.ndarray, " centroids"]
    rank: int

    def __call__(
        self, distances: Float[np.ndarray, "rows centroids"]
    ) -> Float[np.ndarray, "rows nodes"]:
        """Nodes predicted from ``distances``."""
        return distances @ self.coefficients + self.intercept


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Fit of nodes by distances, and its held-out quality.

    Args:
        fit: fit on training rows.
        r2: held-out R^2 of ``fit``, possibly negative; 0 for a node that is constant there.
        rho: held-out correlation with each distance; 0 for a constant.
        influence: of every held-out row on ``r2``, given the fit; its mean over the rows is 0.
    """

    fit: LinearFit
    r2: Float[np.ndarray, " nodes"]
    rho: Float[np.ndarray, "nodes centroids"]
    influence: Float[np.ndarray, "rows nodes"]

    @property
    def top(self) -> Float[np.ndarray, " nodes"]:
        """Largest |rho| of every node."""
        return np.abs(self.rho).max(axis=1)

    def less_error(self, rival: "Regression") -> float:
        """Standard error over held-out rows of the mean ``r2`` less that of a ``rival``.

        Both are measured on the same rows; the fits are given.
        """
        difference = self.influence.mean(axis=1) - rival.influence.mean(axis=1)
        return standard_error(difference)

    def part(self, nodes: slice) -> "Regression":
        """Regression of a subset of the nodes."""
        fit = replace(
            self.fit,
            coefficients=self.fit.coefficients[:, nodes],
            intercept=self.fit.intercept[nodes],
            beta=self.fit.beta[nodes],
        )
        return Regression(
            fit=fit, r2=self.r2[nodes], rho=self.rho[nodes], influence=self.influence[:, nodes]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation(Regression):
    """Results of :func:`explain` per node.

    Args:
        information: adjusted mutual information with the nearest centroid.
        mig: mutual information gap of every centroid.
        dead: nodes that are constant, or at most 0 and so zero after ReLU, on all held-out rows.
        members: number of held-out rows nearest to each centroid.
    """

    information: Float[np.ndarray, " nodes"]
    mig: Float[np.ndarray, " centroids"]
    dead: Bool[np.ndarray, " nodes"]
    members: Int[np.ndarray, " centroids"]

    @property
    def owner(self) -> Int[np.ndarray, " nodes"]:
        """Centroid with the largest absolute correlation, for each node."""
        return np.abs(self.rho).argmax(axis=1)

    @property
    def gap(self) -> Float[np.ndarray, " nodes"]:
        """Lead of ``top`` over the second largest |rho|; equal to ``top`` if K = 1."""
        sizes = np.sort(np.abs(self.rho), axis=1)
        return sizes[:, -1] - (sizes[:, -2] if sizes.shape[1] > 1 else 0)

    def summary(self) -> dict[str, float]:
        """Summary over all nodes, by column."""
        importance = np.abs(self.fit.beta)
        values = {
            "r2_mean": self.r2.mean(),
            "r2_median": np.median(self.r2),
            "r2_min": self.r2.min(),
            "beta_max": importance.max(axis=1).mean(),
            "inflation_max": self.fit.inflation.max(),
            "beta_gini": gini(importance).mean(),
            "rho_top": self.top.mean(),
            "rho_gap": self.gap.mean(),
            "mi_mean": self.information.mean(),
            "mi_max": self.information.max(),
            "mig": self.mig.mean(),
            "disentanglement": concentration(importance),
            "completeness": concentration(importance.T),
            "coverage": len(np.unique(self.owner[self.top > OWNED])),
            "dead_nodes": self.dead.sum(),
        }
        return {name: float(value) for name, value in values.items()}


def explain(
    train_nodes: Float[np.ndarray, "train nodes"],
    train_distances: Float[np.ndarray, "train centroids"],
    nodes: Float[np.ndarray, "rows nodes"],
    distances: Float[np.ndarray, "rows centroids"],
) -> Explanation:
    """Nodes (pre-activations) explained by distances: fit on training, measures on held-out rows.

    Raises:
        ValueError: fewer than 2 held-out rows, or as in :func:`linear_fit`.
    """
    regression = regress(train_nodes, train_distances, nodes, distances)
    nodes, distances = nodes.astype(np.float64), distances.astype(np.float64)
    node_levels = levels(nodes)
    return Explanation(
        fit=regression.fit,
        r2=regression.r2,
        rho=regression.rho,
        influence=regression.influence,
        information=adjusted_information(node_levels, memberships(distances)),
        mig=information_gap(node_levels, levels(distances)),
        dead=_constant(nodes) | (nodes.max(axis=0) <= 0),
        members=np.bincount(distances.argmin(axis=1), minlength=distances.shape[1]),
    )


def regress(
    train_nodes: Float[np.ndarray, "train nodes"],
    train_distances: Float[np.ndarray, "train centroids"],
    nodes: Float[np.ndarray, "rows nodes"],
    distances: Float[np.ndarray, "rows centroids"],
) -> Regression:
    """Regression part of :func:`explain`, used for controls; same arguments and errors."""
    if len(nodes) < 2:
        raise ValueError(f"rows must be at least 2 to measure anything on, got {len(nodes)}")
    fit = linear_fit(train_nodes, train_distances)
    nodes, distances = nodes.astype(np.float64), distances.astype(np.float64)
    constant = _constant(nodes)
    square = np.square(nodes - fit(distances))
    square_total = np.square(nodes - nodes.mean(axis=0))
    residual, total = square.sum(axis=0), square_total.sum(axis=0)
    safe = np.where(constant, 1, total)
    # R^2 = 1 - A / B moves by -(r^2 - A) / B + (A / B^2) (d^2 - B) per unit of a row's weight.
    influence = (square_total * (residual / safe) - square) * (len(nodes) / safe)
    return Regression(
        fit=fit,
        r2=np.where(constant, 0, 1 - residual / safe),
        influence=np.where(constant, 0, influence),
        rho=_standardised(nodes)[0].T @ _standardised(distances)[0] / len(nodes),
    )


def linear_fit(
    nodes: Float[np.ndarray, "rows nodes"], distances: Float[np.ndarray, "rows centroids"]
) -> LinearFit:
    """Ordinary least squares with intercept, of the least norm where distances are collinear.

    Raises:
        ValueError: not more rows than centroids.
    """
    rows, centroids = distances.shape
    if rows <= centroids:
        raise ValueError(f"rows must exceed the {centroids} centroids for a fit, got {rows}")
    nodes, distances = nodes.astype(np.float64), distances.astype(np.float64)
    z, z_mean, z_sd = _standardised(nodes)
    d, d_mean, d_sd = _standardised(distances)
    u, s, vt = np.linalg.svd(d, full_matrices=False)
    floor = max(_RESOLUTION * s[0], np.finfo(np.float64).tiny)
    mask = s > floor
    beta = vt[mask].T @ (u[:, mask].T @ z / s[mask, None])
    units = np.divide(1, d_sd, out=np.zeros(centroids), where=d_sd > 0)
    coefficients = units[:, None] * beta * z_sd
    return LinearFit(
        coefficients=coefficients,
        intercept=z_mean - d_mean @ coefficients,
        beta=beta.T,
        inflation=rows * np.square(vt / np.maximum(s, floor)[:, None]).sum(axis=0),
        rank=int(mask.sum()),
    )


def explanation_gain(value: float, controls: Mapping[str, float]) -> float:
    """``value`` minus that of the best control with the same number of centroids.

    Args:
        value: held-out R^2, or top |rho|.
        controls: the same for an untrained network, random points as centroids, no explanation
            term and permuted rows, by name. Training and held-out rows are both permuted: with
            only the former permuted, R^2 would vary around 0 by 1 / sqrt(rows) instead of K /
            rows.
    Raises:
        ValueError: no controls.
    """
    if not controls:
        raise ValueError("controls is empty; a gain needs at least one matched control")
    return value - max(controls.values())


def _constant(x: np.ndarray) -> np.ndarray:
    low, high = x.min(axis=0), x.max(axis=0)
    return high - low <= _RESOLUTION * np.maximum(np.abs(low), np.abs(high))


def _standardised(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``x`` standardised by column, with the original means and standard deviations.

    A constant column becomes 0, and its standard deviation is 0.
    """
    mean = x.mean(axis=0)
    standard = x - mean
    # numpy.std would copy the rows again, which takes longer than the arithmetic.
    sd = np.sqrt(np.einsum("rc,rc->c", standard, standard) / len(x))
    sd[_constant(x)] = 0
    standard *= np.divide(1, sd, out=np.zeros_like(sd), where=sd > 0)
    return standard, mean, sd
