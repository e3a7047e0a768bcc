"""Safetensors files of a sweep: its models and what its preparations left, held to their digests.

The tables say which bytes a model has, the manifest which a file of the study: the bytes that are
parsed are those that were compared.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy.typing as npt
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load

from analysis import bounds
from analysis.errors import AnalysisError
from analysis.escapes import within
from analysis.files import folder, read, reason

Array = npt.NDArray[Any]
_PREFIX = 8  # bytes of the length of the header, which is JSON


class UnreadError(AnalysisError):
    """A file of tensors cannot be read; the message is the path and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The tensors of a file by name, and what it says ``about`` its trial."""

    tensors: Mapping[str, Array]
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFile:
    """A safetensors file, and the digest (hex) that its bytes must have; None where unknown."""

    path: Path
    sha256: str | None = None

    def load(self) -> Contents:
        """What it holds; texts are printable.

        Raises:
            UnreadError: it cannot be read, is beyond the bounds or has another digest.
        """
        try:
            content = read(self.path, most=bounds.MODEL_BYTES)
            if self.sha256 and hashlib.sha256(content).hexdigest() != self.sha256:
                raise ValueError("it is not the file that the sweep wrote: another SHA-256")
            about = _about(content)
            # Halves and bytes of other makes have no NumPy type.
            return Contents(tensors=load(content), about=about)
        except KeyError as error:
            raise UnreadError(f"{self.path} cannot be read (a tensor of type {error})") from error
        except (OSError, SafetensorError, ValueError, RecursionError) as error:
            raise UnreadError(f"{self.path} cannot be read ({reason(error)})") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFiles:
    """The files of tensors in a ``storage``, with the digests that are recorded of them.

    ``models`` are digests by trial_id, ``study`` by the key of the preparation and the name of the
    file; either may lack some, as those of an older sweep do.
    """

    storage: Path
    models: Mapping[str, str] = field(default_factory=dict)
    study: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, storage: str | Path, trials: pd.DataFrame, manifest: Mapping[str, Any] | None = None
    ) -> Self:
        """Those of a sweep.

        Args:
            storage: the directory of the sweep.
        """
        models = {}
        if {"trial_id", "model_sha256"} <= set(trials.columns):
            digests = trials[["trial_id", "model_sha256"]].dropna()
            models = dict(digests.itertuples(index=False, name=None))
        prepared = (manifest or {}).get("preparations") or {}
        study = {
            (key, name): digest
            for key, one in prepared.items()
            for name, digest in (one.get("files") or {}).items()
            if digest
        }
        return cls(storage=folder(storage), models=models, study=study)

    def model(self, trial_id: str, name: str) -> TensorFile:
        """The model ``name`` of a trial."""
        path = self.storage / "models" / trial_id / f"{name}.safetensors"
        return TensorFile(path=path, sha256=self.models.get(trial_id))

    def prepared(self, key: object, name: str) -> TensorFile:
        """The file ``name`` that the preparation ``key`` left.

        Raises:
            UnreadError: ``key`` is no name of a folder.
        """
        if not isinstance(key, str) or Path(key).name != key:
            raise UnreadError(f"{self.storage / 'study'} has no preparation {str(key)[:60]!r}")
        path = self.storage / "study" / key / f"{name}.safetensors"
        return TensorFile(path=path, sha256=self.study.get((key, name)))


def _about(content: bytes) -> Mapping[str, Any]:
    """What the header of a file says of its trial; empty where it says nothing."""
    length = int.from_bytes(content[:_PREFIX], "little")
    if length > bounds.HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes, at most {bounds.HEADER_BYTES} are read")
    header = json.loads(content[_PREFIX : _PREFIX + length])
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    about = json.loads((metadata or {}).get("trial", "{}")) if isinstance(metadata, dict) else {}
    return within(about) if isinstance(about, dict) else {}
