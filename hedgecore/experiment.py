"""Experiment: the border between the scheduler and the trainer of a sweep.

Whatever is swept has a study (all that is fixed but the seed), a preparation (what the trials of a
seed share) and runs (one a trial). Its study, and a :class:`.training.run.Trainer` that prepares
and trains, are all that an experiment must give.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal

from hedgecore.columns import Columns
from hedgecore.config import from_mapping
from hedgecore.protocols import Json, P, Run, S, Tensors
from hedgecore.protocols import Preparation as Preparation
from hedgecore.protocols import Study as Study

if TYPE_CHECKING:  # counting trials should not wait for torch
    from hedgecore.training.run import Trainer

Direction = Literal["min", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Generic[S]):
    """Axes of a study, and the numbers by which a search or a scheduler may compare its trials.

    Args:
        axes: dotted paths of the axes that have a short name.
        directions: metrics of an epoch that trials may be compared by, and which way is better.
        maximised: columns of a completed trial that a search may improve besides; no number of
            the test is among them.
        validated: those of them that :meth:`Run.finish` computes only if asked.
        tested: columns of the test, which no search may see.
        advice: how to get an unknown column, if it is known how; begins with a semicolon.
        is_candidate: whether a trial of this configuration may be the best of its group; a
            control may not, however good.
        affects: whether what a search sees of a trial, by its objectives, depends on a path of
            the study.
    """

    axes: Mapping[str, str] = field(default_factory=dict)
    directions: Mapping[str, Direction] = field(default_factory=lambda: {"val_loss": "min"})
    maximised: Callable[[S], Collection[str]] = lambda study: ()
    validated: Callable[[S], Collection[str]] = lambda study: ()
    tested: Callable[[S], Collection[str]] = lambda study: ()
    advice: Callable[[str], str] = lambda column: ""
    is_candidate: Callable[[Mapping[str, Any]], bool] = lambda config: True
    affects: Callable[[str, Collection[str]], bool] = lambda path, objectives: True

    def objectives(self, study: S) -> dict[str, Direction]:
        """Columns that a search may improve, and which way is better."""
        return {**self.directions, **dict.fromkeys(self.maximised(study), "max")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(Generic[S]):
    """Arithmetic and memory of a study, by which one study's measured time gives another's.

    By default every study is timed as it is, and is taken to need no memory of note.

    Args:
        timing_key: a study with all that takes no time at its default; equal keys take equally
            long an epoch.
        epoch_work: multiply-adds of an epoch.
        test_work: multiply-adds of what :meth:`Run.finish` does.
        setup_work: what a preparation takes beside epochs and a test, in any unit.
        data_bytes: bytes of the data of a preparation.
        stored_bytes: bytes of a preparation in the object store, beyond what it has from its base.
        trained: networks that a preparation trains beyond its base, each as the study of a trial.
        drawn_epochs: epochs of networks that a trial trains before its own.
        reduced: timing keys of one preparation, smaller if the heaviest takes over ``most``
            multiply-adds; their preparation trains one epoch, as times need no trained baseline.
    """

    timing_key: Callable[[S], S] = lambda study: study
    epoch_work: Callable[[S], float] = lambda study: 1.0
    test_work: Callable[[S], float] = lambda study: 1.0
    setup_work: Callable[[S], float] = lambda study: 1.0
    data_bytes: Callable[[S], int] = lambda study: 0
    stored_bytes: Callable[[S], int] = lambda study: 0
    trained: Callable[[S], Sequence[S]] = lambda study: ()
    drawn_epochs: Callable[[S], int] = lambda study: 0
    reduced: Callable[..., Sequence[S]] = lambda keys, *, most: keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording(Generic[S]):
    """Text for people about an experiment.

    Args:
        prepared: what a preparation takes: "data, theta_0, dense baseline".
        baseline: what of it may diverge: "the dense baseline".
        baseline_lr: where its learning rate is set: "study.dense.lr".
        data: what of it weighs: "paths".
        loss: what is selected by: "validation risk".
        groups: axes of which every combination has a best trial.
        companion_axis: an axis that is shown with that trial.
        describe_preparation: a preparation in one line, from its ``about``.
        describe_epoch: what an epoch goes over: "8192 paths, network 64-64".
        describe_result: a completed trial in a few words, from its row.
    """

    prepared: str = "data, theta_0"
    baseline: str = "the baseline"
    baseline_lr: str = "study.training.lr"
    data: str = "data"
    loss: str = "validation loss"
    groups: tuple[str, ...] = ()
    companion_axis: str = "training.lr"
    describe_preparation: Callable[[Json], str] = lambda about: "prepared"
    describe_epoch: Callable[[S], str] = lambda study: "the training data"
    describe_result: Callable[[Mapping[str, Any]], str] = lambda row: (
        f"validation loss {row['val_loss']:.4g}"
    )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment(Generic[S, P]):
    """All that may be swept under one name, ``experiment:`` of a YAML space.

    Args:
        name: what a space calls it.
        study: the dataclass behind the block ``study``.
        trainer: what computes.
        columns: columns of its tables, beside those of every experiment.
        search: what a search may vary and see.
        cost: what it takes.
        wording: how to speak of it.
        model_file: name of the file of a trained model.
        deployed: what of a model is put into a bundle, from the study of its trial, the tensors
            of its file, and what the file says of the trial; None where models are not sealed.
    """

    name: str
    study: type[S]
    trainer: "Trainer[S, P]"
    columns: Columns = field(default_factory=Columns)
    search: Search[S] = field(default_factory=Search)
    cost: Cost[S] = field(default_factory=Cost)
    wording: Wording[S] = field(default_factory=Wording)
    model_file: str = "model.safetensors"
    deployed: Callable[[S, Tensors, Json], Deployed] | None = None

    def open_run(
        self, trial: Mapping[str, Any], checkpoint: bytes | None, *, preparation: P, device: str
    ) -> Run:
        """The run of ``trial`` (configuration, study and identity, as plain data) on ``device``.

        It goes on at the ``checkpoint`` of an earlier run; without one it begins at theta_0.
        """
        from hedgecore.training.run import TrialRun  # torch takes a second to import

        study = from_mapping(self.study, trial["study"])
        return TrialRun(
            self.trainer, study, trial, checkpoint, preparation=preparation, device=device
        )
