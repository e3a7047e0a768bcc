"""What all trials of a seed share, in the object store: prepared once by a task of its own.

Arrays travel as read-only float32 NumPy, which Ray maps into every process of a node without a
copy.
"""

import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import ray
import torch
from ray.exceptions import RayError
from torch import Tensor

from hedgecore.config import from_mapping
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.preparation import NETWORKS, DenseBaseline, Preparation, prepare
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths
from hedgecore.training.convergence import DivergedError
from sweeps.errors import PreparationError, UsageError
from sweeps.record.filing import Facts, Filed

_SPOT, _VARIANCE, _SEEN = "_spot", "_variance", "interpretation."

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Shared:
    """A preparation as trials get it: facts by value, arrays by reference."""

    facts: Facts
    arrays: "ray.ObjectRef"

    def fetch(self) -> Preparation:
        """The preparation on this node; its tensors are views of the object store, not copies."""
        return _assembled(self.facts, ray.get(self.arrays))


@ray.remote(num_cpus=1, num_returns=2)
def prepare_task(
    study: dict[str, Any],
    seed: int,
    core: str,
    filed: "Filed | None",
    base_facts: Facts | str | None = None,
    base_arrays: Arrays | None = None,
) -> tuple[Facts | str, Arrays]:
    """Facts and arrays of one preparation, or what went wrong with it in one line.

    The base, if any, is what this preparation adds a network to.
    """
    if isinstance(base_facts, str):
        return base_facts, {}
    torch.set_num_threads(1)
    began = time.perf_counter()
    typed = from_mapping(TicketStudy, study)
    try:
        if filed is not None:
            made = filed.restore(typed)
        elif base_facts is not None and base_arrays is not None:
            made = prepare(typed, seed=seed, base=_assembled(base_facts, base_arrays))
        else:
            made = prepare(typed, seed=seed)
    except DivergedError as error:
        return f"the dense baseline diverged: {error} (study.dense.lr)", {}
    except UsageError as error:
        return str(error), {}
    facts = Facts(
        seed=seed,
        networks_sha256=made.networks_sha256,
        data_sha256=made.data_sha256,
        core=core,
        dense=asdict(made.dense),
        layout={name: list(value.shape) for name, value in made.theta_0.items()},
        maturity=typed.market.maturity,
        seconds=time.perf_counter() - began if filed is None else filed.facts.seconds,
    )
    arrays = {
        **{name: flatten(theta) for name, theta in made.networks.items()},
        "mean": made.standardisation.mean.numpy(),
        "sd": made.standardisation.sd.numpy(),
        "dense_pnl": made.dense_pnl.numpy(),
        **{_SEEN + name: value.numpy() for name, value in made.interpretation.items()},
    }
    for split, paths in made.data.items():
        arrays[split + _SPOT] = paths.spot.numpy()
        arrays[split + _VARIANCE] = paths.variance.numpy()
    return facts, arrays


def collect(key: str, facts: "ray.ObjectRef", arrays: "ray.ObjectRef") -> Shared:
    """The finished preparation ``key``.

    Raises:
        PreparationError: its dense baseline diverged, what is filed does not fit this machine, or
            its worker was lost again and again.
    """
    try:
        made = ray.get(facts)
        if isinstance(made, str):
            raise PreparationError(f"{key}: {made}")
        # A copy of the driver's own: the node that made it may be reclaimed.
        return Shared(made, ray.put(ray.get(arrays)))
    except RayError as error:
        raise PreparationError(f"{key}: {str(error).splitlines()[0]}") from error


def _assembled(facts: Facts, arrays: Arrays) -> Preparation:
    return Preparation(
        seed=facts.seed,
        data={
            name.removesuffix(_SPOT): MarketPaths(
                spot=view(spot),
                variance=view(arrays[name.removesuffix(_SPOT) + _VARIANCE]),
                maturity=facts.maturity,
            )
            for name, spot in arrays.items()
            if name.endswith(_SPOT)
        },
        standardisation=Standardisation(mean=view(arrays["mean"]), sd=view(arrays["sd"])),
        **{name: unflatten(view(arrays[name]), facts.layout) for name in NETWORKS},
        dense=DenseBaseline(**facts.dense),
        dense_pnl=view(arrays["dense_pnl"]),
        interpretation={
            name.removeprefix(_SEEN): view(value)
            for name, value in arrays.items()
            if name.startswith(_SEEN)
        },
    )


def view(array: np.ndarray) -> Tensor:
    """``array`` as a tensor over the same memory, for reading only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def flatten(theta: Mapping[str, Tensor]) -> np.ndarray:
    """All parameters in one float32 vector, in order."""
    return torch.cat([value.detach().reshape(-1) for value in theta.values()]).numpy()


def unflatten(vector: Tensor, layout: Mapping[str, list[int]]) -> dict[str, Tensor]:
    """The parameters that :func:`flatten` put into ``vector``."""
    sizes = [int(np.prod(shape)) for shape in layout.values()]
    parts = vector.split(sizes)
    return {n: part.view(shape) for (n, shape), part in zip(layout.items(), parts, strict=True)}
