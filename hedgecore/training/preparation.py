"""ArrayPreparation: state shared by the trials of a seed, for an experiment without torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hedgecore.fingerprints import tensor_sha256
from hedgecore.protocols import Json, Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrayPreparation:
    """NumPy arrays that the trials of one seed share.

    Args:
        seed: seed of every random stream of the trials.
        theta_0: initial parameters of all trials.
        data: training data.
        columns: columns of every trial's row, as plain data.
        baselines: metrics of the baselines, by name.
    """

    seed: int
    theta_0: Mapping[str, np.ndarray]
    data: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: Json = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def about(self) -> Json:
        """See :class:`hedgecore.protocols.Preparation`."""
        return {"columns": self.columns, "baselines": self.baselines}

    @property
    def files(self) -> dict[str, Tensors]:
        """See :class:`hedgecore.protocols.Preparation`."""
        return {"theta_0": _tensors(self.theta_0)}

    @property
    def inputs(self) -> Tensors:
        """See :class:`hedgecore.protocols.Preparation`."""
        return _tensors(self.data)

    @property
    def data_sha256(self) -> str:
        """Fingerprint of the data."""
        return tensor_sha256(self.inputs.values())

    @classmethod
    def assemble(
        cls, *, seed: int, about: Json, files: Mapping[str, Tensors], inputs: Tensors
    ) -> "ArrayPreparation":
        """Preparation from all of its parts."""
        theta_0, data = (
            {name: value.numpy() for name, value in tensors.items()}
            for tensors in (files["theta_0"], inputs)
        )
        return cls(seed=seed, theta_0=theta_0, data=data, **about)


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
