"""Experiment: the border between the scheduler and the trainer of a sweep.

Whatever is swept has a study (all that is fixed but the seed), a preparation (what the trials of a
seed share) and runs (one a trial). A sweep knows these and nothing else: neither what a network
is, nor what its numbers mean.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar, runtime_checkable

from hedgecore.columns import Columns

if TYPE_CHECKING:  # who only counts trials should not have to wait for torch
    from torch import Tensor

Direction = Literal["min", "max"]
Json = dict[str, Any]
Tensors = Mapping[str, "Tensor"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How an experiment is spoken of.

    Args:
        prepared: what a preparation takes: "data, theta_0, dense baseline".
        baseline: what of it may diverge: "the dense baseline".
        baseline_lr: where its learning rate is set: "study.dense.lr".
        data: what of it weighs: "paths".
        loss: what is selected by: "validation risk".
        groups: axes of which every pair has a best trial.
        beside: an axis that is shown with it.
    """

    prepared: str
    baseline: str
    baseline_lr: str
    data: str
    loss: str
    groups: tuple[str, str]
    beside: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A model as it leaves a sweep, without what only a training or an inquiry needs.

    Args:
        architecture: name of its layout.
        sizes: what the layout depends on.
        tensors: weights, and all that turns a row of data into their inputs.
        facts: what else is needed to use them, such as the names of the inputs.
    """

    architecture: str
    sizes: Mapping[str, Any]
    tensors: Tensors
    facts: Json


S = TypeVar("S", bound=Study)
P = TypeVar("P", bound=Preparation)


class Experiment(Protocol[S, P]):
    """What may be swept: ``experiment:`` of a YAML space."""

    @property
    def study(self) -> type[S]:
        """The dataclass behind the block ``study``."""

    @property
    def axes(self) -> Mapping[str, str]:
        """Dotted paths of the axes that have a short name."""

    @property
    def directions(self) -> Mapping[str, Direction]:
        """Metrics of an epoch that trials may be compared by, and which way is better."""

    @property
    def wording(self) -> Wording:
        """How to speak of it."""

    @property
    def model_file(self) -> str:
        """Name of the file of a trained model."""

    @property
    def columns(self) -> Columns:
        """Columns of its tables."""

    # What a search may see.

    def objectives(self, study: S) -> Mapping[str, Direction]:
        """Columns that a search may improve; no number of the test is among them."""

    def validated(self, study: S) -> Collection[str]:
        """Those of them that :meth:`Run.finish` computes only if asked."""

    def tested(self, study: S) -> Collection[str]:
        """Columns of the test, which no search may see."""

    def advice(self, column: str) -> str:
        """How to get an unknown ``column``, if it is known how; begins with a semicolon."""

    def contends(self, config: Mapping[str, Any]) -> bool:
        """Whether a trial may be the best of its group; a control may not, however good."""

    def matters(self, path: str, objectives: Collection[str]) -> bool:
        """Whether what a search sees of a trial depends on ``path`` of the study."""

    # What runs.

    def prepare(self, study: S, *, seed: int, base: P | None = None) -> P:
        """Prepare ``seed``; all that it depends on is in ``study.shared_study()``.

        Args:
            study: of any trial.
            seed: names every stream.
            base: the preparation of ``study.base_study()``, if there is one already.
        Raises:
            DivergedError: a baseline does not train.
            ValueError: the data cannot be had, or not be worked on; one line with the cure.
        """

    def check_data(self, study: S) -> None:
        """Refuse data that :meth:`prepare` will not find, as far as can be seen at once.

        Raises:
            ConfigError: a file that is missing, or of another kind.
        """

    def restore(
        self,
        study: S,
        *,
        seed: int,
        about: Json,
        files: Mapping[str, Tensors],
        base: P | None = None,
    ) -> P:
        """What :meth:`prepare` returned, its inputs made again."""

    def assemble(
        self, *, seed: int, about: Json, files: Mapping[str, Tensors], inputs: Tensors
    ) -> P:
        """A preparation from all of its parts."""

    def doubt(self, study: S, preparation: P) -> str | None:
        """What of a restored preparation does not come out again: "holds a ..", or None."""

    def told(self, about: Json) -> str:
        """What there is to say of a preparation, in one line."""

    def ending(self, row: Mapping[str, Any]) -> str:
        """What there is to say of a completed trial, in a few words."""

    def open_run(
        self,
        trial: Mapping[str, Any],
        checkpoint: bytes | None,
        *,
        preparation: P,
        device: str,
    ) -> Run:
        """The run of ``trial``: configuration, study and identity, as plain data.

        Args:
            trial: what is to run.
            checkpoint: where an earlier run of it was; None to begin at theta_0.
            preparation: what the trials of its seed share.
            device: where to train.
        """

    def deployed(self, study: S, tensors: Tensors, trial: Json) -> Deployed:
        """What of a trained model is put into a bundle.

        Args:
            study: of its trial.
            tensors: of its file.
            trial: what the file says of it.
        """

    # What it costs.

    def extent(self, study: S) -> str:
        """What an epoch goes over: "8192 paths, network 64-64"."""

    def kind(self, study: S) -> S:
        """``study`` with all that takes no time at its default."""

    def epoch_work(self, study: S) -> float:
        """Multiply-adds of an epoch."""

    def test_work(self, study: S) -> float:
        """Multiply-adds of what :meth:`Run.finish` does."""

    def setup_work(self, study: S) -> float:
        """What a preparation takes beside epochs and a test, in any unit."""

    def data_bytes(self, study: S) -> int:
        """Bytes of the data of a preparation."""

    def stored_bytes(self, study: S) -> int:
        """Bytes of a preparation in the object store, beyond what it has from its base."""

    def trained(self, study: S) -> Sequence[S]:
        """Networks that the preparation trains beyond its base, each as the study of a trial."""

    def drawn_epochs(self, study: S) -> int:
        """Epochs of networks that a trial trains before its own."""

    def reduced(self, kinds: Sequence[S], *, most: float) -> list[S]:
        """``kinds`` of one preparation, smaller if the heaviest takes over ``most`` multiply-adds.

        Their preparation trains one epoch: times need no trained baseline.
        """
