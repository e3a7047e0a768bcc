"""Preparations in the object store, each made once by its own task.

Arrays are stored as read-only NumPy, which Ray maps into every process of a node without a copy.
Arrays that a preparation shares with its base are stored once. Data files come from the object
store too, so a task opens none.
"""

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch
from ray.exceptions import RayError
from torch import Tensor

from hedgecore.config import from_mapping
from hedgecore.experiment import Preparation
from hedgecore.threads import one_thread
from hedgecore.training.convergence import DivergedError
from sweeps.errors import PreparationError, UsageError
from sweeps.execution.shared_objects import Content, SharedObjects
from sweeps.experiments import experiment
from sweeps.journal.preparations import Facts, StoredPreparation
from sweeps.text import first_line

# An input, or a file and a tensor in it.
Arrays = dict[str | tuple[str, str], np.ndarray]


@dataclass(frozen=True, slots=True)
class SharedPreparation:
    """Preparation as trials receive it: facts by value, arrays by reference."""

    name: str  # of the experiment
    facts: Facts
    arrays: "tuple[ray.ObjectRef, ...]"  # its own, after that of its base

    def fetch(self) -> Preparation:
        """The preparation on this node; its tensors are views of the object store, not copies."""
        return _assembled(self.name, self.facts, *ray.get(list(self.arrays)))


@ray.remote(num_cpus=1, num_returns=2)
def prepare_task(
    name: str,
    study: dict[str, Any],
    seed: int,
    core: str,
    filed: "StoredPreparation | None",
    base_facts: Facts | str | None = None,
    base_arrays: Arrays | None = None,
    contents: "Mapping[str, ray.ObjectRef] | None" = None,
) -> tuple[Facts | str, Arrays]:
    """Facts and arrays of one preparation, or its error in one line.

    Arrays of its base are omitted. ``contents`` are the bytes of its data files, by path.
    """
    if isinstance(base_facts, str):
        return base_facts, {}
    one_thread()
    began = time.perf_counter()
    swept_experiment = experiment(name)
    typed = from_mapping(swept_experiment.study, study)
    base = None
    if base_facts is not None and base_arrays is not None:
        base = _assembled(name, base_facts, base_arrays)
    arguments: dict[str, Any] = {}
    if contents:
        arguments["contents"] = dict(zip(contents, ray.get([*contents.values()]), strict=True))
    try:
        if filed is not None:
            preparation = filed.restore(swept_experiment, typed, base, **arguments)
        else:
            preparation = swept_experiment.trainer.prepare(
                typed, seed=seed, base=base, **arguments
            )
    except DivergedError as error:
        wording = swept_experiment.wording
        return f"{wording.baseline} diverged: {error} ({wording.baseline_lr})", {}
    except (UsageError, ValueError) as error:
        return str(error), {}
    seconds = time.perf_counter() - began
    facts = filed.facts if filed else Facts.of(preparation, core=core, seconds=seconds)
    base_arrays, arrays = base_arrays or {}, _arrays(preparation)
    return facts, {k: a for k, a in arrays.items() if not _same(a, base_arrays.get(k))}


def collect(
    key: str,
    name: str,
    task: "tuple[ray.ObjectRef, ...]",
    base: SharedPreparation | None,
    objects: SharedObjects,
) -> SharedPreparation:
    """The preparation ``key`` of experiment ``name``, which adds to ``base``, in ``objects``.

    Raises:
        PreparationError: a baseline diverged, the data are unavailable, the stored files do
            not fit this machine, or its worker was lost repeatedly.
    """
    facts, arrays = task
    try:
        outcome = ray.get(facts)
        if isinstance(outcome, str):
            raise PreparationError(f"{key}: {outcome}")
        # Copied to the driver's node, since the node that made it may be reclaimed.
        parts: dict[Content, Arrays] = {"theta_0": {}, "data": {}}
        for k, array in ray.get(arrays).items():
            parts["data" if isinstance(k, str) else "theta_0"][k] = array
        copies = [
            objects.put(content, part, size=sum(a.nbytes for a in part.values()), name=key)
            for content, part in parts.items()
            if part
        ]
        return SharedPreparation(name, outcome, (*(base.arrays if base else ()), *copies))
    except RayError as error:
        raise PreparationError(f"{key}: {first_line(error)}") from error


def _arrays(preparation: Preparation) -> Arrays:
    arrays: Arrays = {name: tensor.detach().numpy() for name, tensor in preparation.inputs.items()}
    for file, tensors in preparation.files.items():
        arrays |= {(file, name): tensor.detach().numpy() for name, tensor in tensors.items()}
    return arrays


def _same(array: np.ndarray, other: np.ndarray | None) -> bool:
    """True if both arrays are the same memory."""
    return (
        other is not None
        and array.__array_interface__["data"][0] == other.__array_interface__["data"][0]
        and (array.shape, array.dtype, array.strides) == (other.shape, other.dtype, other.strides)
    )


def _assembled(name: str, facts: Facts, *parts: Arrays) -> Preparation:
    arrays = {key: array for part in parts for key, array in part.items()}
    files = {
        file: {tensor: view(arrays[file, tensor]) for tensor in tensors}
        for file, tensors in facts.layout.items()
    }
    inputs = {key: view(array) for key, array in arrays.items() if isinstance(key, str)}
    preparation: Preparation = experiment(name).trainer.assemble(
        seed=facts.seed, about=facts.about, files=files, inputs=inputs
    )
    return preparation


def view(array: np.ndarray) -> Tensor:
    """``array`` as a read-only tensor over the same memory."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
