"""Evaluation of the trained models of a sweep under other tests, without training.

Every completed model is tested as its trial was, with other settings of ``study.evaluation``. The
rows go to a table of their own beside the sweep's, which stays as it is.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hedgecore.arithmetic import arithmetic
from hedgecore.config import ConfigError, digest, from_mapping, to_mapping
from hedgecore.experiment import Preparation, Study
from hedgecore.threads import one_thread
from hedgecore.training.snapshot import BEST
from search_spaces.messages import Places
from search_spaces.overrides import apply, listed
from sweeps.errors import UsageError
from sweeps.execution.worker import device_for
from sweeps.inspection.evaluation_table import Draft, Metrics, stored_rows, write_rows
from sweeps.inspection.models import completed_advice, read_model
from sweeps.journal.code_identity import code_identity
from sweeps.journal.lines import strict_json
from sweeps.journal.opening import storage_url
from sweeps.journal.preparations import StoredPreparation
from sweeps.journal.records import fields
from sweeps.journal.state import TrialState, cell
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.planning.plan import TrialPlan
from sweeps.planning.validation import trial_study
from sweeps.text import plural

# Their estimate is prepared with the data of a seed.
_PREPARED = ("control_variate", "control_paths")
_NOT_TESTED = {"status", "seconds", "model", "truncated", "diverged", "error"}


_MOST_ROWS, _MOST_COLUMNS = 40, 6  # of the printed table
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Test metrics of every completed trial under other settings.

    Args:
        path: the table.
        rows: one per trial: its id, its axes as ``config/AXIS``, and its metrics.
        settings: settings of ``study.evaluation`` that differ from the sweep's, by name.
        reused: whether the table was there already.
        equal: number of metrics that the sweep has too, equal to the last bit.
        changed: columns that the sweep has too, with other values.
        added: columns that the sweep has not.
    """

    path: Path
    rows: tuple[Metrics, ...]
    settings: Metrics
    reused: bool
    equal: int
    changed: tuple[str, ...]
    added: tuple[str, ...]

    def lines(self) -> list[str]:
        """The table as text, then its file and its agreement with the sweep."""
        axes = [name for name in self.rows[0] if name.startswith("config/")]
        new = [*self.added, *self.changed]
        shown = [*axes, *new[:_MOST_COLUMNS]]
        table = [["trial", *(name.removeprefix("config/") for name in shown)]]
        for row in self.rows[:_MOST_ROWS]:
            table.append([row["trial_id"], *(_text(row.get(name)) for name in shown)])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        texts = ["  ".join(map(str.rjust, line, widths)) for line in table]
        if (more := len(self.rows) - _MOST_ROWS) > 0:
            texts.append(f"and {plural(more, 'row')} more in the file")
        if (more := len(new) - _MOST_COLUMNS) > 0:
            texts.append(f"and {plural(more, 'column')} more in the file")
        texts.append(f"{'read again from' if self.reused else 'written to'} {self.path}")
        agreement = f"metrics equal to those of the sweep to the last bit: {self.equal:,}"
        if self.changed:
            agreement += f"; with other values: {', '.join(self.changed)}"
        return [*texts, agreement]


def evaluate(
    storage: str | Path,
    overrides: Mapping[str, Any] | Iterable[str],
    *,
    out: str | Path | None = None,
) -> Evaluation:
    """Test every completed model of ``storage`` under other settings, without training.

    It runs in this process, on one thread of torch, also while a driver runs. An evaluation of the
    same models with the same settings is read from its table, and one that was interrupted is
    continued.

    Args:
        storage: folder of a sweep, or its URL.
        overrides: settings by dotted key below ``study.evaluation``, such as
            ``{"study.evaluation.path_pgd": [0.1, 0.5]}``, or texts KEY=VALUE.
        out: Parquet file to write, a new one or that of the same evaluation; ``evaluations/`` in
            the storage, named by its content, if None.
    Raises:
        UsageError: no such storage, or one without a completed model; a key that is no setting of
            the evaluation, or that is prepared with the data; or a model or data that are not
            those of the log; or an ``out`` that exists with other content or has no folder.
        SpaceError: an override cannot be read.
        WriteError: the table cannot be written.
    """
    url = storage_url(storage)
    if url and out is None:
        raise UsageError(f"{url} is on an object store; name a file for the table by --out")
    sweep = StoredSweep.read(storage)
    study = _other_study(sweep, overrides)
    settings = _settings(sweep, study)
    trials = {
        trial_id: trial
        for trial_id, trial in sweep.state.rows()
        if trial.ended == "completed" and trial.end and trial.end.model
    }
    if not trials:
        raise UsageError(f"{storage} has no model to evaluate; {completed_advice(sweep)}")
    about = {
        "format": _FORMAT,
        "evaluation": to_mapping(study)["evaluation"],
        "models": {i: trial.end.model for i, trial in trials.items() if trial.end},
        "core": code_identity(sweep.experiment.name),
        "arithmetic": arithmetic().id,
    }
    about = json.loads(json.dumps(about))
    name = f"{digest(about)[:16]}.parquet"
    path = Path(out).expanduser() if out else sweep.storage / "evaluations" / name
    rows = stored_rows(path, about)
    reused = rows is not None
    if rows is None and out is not None:  # before the models are tested
        if os.path.lexists(path):
            raise UsageError(
                f"{path} exists, with other content; give another --out, or remove it"
            )
        if not path.absolute().parent.is_dir():
            raise UsageError(f"{path.parent} is no folder; make it, or give another --out")
    if rows is None:
        part = None if url else sweep.storage / "evaluations" / f"{name}.part"
        draft = Draft(part, about, sweep.experiment, root=sweep.storage)
        with draft.kept():
            for row in _rows(sweep, study, {i: trials[i] for i in trials if i not in draft.rows}):
                draft.add(row)
            rows = tuple(draft.rows[i] for i in trials)
            write_rows(path, rows, about, sweep.experiment, root=None if out else sweep.storage)
    equal, changed, added = _agreement(rows, trials)
    return Evaluation(
        path=path,
        rows=rows,
        settings=settings,
        reused=reused,
        equal=equal,
        changed=changed,
        added=added,
    )


