"""Models of completed trials, read from a storage with the checksums of its log."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from hedgecore.protocols import Json, Tensors
from hedgecore.training.run import unpacked
from sweeps.errors import UsageError
from sweeps.journal import bounds
from sweeps.journal.files import read
from sweeps.journal.layout import check_name
from sweeps.journal.state import TrialState
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.next_command import next_command


def load_model(storage: str | Path, trial_id: str) -> Any:
    """Trained model of a completed trial, for use on new data.

    A :class:`hedgecore.hedging.hedge.Hedge` for a sweep of tickets, whose ``positions`` are shares
    on any paths; a :class:`hedgecore.insurance.classifier.Classifier` for an X-NN, whose
    ``predict`` classifies rows of a table.

    Args:
        storage: folder of a sweep, which is only read; it may still run.
        trial_id: a unique prefix of the trial's id.
    Raises:
        UsageError: no such storage or trial, with the nearest ids; a trial without a model; a
            model that does not match the log; or an experiment whose models cannot be loaded.
    """
    sweep = StoredSweep.read(storage)
    return loaded_model(sweep, stored_trial(sweep, trial_id))


def stored_trial(sweep: StoredSweep, prefix: str) -> TrialState:
    """The only trial whose id begins with ``prefix``; see :meth:`StoredSweep.find`."""
    trial_id, core = sweep.find(prefix)
    return sweep.states[core].trials[trial_id]


def loaded_model(sweep: StoredSweep, trial: TrialState) -> Any:
    """Model of ``trial``; see :func:`load_model`."""
    if sweep.experiment.load is None:
        raise UsageError(
            f"models of experiment {sweep.experiment.name!r} cannot be loaded; give its "
            "Experiment a load"
        )
    return sweep.experiment.load(sweep.plan(trial).study, *read_model(sweep, trial))


def completed_advice(sweep: StoredSweep) -> str:
    """Advice to somebody who needs a completed trial: its id, or the command that yields one."""
    for trial_id, trial in sweep.state.rows():
        if trial.ended == "completed":
            return f"choose one that is completed, such as {trial_id}"
    trials = Counter[str](trial.ended or "unfinished" for trial in sweep.state.trials.values())
    if trials["failed"] and not trials["unfinished"]:
        return next_command(sweep.storage, trials)
    waiting = "wait for one" if sweep.driver else "run the same hedgesweep run command again"
    return f"none is completed yet: {waiting}"


def read_model(sweep: StoredSweep, trial: TrialState) -> tuple[Tensors, Json]:
    """Tensors and metadata of the model file of ``trial``, with the sha256 in the log.

    Raises:
        UsageError: the trial has no model, or its file is not the one that the log names.
    """
    try:
        return unpacked(model_content(sweep, trial))
    except SafetensorError as error:
        raise UsageError(
            f"the model of trial {trial.entry.trial_id} is not a model, though the log names it; "
            "restore the storage from a copy"
        ) from error


def model_content(sweep: StoredSweep, trial: TrialState) -> bytes:
    """Bytes of the model file of ``trial``, with the sha256 in the log; see :func:`read_model`."""
    trial_id, sha256 = trial.entry.trial_id, trial.end.model if trial.end else None
    if not sha256:
        raise UsageError(
            f"trial {trial_id} has no model: it was stopped, failed or still trains; "
            f"{completed_advice(sweep)}"
        )
    folder = sweep.storage / "models" / check_name("trial", trial_id)
    path = folder / sweep.experiment.model_file
    cure = "run the same hedgesweep run command again to train it, or restore it from a copy"
    try:
        content = read(path, most=bounds.TENSORS, root=sweep.storage)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); {cure}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UsageError(f"{path} is not the model that the log names; {cure}")
    return content
