"""Protocols of an experiment: study, preparation, and the run of a trial.

A sweep uses only these protocols: it knows neither the network nor the meaning of its numbers.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable

if TYPE_CHECKING:  # counting trials must not import torch
    from torch import Tensor

Json = dict[str, Any]
Tensors = Mapping[str, "Tensor"]


@runtime_checkable
class Study(Protocol):
    """Everything that determines a trial except its seed; equal studies compare and hash equal."""

    @property
    def training(self) -> Any:
        """Training settings: at least ``epochs`` and ``lr``."""

    def with_axes(self, values: Mapping[str, Any]) -> Self:
        """This study with the axes of one trial set, by short name or dotted path.

        Raises:
            ConfigError: an unknown axis, or a value invalid in the study.
        """

    def shared_study(self) -> Self:
        """Part of the study that a preparation depends on; trials with equal parts share one."""

    def base_study(self) -> Self:
        """Shared study of the preparation to extend; the shared study itself if there is none."""


@runtime_checkable
class Preparation(Protocol):
    """State shared by the trials of one seed; immutable."""

    @property
    def seed(self) -> int:
        """Seed of every random stream of the trials."""

    @property
    def about(self) -> Json:
        """Plain data: everything that is not a tensor."""

    @property
    def files(self) -> Mapping[str, Tensors]:
        """Results of training, by file name, and ``theta_0``, where all trials start.

        The order of tensors is kept: sums over parameters depend on it.
        """

    @property
    def inputs(self) -> Tensors:
        """Inputs that are recomputed from study and seed, such as data."""

    @property
    def data_sha256(self) -> str:
        """Fingerprint of the data."""

    @property
    def columns(self) -> Json:
        """Columns of every trial's row."""

    @property
    def baselines(self) -> Mapping[str, Mapping[str, float | None]]:
        """Metrics of the baselines that trials depend on, by name."""


@runtime_checkable
class Run(Protocol):
    """Running trial: its epochs, and its checkpoint and result after each."""

    facts: Json
    """Columns available before the first epoch."""

    def epochs(self) -> Iterator[Json]:
        """One row per epoch, starting after the checkpoint."""

    def checkpoint(self) -> bytes:
        """State that the rest of the run depends on."""

    def finish(self, *columns: str) -> tuple[Json, bytes | None]:
        """Test metrics, the validation ``columns`` that a search requests, and the model."""


S = TypeVar("S", bound=Study)
P = TypeVar("P", bound=Preparation)
