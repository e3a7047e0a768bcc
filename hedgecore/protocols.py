"""Protocols of an experiment: study, preparation, and the run of a trial.

A sweep knows these and nothing else: neither what a network is, nor what its numbers mean.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable

if TYPE_CHECKING:  # counting trials should not wait for torch
    from torch import Tensor

Json = dict[str, Any]
Tensors = Mapping[str, "Tensor"]


@runtime_checkable
class Study(Protocol):
    """All that determines a trial but its seed; equal studies are equal and hash alike."""

    @property
    def training(self) -> Any:
        """How long and how fast: has at least ``epochs`` and ``lr``."""

    def with_axes(self, values: Mapping[str, Any]) -> Self:
        """This study with the axes of one trial set, by short name or dotted path.

        Raises:
            ConfigError: an unknown axis, or a value that the study cannot hold.
        """

    def shared_study(self) -> Self:
        """The part that a preparation depends on; trials with equal parts share one."""

    def base_study(self) -> Self:
        """The part of it that its base depends on: itself, or that of what it adds to."""


@runtime_checkable
class Preparation(Protocol):
    """What the trials of one seed share; nothing in it is ever written to."""

    @property
    def seed(self) -> int:
        """Names every stream of the trials."""

    @property
    def about(self) -> Json:
        """Plain facts: all of it that is no tensor."""

    @property
    def files(self) -> Mapping[str, Tensors]:
        """What took training, by name of file; ``theta_0``, where all trials start, is among them.

        An order of tensors is kept: sums over parameters depend on it.
        """

    @property
    def inputs(self) -> Tensors:
        """What the study and the seed make again, such as data."""

    @property
    def data_sha256(self) -> str:
        """The identity of the data."""

    @property
    def columns(self) -> Json:
        """What every trial carries in its row."""

    @property
    def baselines(self) -> Mapping[str, Mapping[str, float]]:
        """Metrics of what the trials are to beat, by name."""


@runtime_checkable
class Run(Protocol):
    """A trial on its way: its epochs, and what can be made of it after each."""

    facts: Json
    """Columns that are known before the first epoch."""

    def epochs(self) -> Iterator[Json]:
        """One row an epoch, from the one after the checkpoint."""

    def checkpoint(self) -> bytes:
        """All that the rest of the run depends on."""

    def finish(self, *columns: str) -> tuple[Json, bytes | None]:
        """Test metrics and the validation ``columns`` that a search asks for; the model."""


S = TypeVar("S", bound=Study)
P = TypeVar("P", bound=Preparation)
