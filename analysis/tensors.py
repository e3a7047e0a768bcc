"""Safetensors files of a sweep: models and files of preparations, verified by SHA-256.

Digests of models are in the tables, those of the study's files in the manifest. The bytes that
were verified are the ones that are parsed.
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

from analysis import bounds, object_stores
from analysis.errors import AnalysisError
from analysis.escapes import within
from analysis.files import folder, read, reason

Array = npt.NDArray[Any]
_PREFIX = 8  # bytes of the length of the header, which is JSON


class UnreadError(AnalysisError):
    """A file of tensors cannot be read; the message gives the path and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Tensors of a file by name, and its metadata ``about`` the trial."""

    tensors: Mapping[str, Array]
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFile:
    """A safetensors file and its expected digest (hex); None if unknown."""

    path: Path
    sha256: str | None = None

    def load(self) -> Contents:
        """Contents of the file, with printable texts.

        Raises:
            UnreadError: it cannot be read, is too large or does not match its digest.
        """
        try:
            content = read(self.path, most=bounds.MODEL_BYTES)
            if self.sha256 and hashlib.sha256(content).hexdigest() != self.sha256:
                raise ValueError("it is not the file that the sweep wrote: another SHA-256")
            about = _about(content)
            # KeyError: bfloat16 and float8 have no NumPy type.
            return Contents(tensors=load(content), about=about)
        except KeyError as error:
            raise UnreadError(f"{self.path} cannot be read (a tensor of type {error})") from error
        except (OSError, SafetensorError, ValueError, RecursionError) as error:
            raise UnreadError(f"{self.path} cannot be read ({reason(error)})") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFiles:
    """Files of tensors in a ``storage``, with their recorded digests.

    ``models`` has digests by trial_id, ``study`` by the key of the preparation and the name of the
    file; older sweeps lack some of them.
    """

    storage: Path
    models: Mapping[str, str] = field(default_factory=dict)
    study: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, storage: str | Path, trials: pd.DataFrame, manifest: Mapping[str, Any] | None = None
    ) -> Self:
        """Files of a sweep, with digests from ``trials`` and ``manifest``.

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
        file = f"models/{Path(trial_id).name}/{name}.safetensors"
        object_stores.fetch(self.storage, file)
        return TensorFile(path=self.storage / file, sha256=self.models.get(trial_id))

    def prepared(self, key: object, name: str) -> TensorFile:
        """The file ``name`` of the preparation ``key``.

        Raises:
            UnreadError: ``key`` is not the name of a folder.
        """
        if not isinstance(key, str) or Path(key).name != key:
            raise UnreadError(f"{self.storage / 'study'} has no preparation {str(key)[:60]!r}")
        file = f"study/{key}/{name}.safetensors"
        object_stores.fetch(self.storage, file)
        return TensorFile(path=self.storage / file, sha256=self.study.get((key, name)))


def _about(content: bytes) -> Mapping[str, Any]:
    """Metadata of the trial in the header of a file; empty without any."""
    length = int.from_bytes(content[:_PREFIX], "little")
    if length > bounds.HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes, at most {bounds.HEADER_BYTES} are read")
    header = json.loads(content[_PREFIX : _PREFIX + length])
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    about = json.loads((metadata or {}).get("trial", "{}")) if isinstance(metadata, dict) else {}
    return within(about) if isinstance(about, dict) else {}
