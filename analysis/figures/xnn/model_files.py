"""Model files for the figures: tensors with checked shapes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.figures.style import NothingToDraw
from analysis.tensors import Array, Contents, SweepFiles, TensorFile, UnreadError

Tensors = Mapping[str, Array]
"""Arrays by name in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFiles:
    """Files of one trained network: its own, and those of its preparation."""

    files: SweepFiles
    trial_id: str

    @property
    def model(self) -> TensorFile:
        """File of the network and its explanation."""
        return self.files.model(self.trial_id, "xnn")

    def prepared(self, name: str) -> TensorFile:
        """File ``name`` of its preparation: clusters, predictions or theta_star.

        Raises:
            NothingToDraw: the network cannot be read, or does not name its preparation.
        """
        key = about(self.model).get("preparation")
        if not key:
            raise NothingToDraw(f"{_named(self.model)} names no preparation")
        try:
            return self.files.prepared(key, name)
        except UnreadError as error:
            raise NothingToDraw(f"{_named(self.model)} names no preparation") from error


def about(file: TensorFile) -> Mapping[str, Any]:
    """Metadata of the trial in the file of a network; empty without any.

    Raises:
        NothingToDraw: the file cannot be read.
    """
    return _loaded(file).about


def tensors(
    file: TensorFile, shapes: Mapping[str, str], optional: Mapping[str, str] | None = None
) -> dict[str, Array]:
    """Tensors of a file that are in ``shapes``, and those in ``optional`` that exist.

    Args:
        file: a safetensors file.
        shapes: dimensions of every tensor, "nodes centroids"; a word has one length in the whole
            file, a number is a fixed length.
        optional: the same for optional tensors.
    Raises:
        NothingToDraw: the file cannot be read, lacks a tensor, or one is not finite or has
            another shape.
    """
    sides = {**shapes, **(optional or {})}
    contents = _loaded(file).tensors
    if absent := [name for name in shapes if name not in contents]:
        raise NothingToDraw(f"{_named(file)} has no {absent[0]}")
    arrays = {name: contents[name] for name in sides if name in contents}
    lengths: dict[str, int] = {}
    for name, array in arrays.items():
        _fits(file, name, array, sides[name], lengths)
    return arrays


def principal(file: TensorFile) -> bool:
    """True if the network's inputs are scores on principal axes of the columns.

    Raises:
        NothingToDraw: the file cannot be read.
    """
    axes = _loaded(file).tensors.get("encoding.axes")
    return axes is not None and len(axes) > 0


def weights(file: TensorFile) -> list[Array]:
    """Weight matrices of a network, [outputs, inputs], from the first layer to the last.

    Raises:
        NothingToDraw: the file cannot be read, or its layers do not fit together.
    """
    names = list(_loaded(file).tensors)
    number = sum(n.startswith("layers.") and n.endswith(".weight") for n in names)
    if not number:
        raise NothingToDraw(f"{_named(file)} has no layers")
    shapes = {f"layers.{i}.weight": f"width_{i + 1} width_{i}" for i in range(number)}
    return list(tensors(file, shapes).values())


def _loaded(file: TensorFile) -> Contents:
    try:
        return file.load()
    except UnreadError as error:
        within = f"{file.path.parent}{os.sep}"
        folder = file.path.parent.name
        raise NothingToDraw(str(error).replace(within, f"{folder}/")) from error


def _fits(file: TensorFile, name: str, array: Array, shape: str, lengths: dict[str, int]) -> None:
    sides = shape.split()
    expected = [int(s) if s.isdecimal() else lengths.get(s) for s in sides]
    alike = len(sides) == array.ndim and all(
        e is None or e == n for e, n in zip(expected, array.shape, strict=True)
    )
    if not alike or not array.size:
        raise NothingToDraw(f"{_named(file)}: {name} is {list(array.shape)}, not [{shape}]")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise NothingToDraw(f"{_named(file)}: {name} is not finite")
    lengths.update(zip(sides, array.shape, strict=True))


def _named(file: TensorFile) -> str:
    return f"{file.path.parent.name}/{file.path.name}"
