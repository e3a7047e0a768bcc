"""Run a sweep: prepare each seed once, let Ray Tune schedule the trials, keep every row."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune

from hedgecore.config import to_mapping
from search_spaces import SearchSpace
from sweeps import manifest
from sweeps.asha import StratifiedAsha
from sweeps.errors import PreparationError, UsageError
from sweeps.planning import Plan, TrialPlan, plan
from sweeps.progress import Progress, State, default
from sweeps.recorder import Recorder
from sweeps.runtime import runtime
from sweeps.shared import Facts, Filed, Shared, collect, prepare_task
from sweeps.sink import Sink, TrialLog
from sweeps.trainables import device_for, train_trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep that ended: where its results are, and how its trials did."""

    storage: Path
    plan: Plan
    trials: Mapping[str, TrialLog]
    left: int
    """Trials of the plan that are not finished."""
    seconds: float

    @property
    def counts(self) -> Mapping[str, int]:
        """Trials by status."""
        return Counter(log.end["status"] if log.end else "running" for log in self.trials.values())


def run(
    space: str | Path | SearchSpace | Plan,
    *,
    storage: str | Path,
    overrides: Mapping[str, Any] | Iterable[str] | None = None,
    max_concurrent: int | None = None,
    address: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Run every trial of ``space`` that ``storage`` does not hold yet.

    Args:
        space: a YAML file, the name of a shipped one, a loaded space, or a plan.
        storage: directory for log, tables, models; made if missing.
        overrides: values by dotted key, such as ``{"study.training.epochs": 20}``.
        max_concurrent: most trials at a time; as many as the cluster holds if None.
        address: a running Ray cluster to join ("auto" finds the one of this machine); by default
            Ray starts here and stops afterwards. A Ray that this process has already initialised
            is used as it is.
        progress: what shows the sweep; chosen by whether there is a terminal if None.
    Raises:
        SpaceError: something is wrong with the space or the overrides; raised before Ray starts.
        UsageError: something is wrong with the storage or the address; raised before any trial.
        PreparationError: a dense baseline diverged.
    """
    planned = plan(space, overrides=overrides)
    if max_concurrent is not None and max_concurrent < 1:
        raise UsageError(f"max_concurrent must be at least 1, got {max_concurrent}")
    storage = Path(storage).expanduser().absolute()
    manifest.check(storage, planned)
    core = manifest.core_version()
    sink = Sink(storage, core=core)
    shown = progress or default()
    began = time.monotonic()
    try:
        for line in planned.lines():
            shown.message(line)
        filed = {
            key: Filed.read(storage / "study" / key, core=core) for key in planned.preparations
        }
        known = {key: made.facts for key, made in filed.items() if made}
        whole = len(known) == len(filed)
        if whole and not _open(trials := _identified(planned, known), sink):
            shown.message("every trial is finished; nothing to run")
            _announce(trials, known, sink)
        else:
            with runtime(address, planned.space.resources):
                prepared = _prepare(planned, filed, storage, core, shown)
                known = {key: shared.facts for key, shared in prepared.items()}
                manifest.write(storage, planned, known)
                trials = _identified(planned, known)
                _announce(trials, known, sink)
                _fit(planned, trials, prepared, sink, shown, max_concurrent, began)
    finally:
        sink.close()
        shown.close()
    return Sweep(
        storage=storage,
        plan=planned,
        trials=_logs(trials, sink),
        left=len(_open(trials, sink)),
        seconds=time.monotonic() - began,
    )


def _prepare(
    planned: Plan,
    filed: Mapping[str, Filed | None],
    storage: Path,
    core: str,
    shown: Progress,
) -> dict[str, Shared]:
    """Every preparation in the object store, made once by a Ray task and filed in the storage."""
    began = time.monotonic()
    tasks: dict[str, Any] = {
        key: prepare_task.remote(
            to_mapping(trial.study.dense_study()), trial.seed, core, filed[key]
        )
        for key, trial in planned.preparations.items()
    }
    new = sum(made is None for made in filed.values())
    if new:
        shown.message(f"preparing {new}: paths, theta_0, training the dense baseline ..")
    prepared: dict[str, Shared] = {}
    failure: PreparationError | None = None
    waiting = {facts: (key, arrays) for key, (facts, arrays) in tasks.items()}
    while waiting:
        # Whichever is ready first is filed first: a failure or an interruption loses no other.
        (facts,), _ = ray.wait(list(waiting))
        key, arrays = waiting.pop(facts)
        try:
            prepared[key] = shared = collect(key, facts, arrays)
        except PreparationError as error:
            failure = error
            continue
        if filed[key] is None:
            Filed.write(storage / "study" / key, shared)
        dense = shared.facts.dense
        shown.message(
            f"{key}: dense baseline has validation risk {dense['val_loss']:.4f}, "
            f"test CVaR 5 % {dense['metrics']['cvar_05']:.3f} (minimum-variance delta "
            f"{dense['baselines']['minimum_variance']['cvar_05']:.3f}), "
            f"{time.monotonic() - began:.0f} s"
        )
    if failure:
        raise failure
    return prepared


def _identified(planned: Plan, facts: Mapping[str, Facts]) -> dict[str, TrialPlan]:
    """The trials of the plan by their ids."""
    gpu = planned.space.resources.gpu > 0
    return {manifest.trial_id(t, facts[t.preparation], gpu=gpu): t for t in planned.trials}


def _open(trials: Mapping[str, TrialPlan], sink: Sink) -> dict[str, TrialPlan]:
    """The trials that are left to run."""
    return {
        i: trial
        for i, trial in trials.items()
        if not (i in sink.trials and sink.trials[i].finished)
    }


def _logs(trials: Mapping[str, TrialPlan], sink: Sink) -> dict[str, TrialLog]:
    """What the log says of ``trials``; the storage may hold others, of a wider space."""
    return {i: sink.trials[i] for i in trials if i in sink.trials}


def _announce(trials: Mapping[str, TrialPlan], facts: Mapping[str, Facts], sink: Sink) -> None:
    """Enter finished trials at their place in the present space."""
    for trial_id, trial in trials.items():
        if trial_id in sink.trials and sink.trials[trial_id].finished:
            sink.append(_about(trial_id, trial, facts[trial.preparation]))


def _about(trial_id: str, trial: TrialPlan, facts: Facts) -> dict[str, Any]:
    about = {"trial_id": trial_id, "index": trial.index, "config": dict(trial.config)}
    return {"type": "trial", **about, **facts.columns}


def _fit(
    planned: Plan,
    trials: Mapping[str, TrialPlan],
    prepared: Mapping[str, Shared],
    sink: Sink,
    shown: Progress,
    max_concurrent: int | None,
    began: float,
) -> None:
    facts = {key: shared.facts for key, shared in prepared.items()}
    todo = _open(trials, sink)
    if not todo:
        return
    resources = planned.space.resources
    trainable = tune.with_resources(
        tune.with_parameters(
            train_trial, preparations=dict(prepared), device=device_for(resources.gpu)
        ),
        {"cpu": resources.cpu, "gpu": resources.gpu},
    )
    announcements = {i: _about(i, trial, facts[trial.preparation]) for i, trial in todo.items()}
    started = time.monotonic()
    recorder = Recorder(
        sink,
        announcements,
        lambda: shown.update(
            State(plan=planned, trials=_logs(trials, sink), began=began, first_trial=started)
        ),
    )
    asha = planned.space.scheduler
    scratch = tempfile.mkdtemp(prefix="hedgesweep-")
    try:
        tune.Tuner(
            trainable,
            param_space={"trial": tune.grid_search([_spec(i, t, facts) for i, t in todo.items()])},
            tune_config=tune.TuneConfig(
                scheduler=StratifiedAsha(asha, planned.stratum) if asha else None,
                max_concurrent_trials=max_concurrent,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=scratch,
                callbacks=[recorder],
                verbose=0,
                # A worker or its node may be lost; a trial's own failures are reported, not
                # raised.
                failure_config=tune.FailureConfig(max_failures=2),
            ),
        ).fit()
    finally:
        recorder.interrupt()
        shutil.rmtree(scratch, ignore_errors=True)


def _spec(trial_id: str, trial: TrialPlan, facts: Mapping[str, Facts]) -> dict[str, Any]:
    """What a worker needs to know of a trial, as plain data."""
    return {
        "trial_id": trial_id,
        "config": dict(trial.config),
        "study": to_mapping(trial.study),
        "preparation": trial.preparation,
        "theta_0_sha256": facts[trial.preparation].theta_0_sha256,
    }
