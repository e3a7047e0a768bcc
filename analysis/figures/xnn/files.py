"""What the figures of networks read: tensors out of files, held to the shapes they should have."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from analysis.figures.style import NothingToDraw

Array = npt.NDArray[Any]
Tensors = Mapping[str, Array]
"""Arrays by the names they have in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFiles:
    """The files that belong to one trained network: its own, and those of its preparation."""

    storage: Path
    trial_id: str

    @property
    def model(self) -> Path:
        """Where the network lies, with what explains it."""
        return self.storage / "models" / self.trial_id / "xnn.safetensors"

    def prepared(self, name: str) -> Path:
        """Where its preparation keeps ``name``: clusters, predictions or theta_star.

        Raises:
            NothingToDraw: the network cannot be read, or does not say what it was prepared from.
        """
        key = about(self.model).get("preparation")
        if not isinstance(key, str) or not key or Path(key).name != key:
            raise NothingToDraw(f"{_named(self.model)} names no preparation")
        return self.storage / "study" / key / f"{name}.safetensors"


def about(path: Path) -> dict[str, Any]:
    """What the file of a network says of its trial; empty where it says nothing.

    Raises:
        NothingToDraw: the file cannot be read.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            found = json.loads((file.metadata() or {}).get("trial", "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise _unread(path, error) from error
    return found if isinstance(found, dict) else {}


def tensors(
    path: Path, shapes: Mapping[str, str], optional: Mapping[str, str] | None = None
) -> dict[str, Array]:
    """The tensors of a file that ``shapes`` names, and those of ``optional`` that it has.

    Args:
        path: a safetensors file.
        shapes: the sides of every tensor, "nodes centroids"; a word has one length in the whole
            file, a number is itself.
        optional: likewise.
    Raises:
        NothingToDraw: the file cannot be read, lacks a tensor, or one is not finite or has
            another shape.
    """
    wanted = {**shapes, **(optional or {})}
    try:
        with safe_open(path, framework="numpy") as file:
            known = set(file.keys())
            if absent := [name for name in shapes if name not in known]:
                raise NothingToDraw(f"{_named(path)} has no {absent[0]}")
            found = {name: file.get_tensor(name) for name in wanted if name in known}
    except (OSError, SafetensorError) as error:
        raise _unread(path, error) from error
    lengths: dict[str, int] = {}
    for name, array in found.items():
        _fits(path, name, array, wanted[name], lengths)
    return found


def weights(path: Path) -> list[Array]:
    """The weight matrices of a network, [outputs, inputs], from the first layer to the last.

    Raises:
        NothingToDraw: the file cannot be read, or its layers do not make a network.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
    except (OSError, SafetensorError) as error:
        raise _unread(path, error) from error
    number = sum(n.startswith("layers.") and n.endswith(".weight") for n in names)
    if not number:
        raise NothingToDraw(f"{_named(path)} has no layers")
    shapes = {f"layers.{i}.weight": f"width_{i + 1} width_{i}" for i in range(number)}
    return list(tensors(path, shapes).values())


def _fits(path: Path, name: str, array: Array, shape: str, lengths: dict[str, int]) -> None:
    sides = shape.split()
    expected = [int(s) if s.isdecimal() else lengths.get(s) for s in sides]
    alike = len(sides) == array.ndim and all(
        e is None or e == n for e, n in zip(expected, array.shape, strict=True)
    )
    if not alike or not array.size:
        raise NothingToDraw(f"{_named(path)}: {name} is {list(array.shape)}, not [{shape}]")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise NothingToDraw(f"{_named(path)}: {name} is not finite")
    lengths.update(zip(sides, array.shape, strict=True))


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _unread(path: Path, error: Exception) -> NothingToDraw:
    reason = "no such file" if isinstance(error, FileNotFoundError) else str(error).splitlines()[0]
    return NothingToDraw(f"{_named(path)} cannot be read ({reason})")
