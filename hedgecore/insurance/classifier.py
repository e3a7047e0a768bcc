"""Deployed X-NN: class probabilities from rows of a table, equal to the sealed network's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.insurance.data.encoding import Published, Scaling, Sound
from hedgecore.insurance.data.schema import COLUMNS
from hedgecore.insurance.data.table import Table
from hedgecore.insurance.xnn.network import probabilities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classifier:
    """Network, and the encoding of its inputs.

    Args:
        encoding: fitted on the training rows.
        theta: weights and biases.
    """

    encoding: Published | Sound
    theta: Mapping[str, Tensor]

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
        if "codes" in encoding:
            codes = {name: np.array(levels) for name, levels in encoding["codes"].items()}
            return cls(encoding=Published(codes=codes, scaling=scaling), theta=theta)
        levels = {
            name: np.array(values, dtype=None if COLUMNS[name].text else np.float64)
            for name, values in encoding["levels"].items()
        }
        sound = Sound(
            medians={name: float(value) for name, value in encoding["medians"].items()},
            levels=levels,
            bounds={
                name: (float(low), float(high)) for name, (low, high) in encoding["bounds"].items()
            },
            columns=tuple(encoding["columns"]),
            scaling=scaling,
        )
        return cls(encoding=sound, theta=theta)

    def __call__(self, table: Table) -> Float[np.ndarray, "rows 8"]:
        """Probability of every class for each row of ``table``; column 7 is Response 8."""
        return probabilities(self.theta, torch.from_numpy(self.encoding.encode(table)))
