"""Experiment: the interface between the scheduler and the trainer of a sweep.

An experiment has a study (everything fixed except the seed), a preparation (shared by the trials
of a seed) and runs (one per trial). It must provide its study and a
:class:`.training.run.Trainer`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal

from hedgecore.columns import Columns
from hedgecore.config import from_mapping
from hedgecore.protocols import Json, P, Run, S, Tensors
from hedgecore.protocols import Preparation as Preparation
from hedgecore.protocols import Study as Study

if TYPE_CHECKING:  # counting trials must not import torch
    from hedgecore.training.run import Trainer

Direction = Literal["min", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Generic[S]):
    """Axes of a study, and the columns by which a search or scheduler may compare its trials.

    Args:
        axes: dotted paths of the axes with a short name.
        directions: metrics of an epoch by which trials may be compared, and the better direction.
        maximised: further columns of a completed trial that a search may maximise; none is of the
            test.
        validated: those of them that :meth:`Run.finish` computes only on request.
        tested: columns of the test, hidden from searches.
        advice: how to obtain an unknown column, if possible; begins with a semicolon.
        is_candidate: True if a trial of this configuration may be the best of its group; controls
            may not.
        affects: True if the objectives of a search depend on a path of the study.
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
        """Columns that a search may optimise, and the better direction."""
        return {**self.directions, **dict.fromkeys(self.maximised(study), "max")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(Generic[S]):
    """Cost model of a study: arithmetic and memory, by which measured times are scaled.

    By default every study is timed itself, and its memory counts as negligible.

    Args:
        timing_key: a study with settings that do not affect its time at their defaults; equal keys
            have equal times per epoch.
        epoch_work: multiply-adds of an epoch.
        test_work: multiply-adds of :meth:`Run.finish`.
        setup_work: cost of a preparation besides epochs and a test, in any unit.
        data_bytes: bytes of the data of a preparation.
        stored_bytes: bytes of a preparation in the object store, excluding those of its base.
        trained: networks that a preparation trains in addition to its base, each as a trial's
            study.
        drawn_epochs: epochs of networks that a trial trains before its own.
        reduced: timing keys of one preparation, smaller if the heaviest exceeds ``most``
            multiply-adds; their preparation trains one epoch, as timing needs no trained baseline.
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
    """Descriptions of an experiment for messages and reports.

    Args:
        prepared: contents of a preparation: "data, theta_0, dense baseline".
        baseline: the part that may diverge: "the dense baseline".
        baseline_lr: key of its learning rate: "study.dense.lr".
        data: the part that takes memory: "paths".
        loss: selection criterion: "validation risk".
        groups: axes; every combination of their values has a best trial.
        companion_axis: an axis that is shown with that trial.
        describe_preparation: one line on a preparation, from its ``about``.
        warnings: faults of the data of a preparation, one line each, from its ``about``.
        data_warnings: the same before anything is prepared, from a study and a seed; for a plan.
        machine_warnings: one line for each lack of this machine that makes training slow.
        describe_epoch: data and network of an epoch: "8192 paths, network 64-64".
        describe_result: a few words on a completed trial, from its row.
        describe_study: phrases on a study in the units of its user, by heading of 9 letters at
            most: {"option": ["a call at 100", "30 days"]}.
        improbable: settings of a study that are probably a slip, one line each by dotted key.
    """

    prepared: str = "data, theta_0"
    baseline: str = "the baseline"
    baseline_lr: str = "study.training.lr"
    data: str = "data"
    loss: str = "validation loss"
    groups: tuple[str, ...] = ()
    companion_axis: str = "training.lr"
    describe_preparation: Callable[[Json], str] = lambda about: "prepared"
    warnings: Callable[[Json], Sequence[str]] = lambda about: ()
    data_warnings: Callable[[S, int], Sequence[str]] = lambda study, seed: ()
    machine_warnings: Callable[[], Sequence[str]] = lambda: ()
    describe_epoch: Callable[[S], str] = lambda study: "the training data"
    describe_result: Callable[[Mapping[str, Any]], str] = lambda row: (
        f"validation loss {row['val_loss']:.4g}"
    )
    describe_study: Callable[[S], Mapping[str, Sequence[str]]] = lambda study: {}
    improbable: Callable[[S], Mapping[str, str]] = lambda study: {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """Exported model, without tensors that only training or analysis needs.

    Args:
        architecture: name of its layout.
        sizes: arguments of the layout.
        tensors: weights, and the constants that turn a row of data into inputs.
        facts: other information needed for use, such as the names of the inputs.
    """

    architecture: str
    sizes: Mapping[str, Any]
    tensors: Tensors
    facts: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Trained network as a function of one matrix, for exporters of torch modules.

    Args:
        module: torch module from [rows, inputs] to its output, both float32.
        inputs: names of the columns.
        output: name of the output.
        centre: [inputs]; typical values of the columns.
        scale: [inputs]; their typical distances from them.
    """

    module: Any
    inputs: Sequence[str]
    output: str
    centre: Any
    scale: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment(Generic[S, P]):
    """Everything a sweep needs for one name of ``experiment:`` in a YAML space.

    Args:
        name: its name in a space.
        study: the dataclass of the block ``study``.
        trainer: functions that prepare and train.
        data_files: paths of the files that the preparation of a study reads. A sweep reads them
            once, where its driver runs, and gives their bytes by path to ``prepare`` and
            ``restore``, as ``contents``.
        columns: columns of its tables, in addition to those of every experiment.
        search: axes and columns available to a search.
        cost: cost model.
        wording: descriptions for messages.
        model_file: file name of a trained model.
        deployed: content of a model's bundle, from the study of its trial and the tensors and
            metadata of its file; None where models are not sealed.
        objection: reason not to deploy a completed trial, from its row and the metrics of its
            baselines by name; None without one.
        load: a trained model for use on new data, from the study of its trial and the tensors and
            metadata of its file, or the tensors and facts of its bundle; None where there is none.
        c_source: C source of a loaded model, with lines on its origin by name for its comment;
            None where models are not exported.
        graph: network of a loaded model as a torch module; None where it is not exported.
        latencies: size and latency of every one of some loaded models, a dataclass each, or None
            where this machine cannot measure them; None where they have no latency.
        profile: plain data on a loaded model for the figures of a report, from the model, the
            dense network of its preparation and the ``seed``; None where there are none.
    """

    name: str
    study: type[S]
    trainer: "Trainer[S, P]"
    data_files: Callable[[S], Collection[str]] = lambda study: ()
    columns: Columns = field(default_factory=Columns)
    search: Search[S] = field(default_factory=Search)
    cost: Cost[S] = field(default_factory=Cost)
    wording: Wording[S] = field(default_factory=Wording)
    model_file: str = "model.safetensors"
    deployed: Callable[[S, Tensors, Json], Deployed] | None = None
    objection: Callable[[Mapping[str, Any], Mapping[str, Any]], str | None] = (
        lambda row, baselines: None
    )
    load: Callable[[S, Tensors, Json], Any] | None = None
    c_source: Callable[[Any, Mapping[str, Any]], str] | None = None
    graph: Callable[[Any], Graph] | None = None
    latencies: Callable[[Sequence[Any]], Sequence[Any] | None] | None = None
    profile: Callable[..., Json] | None = None

    def open_run(
        self, trial: Mapping[str, Any], checkpoint: bytes | None, *, preparation: P, device: str
    ) -> Run:
        """Run of ``trial`` (configuration, study and identity, as plain data) on ``device``.

        It resumes from the ``checkpoint`` of an earlier run; without one it begins at theta_0.
        """
        from hedgecore.training.run import TrialRun  # torch takes a second to import

        study = from_mapping(self.study, trial["study"])
        return TrialRun(
            self.trainer, study, trial, checkpoint, preparation=preparation, device=device
        )
