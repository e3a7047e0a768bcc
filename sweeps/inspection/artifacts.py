"""Checks of the files that a log names: models, checkpoints and preparations.

Every function returns a summary and a list of faults.
"""

import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from hedgecore.experiment import Experiment
from hedgecore.threads import one_thread
from sweeps.errors import UsageError
from sweeps.journal import bounds, files
from sweeps.journal.checkpoints import Checkpoints
from sweeps.journal.preparations import StoredPreparation
from sweeps.journal.state import TrialState
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.planning.plan import TrialPlan
from sweeps.text import plural


def models(sweep: StoredSweep) -> tuple[str, list[str]]:
    """Check that the models are exactly those that the log names, by sha256."""
    trials = _all(sweep)
    named = {i: trial.end.model for i, trial in trials.items() if trial.end and trial.end.model}
    # A crash may have come after a model was stored and before it was logged.
    excused = {i for i, trial in trials.items() if not trial.end} | sweep.state.running
    faults = _strays(
        sweep.storage / "models",
        f"{{}}/{sweep.experiment.model_file}",
        named,
        required=named,
        excused=excused,
        settled=sweep.driver is None,
    )
    return f"{len(named)} as the log names them", list(faults)


def checkpoints(sweep: StoredSweep) -> tuple[str, list[str]]:
    """Check that every resumable trial has the checkpoint that the log names."""
    if sweep.driver:
        return f"not examined while a driver writes them ({sweep.driver})", []
    filed = Checkpoints(sweep.storage)
    digests = {i: t.checkpoint for i, t in _all(sweep).items() if t.checkpoint}
    named = {filed.path(i, digest).stem: digest for i, digest in digests.items()}
    faults = _strays(
        sweep.storage / "checkpoints",
        "{}.safetensors",
        named,
        required=named.keys(),
        excused=(),
        settled=True,
    )
    return f"{len(named)}, one for each trial that can resume", list(faults)


def study(sweep: StoredSweep) -> tuple[str, list[str]]:
    """Check that every trial started from the stored preparation of its seed, unchanged."""
    faults, trials = [], 0
    for key, plans in _preparations(sweep).items():
        trials += len(plans)
        filed = _filed(sweep, key)
        if isinstance(filed, str):
            faults.append(filed)
            continue
        # Through JSON, as in the record.
        columns = json.loads(json.dumps(filed.facts.row))
        for trial_id in plans:
            entry = sweep.state.trials[trial_id].entry.columns
            differing = [name for name, value in columns.items() if entry.get(name) != value]
            if differing:
                faults.append(f"{differing[0]} of trial {trial_id} is not that of study/{key}")
    return f"{plural(trials, 'trial')} from the stored preparations of their seeds", faults


def data(sweep: StoredSweep) -> tuple[str, list[str]]:
    """Check that the data of every seed and its baseline's results are reproduced."""
    one_thread()
    faults, preparations = [], _preparations(sweep)
    for key, plans in preparations.items():
        filed, plan = _filed(sweep, key), next(iter(plans.values()))
        if not isinstance(filed, str):
            differences = _made_again(sweep.experiment, filed, plan)
            faults += [f"study/{key} {difference}" for difference in differences]
    return f"data and baseline are reproduced, {len(preparations)} of each", faults


def _strays(
    folder: Path,
    pattern: str,
    named: Mapping[str, str],
    *,
    required: Collection[str],
    excused: Collection[str],
    settled: bool,
) -> Iterator[str]:
    """Files below ``folder`` that are missing, changed, or of no trial.

    Args:
        pattern: the path of a trial's file in it, "{}" for its id.
        named: sha256 (hex) that the log names, by trial.
        required: trials whose file must exist.
        excused: trials whose file may be missing or have any content.
        settled: whether no driver can have stored more since the log was read.
    """
    for trial_id in sorted({*named} - {*excused}):
        path = pattern.format(trial_id)
        try:
            content = files.read(folder / path, most=bounds.TENSORS, root=folder.parent)
        except FileNotFoundError:
            if trial_id in required:
                yield f"{folder.name}/{path} is missing"
            continue
        except OSError as error:
            yield f"{folder.name}/{path} cannot be read ({error.strerror})"
            continue
        if (digest := hashlib.sha256(content).hexdigest()) != named[trial_id]:
            yield f"{folder.name}/{path} has sha256 {digest[:8]}, not {named[trial_id][:8]}"
    if settled:
        known_paths = {pattern.format(trial_id) for trial_id in {*named, *excused}}
        for path in sorted({*_files(folder)} - known_paths):
            yield f"{folder.name}/{path} is of no trial in the log"


def _files(folder: Path) -> Iterator[str]:
    """Paths of all files below ``folder``, without following links."""
    try:
        for at, folders, names, fd in os.fwalk(folder):
            inner = Path(at).relative_to(folder)
            links = [name for name in folders if stat.S_ISLNK(os.lstat(name, dir_fd=fd).st_mode)]
            # The next driver removes temporary files that a crash left.
            for name in [*links, *(name for name in names if not name.endswith(".partial"))]:
                yield (inner / name).as_posix()
    except FileNotFoundError:
        return


def _made_again(
    experiment: Experiment[Any, Any], filed: StoredPreparation, plan: TrialPlan
) -> Iterator[str]:
    """Parts of ``filed`` that are not reproduced."""
    try:
        preparation = filed.restore(experiment, plan.study)
    except UsageError as error:
        yield f"cannot be restored: {error}"
        return
    if mismatch := experiment.trainer.mismatch(plan.study, preparation):
        yield mismatch


def _filed(sweep: StoredSweep, key: str) -> StoredPreparation | str:
    """The preparation ``key``, or its fault."""
    try:
        filed = sweep.filed(key, sweep.core)
    except UsageError as error:
        fault = str(error).partition(";")[0]
        return fault.replace(f"{sweep.storage / 'study' / key}", f"study/{key}")
    return filed or f"study/{key} is missing or of other code"


def _preparations(sweep: StoredSweep) -> dict[str, dict[str, TrialPlan]]:
    """Trials of the last code identity, by preparation."""
    groups: dict[str, dict[str, TrialPlan]] = {}
    for trial_id, trial in sweep.state.trials.items():
        plan = sweep.plan(trial)
        groups.setdefault(plan.preparation, {})[trial_id] = plan
    return groups


def _all(sweep: StoredSweep) -> dict[str, TrialState]:
    """Trials of every code identity, since all their files are kept."""
    return {i: trial for state in sweep.states.values() for i, trial in state.trials.items()}
