"""Deployed X-NN: class probabilities from rows of a table, equal to the trained network's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from hedgecore.insurance.clusters.whitening import Whitening
from hedgecore.insurance.data.encoding import Published, Scaling, Sound
from hedgecore.insurance.data.files import Frame
from hedgecore.insurance.data.levels import encode, level_notes
from hedgecore.insurance.data.predictions import predictions
from hedgecore.insurance.data.rows import Rows, read_rows, rows_of
from hedgecore.insurance.data.schema import COLUMNS
from hedgecore.insurance.data.table import Table
from hedgecore.insurance.xnn.network import probabilities
from hedgecore.threads import one_thread

# Products of fewer rows have kernels of their own, which round otherwise.
_LEAST_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classifier:
    """Network, the encoding of its inputs, and its centroids.

    Args:
        encoding: fitted on the training rows.
        theta: weights and biases.
        points: centroids in the coordinates of the inputs; None if they are not stored.
        whitening: metric of the distances to them.
    """

    encoding: Published | Sound
    theta: Mapping[str, Tensor]
    points: Float[Tensor, "clusters features"] | None = None
    whitening: Whitening | None = None

    def __repr__(self) -> str:
        inputs = next(iter(self.theta.values())).shape[1]
        centroids = "no" if self.points is None else len(self.points)
        return f"Classifier({inputs} inputs, {centroids} centroids)"

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], encoding: Mapping[str, Any]) -> "Classifier":
        """Network of a bundle, or of a trial's file.

        Args:
            tensors: all deployed tensors; see ``hedgecore.insurance.deployment``.
            encoding: ``manifest.facts["encoding"]``; its numbers may be text.
        """
        scaling = Scaling(
            **{part: tensors[f"encoding.{part}"].numpy() for part in ("mean", "sd", "axes")},
            explained=np.array(encoding["explained"], dtype=np.float64),
        )
        layers = sorted(
            (name for name in tensors if name.startswith("layers.")),
            key=lambda name: (int(name.split(".")[1]), name.endswith("bias")),
        )
        theta = {name: tensors[name] for name in layers}
        points, whitening = tensors.get("centroids.points"), None
        if points is not None:
            # Shrinkage is included in the root.
            whitening = Whitening(
                mean=tensors["centroids.mean"],
                inverse_root=tensors["centroids.inverse_root"],
                shrinkage=0.0,
            )
        return cls(
            encoding=_encoding(encoding, scaling), theta=theta, points=points, whitening=whitening
        )

    def __call__(self, table: Table | Rows) -> Float[np.ndarray, "rows 8"]:
        """Probability of every class for each row of ``table``; column 7 is Response 8."""
        return self._probabilities(self._inputs(table))

    def predict(self, rows: Frame | Path | str) -> Frame:
        """Predictions for ``rows``: a data frame, or the path of a CSV or Parquet file.

        One row per row, in order: Id, ``probability_1`` to ``probability_8``, ``likeliest`` (the
        class), and, if centroids are stored, ``nearest_centroid`` (from 1) and ``distance_1`` ..
        in standard deviations of the training rows. ``attrs["notes"]`` lists columns ignored,
        levels never seen, and numbers beyond the training table.

        Rows are not required to have a Response, and need not be unique. Limits this process to
        one thread, as numbers depend on it.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: a column is missing, or a value cannot be encoded; one line with the cure.
        """
        one_thread()
        new = rows_of(rows) if isinstance(rows, Frame) else read_rows(rows)
        x = self._inputs(new)
        return predictions(
            new,
            probabilities=self._probabilities(x),
            distances=None if self.points is None else self._distances(x).numpy(),
            notes=list(level_notes(self.encoding, new)),
        )

    def _inputs(self, table: Table | Rows) -> Float32[Tensor, "rows inputs"]:
        if isinstance(table, Rows):
            return torch.from_numpy(encode(self.encoding, table))
        return torch.from_numpy(self.encoding.encode(table))

    def _probabilities(self, x: Float32[Tensor, "rows inputs"]) -> Float[np.ndarray, "rows 8"]:
        padding = max(0, _LEAST_ROWS - len(x))
        padded = torch.cat([x, x[-1:].expand(padding, -1)]) if padding else x
        return probabilities(self.theta, padded)[: len(x)]

    def _distances(self, x: Float32[Tensor, "rows inputs"]) -> Float[Tensor, "rows clusters"]:
        assert self.points is not None, "only stored centroids have distances"
        assert self.whitening is not None, "centroids are stored with their metric"
        return self.whitening.distances(x, self.points)


def _encoding(encoding: Mapping[str, Any], scaling: Scaling) -> Published | Sound:
    if "codes" in encoding:
        codes = {name: np.array(levels) for name, levels in encoding["codes"].items()}
        return Published(codes=codes, scaling=scaling)
    levels = {
        name: np.array(values, dtype=None if COLUMNS[name].text else np.float64)
        for name, values in encoding["levels"].items()
    }
    return Sound(
        medians={name: float(value) for name, value in encoding["medians"].items()},
        levels=levels,
        bounds={
            name: (float(low), float(high)) for name, (low, high) in encoding["bounds"].items()
        },
        columns=tuple(encoding["columns"]),
        scaling=scaling,
    )
