"""Run a sweep: prepare each seed once, let Ray Tune schedule the trials, keep every row."""

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Read by Ray when it is imported: our own rows replace its loggers and reporter, relative paths
# stay relative, and workers run at the priority of whoever started them.
for _name, _value in {
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_worker_niceness": "0",
}.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
from ray import tune  # noqa: E402

from hedgecore.config import to_mapping  # noqa: E402
from search_spaces import SearchSpace  # noqa: E402
from sweeps import manifest  # noqa: E402
from sweeps.asha import StratifiedAsha  # noqa: E402
from sweeps.errors import UsageError  # noqa: E402
from sweeps.planning import Plan, TrialPlan, plan  # noqa: E402
from sweeps.progress import Progress, State, default  # noqa: E402
from sweeps.recorder import Recorder  # noqa: E402
from sweeps.shared import Facts, Filed, Shared, collect, prepare_task  # noqa: E402
from sweeps.sink import Sink, TrialLog  # noqa: E402
from sweeps.trainables import device_for, train_trial  # noqa: E402


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
        if len(known) == len(filed) and not _open(planned, known, sink):
            shown.message("every trial is finished; nothing to run")
            _announce(planned, known, sink)
            left = 0
        else:
            with _ray(address):
                prepared = _prepare(planned, filed, storage, core, shown)
                known = {key: shared.facts for key, shared in prepared.items()}
                manifest.write(storage, planned, known)
                _fit(planned, prepared, sink, shown, max_concurrent, began)
            left = len(_open(planned, known, sink))
    finally:
        sink.close()
        shown.close()
    seconds = time.monotonic() - began
    return Sweep(storage=storage, plan=planned, trials=sink.trials, left=left, seconds=seconds)


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    """A Ray runtime: the caller's if it has one, a cluster's if there is an address, else one of
    our own.
    """
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        options["include_dashboard"] = False
    else:
        options["runtime_env"] = {"py_modules": _packages()}
    try:
        ray.init(address=address or "local", **options)
    except ConnectionError as error:
        raise UsageError(
            f"no Ray cluster at {address!r}; start one with 'ray start --head', "
            "or leave out --address"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _packages() -> list[str]:
    """The code of a sweep, which travels to the workers of a cluster."""
    root = Path(__file__).resolve().parent.parent
    return [str(root / name) for name in ("hedgecore", "search_spaces", "sweeps")]


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
    prepared = {}
    for key, (facts, arrays) in tasks.items():
        prepared[key] = shared = collect(key, facts, arrays)
        if filed[key] is None:
            Filed.write(storage / "study" / key, shared)
        dense = shared.facts.dense
        shown.message(
            f"{key}: dense baseline has validation risk {dense['val_loss']:.4f}, "
            f"test CVaR 5 % {dense['metrics']['cvar_05']:.3f} ({time.monotonic() - began:.0f} s)"
        )
    return prepared


def _open(planned: Plan, facts: Mapping[str, Facts], sink: Sink) -> list[tuple[str, TrialPlan]]:
    """The trials that are left to run, with their ids."""
    ids = [(manifest.trial_id(t, facts[t.preparation]), t) for t in planned.trials]
    return [(i, t) for i, t in ids if not (i in sink.trials and sink.trials[i].finished)]


def _announce(planned: Plan, facts: Mapping[str, Facts], sink: Sink) -> None:
    """Enter finished trials at their place in the present space."""
    for trial in planned.trials:
        trial_id = manifest.trial_id(trial, facts[trial.preparation])
        if trial_id in sink.trials and sink.trials[trial_id].finished:
            sink.append(_about(trial_id, trial, facts[trial.preparation]))


def _about(trial_id: str, trial: TrialPlan, facts: Facts) -> dict[str, Any]:
    about = {"trial_id": trial_id, "index": trial.index, "config": dict(trial.config)}
    return {"type": "trial", **about, **facts.columns}


def _fit(
    planned: Plan,
    prepared: Mapping[str, Shared],
    sink: Sink,
    shown: Progress,
    max_concurrent: int | None,
    began: float,
) -> None:
    facts = {key: shared.facts for key, shared in prepared.items()}
    _announce(planned, facts, sink)
    todo = _open(planned, facts, sink)
    if not todo:
        return
    resources = planned.space.resources
    trainable = tune.with_resources(
        tune.with_parameters(
            train_trial, preparations=dict(prepared), device=device_for(resources.gpu)
        ),
        {"cpu": resources.cpu, "gpu": resources.gpu},
    )
    announcements = {i: _about(i, trial, facts[trial.preparation]) for i, trial in todo}
    started = time.monotonic()
    recorder = Recorder(
        sink,
        announcements,
        lambda: shown.update(
            State(plan=planned, trials=sink.trials, began=began, first_trial=started)
        ),
    )
    asha = planned.space.scheduler
    longest = max(trial.study.training.epochs for trial in planned.trials)
    scratch = tempfile.mkdtemp(prefix="hedgesweep-")
    try:
        tune.Tuner(
            trainable,
            param_space={"trial": tune.grid_search([_spec(i, t, facts) for i, t in todo])},
            tune_config=tune.TuneConfig(
                scheduler=StratifiedAsha(asha, longest, planned.stratum) if asha else None,
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