def _other_study(sweep: StoredSweep, overrides: Mapping[str, Any] | Iterable[str]) -> Study:
    """Study of the sweep with other settings of its evaluation."""
    study = to_mapping(sweep.study)
    if "evaluation" not in study:
        raise UsageError(f"experiment {sweep.experiment.name!r} has no settings of an evaluation")
    changes = listed(overrides)
    tree, _ = apply({"study": study, "space": {}}, Places(), changes)
    other: Any = tree["study"]
    outside = {**other, "evaluation": None} != {**study, "evaluation": None}
    settings = other["evaluation"] if isinstance(other, dict) else None
    if outside or len(tree) > 2 or tree["space"] or not isinstance(settings, dict):
        known = ", ".join(f"study.evaluation.{name}" for name in list(study["evaluation"])[:4])
        raise UsageError(
            f"an evaluation changes settings of study.evaluation only, such as {known}; anything "
            "else needs another sweep"
        )
    changed = [n for n, v in settings.items() if n in _PREPARED and v != study["evaluation"][n]]
    if changed:
        raise UsageError(
            f"study.evaluation.{changed[0]} takes effect when a seed is prepared; run the space "
            "with it into another --storage"
        )
    for axis in sweep.manifest["space"]:
        if axis.startswith("evaluation."):
            raise UsageError(f"{axis} is an axis of the sweep; it has its own value in each trial")
    try:
        changed_study: Study = from_mapping(sweep.experiment.study, other)
        return changed_study
    except ConfigError as error:
        raise UsageError(f"study.{error.key}: {error.problem}") from error


def _settings(sweep: StoredSweep, study: Study) -> dict[str, Any]:
    before, now = (to_mapping(s)["evaluation"] for s in (sweep.study, study))
    return {name: value for name, value in now.items() if value != before[name]}


def _rows(
    sweep: StoredSweep, study: Study, trials: Mapping[str, TrialState]
) -> Iterator[dict[str, Any]]:
    """Rows of ``trials`` as they are tested, with one preparation in memory at a time."""
    gpu = sweep.manifest["resources"]["gpu"]
    if gpu and not torch.accelerator.is_available():
        raise UsageError("the sweep was computed on a GPU; evaluate it where there is one")
    one_thread()
    plans = {trial_id: sweep.plan(trial) for trial_id, trial in trials.items()}
    for key in dict.fromkeys(plan.preparation for plan in plans.values()):
        members = {i: plan for i, plan in plans.items() if plan.preparation == key}
        filed = sweep.filed(key, sweep.core)
        if filed is None:
            raise UsageError(
                f"{sweep.storage / 'study' / key} is missing; restore it from a copy, or run the "
                "same hedgesweep run command again to prepare it"
            )
        preparation: Preparation | None = None
        for trial_id, plan in members.items():
            other = trial_study(study, plan.config)
            preparation = preparation or _prepared(sweep, filed, plan, other)
            trial = trials[trial_id]
            axes = {f"config/{axis}": cell(value) for axis, value in trial.config.items()}
            metrics = _tested(sweep, trial, other, preparation, gpu=gpu)
            yield {"trial_id": trial_id, **axes, **metrics}


def _prepared(
    sweep: StoredSweep, filed: StoredPreparation, plan: TrialPlan, study: Study
) -> Preparation:
    """The preparation ``filed``, with the data that the evaluation of ``study`` needs."""
    # Its own data first, which must be those of the log.
    preparation = filed.restore(sweep.experiment, plan.study)
    restore = sweep.experiment.trainer.restore
    if restore is None:
        return preparation
    facts = filed.facts
    other: Preparation = restore(study, seed=facts.seed, about=facts.about, files=filed.files)
    return other


def _tested(
    sweep: StoredSweep, trial: TrialState, study: Study, preparation: Preparation, *, gpu: float
) -> Metrics:
    """Test metrics of the model of ``trial``."""
    tensors, _ = read_model(sweep, trial)
    # Copies: tensors read from a file may be unaligned. In the order of the network, on which sums
    # over parameters depend.
    theta = {n: tensors[n].clone() for n in preparation.files["theta_0"] if n in tensors}
    masks = {n: tensor for n, tensor in tensors.items() if n.startswith("mask.")}
    training = sweep.experiment.trainer.train(
        study,
        preparation,
        device=device_for(gpu),
        resume={**{BEST + n: value for n, value in theta.items()}, **masks},
    )
    columns: Metrics = strict_json(training.assess(theta, ()).columns)
    return columns


def _agreement(
    rows: Iterable[Metrics], trials: Mapping[str, TrialState]
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Number of metrics equal to the sweep's, columns with other values, and further columns."""
    equal, changed, added = 0, dict[str, None](), dict[str, None]()
    for row in rows:
        end = trials[row["trial_id"]].end
        recorded = {n: v for n, v in fields(end).items() if n not in _NOT_TESTED} if end else {}
        for name, value in row.items():
            if name == "trial_id" or name.startswith("config/"):
                continue
            if name not in recorded:
                added[name] = None
            # repr distinguishes 0.0 from -0.0, as the bits do.
            elif repr(recorded[name]) == repr(value):
                equal += 1
            else:
                changed[name] = None
    return equal, tuple(changed), tuple(added)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
