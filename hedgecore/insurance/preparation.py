"""Preparation of a seed: rows, clusters, theta_0, and baselines."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor

from hedgecore.fingerprints import tensor_sha256
from hedgecore.insurance.data.applicants import SPLITS
from hedgecore.insurance.data.schema import COLUMNS, FEATURES
from hedgecore.insurance.xnn.alignment import Landmarks
from hedgecore.insurance.xnn.train import Rows
from hedgecore.protocols import Json, Tensors

# Metrics of the seed's plain network in every trial's row, as plain_val_loss and so on.
_OF_PRIOR = ("cross_entropy", "accuracy")
_CARRIED = ("val_loss", "cross_entropy", "accuracy", "kappa", "kappa_expected", "macro_f1", "ece")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class XnnPreparation:
    """State shared by the trials of one seed; immutable.

    Args:
        seed: seed of every random stream of the trials.
        about: origin of the rows, encoding, clusters, and all baselines.
        files: ``theta_0``, ``theta_star`` (the plain network), ``predictions`` of the baselines on
            test rows, and ``clusters``.
        inputs: see :meth:`.data.applicants.Applicants.inputs`; and distances of the rows of every
            split, to the centroids, to as many random training rows, and to rotated centroids.
    """

    seed: int
    about: Json
    files: Mapping[str, Tensors]
    inputs: Tensors

    @property
    def data_sha256(self) -> str:
        """Fingerprint of encoded rows and labels."""
        return tensor_sha256(self.inputs[f"{split}.{part}"] for split in SPLITS for part in "xy")

    @property
    def columns(self) -> Json:
        """Columns of every trial: rare values, its clusters, class shares and plain network."""
        rare, clustering = self.about["rare"], self.about["clustering"]
        pooled = rare.get("pooled", {}).values()
        return {
            "rare_levels": sum(column["levels"] for column in pooled),
            "rare_columns": len(rare.get("dropped", {})),
            "cluster_rows_min": min(clustering["sizes"]),
            "clusters_undersized": len(clustering["undersized"]),
            "cluster_stability": clustering["stability"],
            **{f"prior_{name}": self.baselines["prior"][name] for name in _OF_PRIOR},
            **{f"plain_{name}": self.about["plain"][name] for name in _CARRIED},
        }

    @property
    def baselines(self) -> Mapping[str, Mapping[str, float]]:
        """Metrics of the baselines; on test rows unless the name states otherwise."""
        metrics: Mapping[str, Mapping[str, float]] = self.about["baselines"]
        return metrics

    @property
    def theta_0(self) -> Tensors:
        """Initial parameters of all trials."""
        return self.files["theta_0"]

    @property
    def theta_star(self) -> Tensors:
        """Best parameters of the plain network."""
        return self.files["theta_star"]

    @property
    def points(self) -> Float[Tensor, "clusters features"]:
        """Centroids in the coordinates of the inputs."""
        return self.files["clusters"]["points"]

    def rows(self, split: str, *, device: str = "cpu") -> Rows:
        """Encoded rows and labels of "train", "val" or "test"."""
        x, y = (self.inputs[f"{split}.{part}"].to(device) for part in "xy")
        return Rows(x=x, y=y)

    def distances(
        self, split: str, *, to: str = "distances"
    ) -> Float[np.ndarray, "rows clusters"]:
        """Distances of the rows of ``split`` to the centroids, or to one of their controls.

        Args:
            to: "distances", "random_distances" or "rotated_distances".
        """
        return self.inputs[f"{split}.{to}"].numpy()

    def landmarks(self, *, device: str = "cpu") -> Landmarks:
        """Centroids and distances for training."""
        return Landmarks.of(self.points.to(device), self.inputs["train.distances"].to(device))

    def column(self, name: str) -> Shaped[np.ndarray, " test"]:
        """Feature of the test rows as in the table: numbers, NaN where missing, or text."""
        values = self.inputs["test.columns"][FEATURES.index(name)].numpy()
        if not COLUMNS[name].text:
            return values.astype(np.float64)
        return np.array(list(COLUMNS[name].levels))[values.astype(np.int64)]
