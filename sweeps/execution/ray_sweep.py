"""A sweep on Ray: its preparations in the object store, and the trials that use them."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError

from hedgecore.config import to_mapping
from hedgecore.experiment import Run
from sweeps.errors import Cut, PreparationError, WorkerLost
from sweeps.execution.arithmetic import check_arithmetic
from sweeps.execution.baselines import BaselineTasks
from sweeps.execution.data_files import data_files, read_data_files
from sweeps.execution.execution import Execution
from sweeps.execution.lanes import run_lanes, slots
from sweeps.execution.object_store import SharedPreparation, collect, prepare_task
from sweeps.execution.ray_runtime import runtime
from sweeps.execution.ray_schedulers import run_stock
from sweeps.execution.shared_objects import SharedObjects
from sweeps.execution.worker import device_for
from sweeps.experiments import experiment
from sweeps.journal.code_identity import code_identity
from sweeps.journal.preparations import StoredPreparation
from sweeps.planning.plan import Plan
from sweeps.text import duration, first_line, plural

# Lanes requested from a cluster; those without room wait, which makes the cluster grow.
_MOST_LANES = 256


@dataclass(frozen=True, slots=True)
class Shared:
    """State that the workers of a sweep share."""

    preparations: Mapping[str, SharedPreparation]  # by key
    objects: SharedObjects


@contextmanager
def prepared(
    execution: Execution, stored: Mapping[str, StoredPreparation | None]
) -> Iterator[Shared]:
    """A running Ray with every preparation in its object store, made unless it is ``stored``.

    Raises:
        Cut: the deadline came first.
        PreparationError: a baseline diverged, or data are unavailable; the others are stored.
        UsageError: no cluster responds at the address, it is too small for one trial, or it has
            no authentication although not ``insecure``.
        SweepError: Ray has died.
    """
    contents = read_data_files(execution.plan)
    with runtime(execution.address, execution.resources, insecure=execution.insecure):
        objects = SharedObjects(execution.message)
        preparations = _prepare(execution, stored, objects, contents)
        _record_growth(execution, objects)
        yield Shared(preparations, objects)


def work(
    execution: Execution, shared: Shared, changed: Callable[[], None], baselines: BaselineTasks
) -> bool:
    """Run the unfinished trials on ``shared``; False if the deadline came first.

    ``changed`` is called after every event. The ``baselines`` are computed meanwhile.
    """
    left = execution.queue.unfinished or not execution.queue.exhausted
    if left and not _trials(execution, shared, changed, baselines):
        return False
    baselines.finish(execution.deadline)
    return True


def _trials(
    execution: Execution, shared: Shared, changed: Callable[[], None], baselines: BaselineTasks
) -> bool:
    open_run = partial(
        open_trial,
        preparations=dict(shared.preparations),
        device=device_for(execution.resources.gpu),
        mixed=execution.mixed,
    )

    def measured() -> None:
        # Nodes that have fetched their preparation since the last event.
        _record_growth(execution, shared.objects)
        baselines.poll()
        changed()

    if execution.engine is None:
        return run_stock(execution, open_run, measured)
    return run_lanes(execution, open_run, measured, lanes=_lanes(execution))


def _lanes(execution: Execution) -> int:
    """Number of lanes: limited by room and work, on a cluster by the size it may grow to."""
    plan, queue, lanes = execution.plan, execution.queue, execution.lanes
    available = slots(execution.resources)
    growing = execution.address is not None
    requested = lanes or (max(available, _MOST_LANES) if growing else available)
    if plan.adaptive:
        together = plan.space.search.delay * len(plan.seeds)
        if together < min(lanes or available, available):
            execution.message(
                f"at most {plural(together, 'trial')} at a time: search.delay is "
                f"{plan.space.search.delay}; raise it to use every slot"
            )
        requested = min(requested, together)
    return max(1, min(requested, len(queue.unfinished) if queue.exhausted else requested))


def open_trial(
    trial: Mapping[str, Any],
    checkpoint: bytes | None,
    *,
    preparations: Mapping[str, SharedPreparation],
    device: str,
    mixed: bool = False,
) -> Run:
    """Run of ``trial`` on this worker, with its preparation from the object store.

    Raises:
        OtherArithmeticError: this worker does not reproduce the preparation; with ``mixed`` only
            if its arithmetic is the same.
        WorkerLost: the object store is unreachable.
    """
    try:
        shared = preparations[trial["preparation"]]
        preparation = shared.fetch()
    except RayError as error:
        raise WorkerLost(f"the data of {trial['preparation']} is out of reach: {error}") from error
    swept_experiment = experiment(shared.name)
    check_arithmetic(swept_experiment, trial, shared.facts, preparation, mixed=mixed)
    return swept_experiment.open_run(trial, checkpoint, preparation=preparation, device=device)


def _record_growth(execution: Execution, objects: SharedObjects) -> None:
    if record := objects.growth():
        execution.ledger.append(record)


def _shared_files(
    objects: SharedObjects, contents: dict[str, bytes]
) -> dict[str, "ray.ObjectRef"]:
    """References to ``contents``, by path; emptied, so that only the object store holds them.

    Raises:
        PreparationError: neither the object store nor its disk has room.
    """
    files = {}
    for path in list(contents):
        content = contents.pop(path)
        try:
            files[path] = objects.put("files", content, size=len(content), name=path)
        except RayError as error:
            raise PreparationError(f"{path} cannot be shared: {first_line(error)}") from error
    return files


def _prepare(
    execution: Execution,
    stored: Mapping[str, StoredPreparation | None],
    objects: SharedObjects,
    contents: dict[str, bytes],
) -> dict[str, SharedPreparation]:
    plan, message, began = execution.plan, execution.message, time.monotonic()
    files = _shared_files(objects, contents)
    tasks = _submitted(plan, stored, files)
    if new := sum(preparation is None for preparation in stored.values()):
        message(f"preparing {new}: {plan.experiment.wording.prepared} ..")
    shared: dict[str, SharedPreparation] = {}
    failure: PreparationError | None = None
    key_of_task = {facts: key for key, (facts, _) in tasks.items()}
    name = plan.space.experiment
    try:
        while key_of_task:
            # Stored in order of completion, so that a failure or an interruption loses no other.
            ready, _ = ray.wait(list(key_of_task), timeout=execution.seconds_left)
            if not ready:
                raise Cut
            key = key_of_task[ready[0]]
            # The base is ready too, and is shared first.
            base = plan.base(key)
            if base in tasks:
                key, base = base, None
            task = tasks.pop(key)
            del key_of_task[task[0]]
            try:
                if base and base not in shared:
                    raise PreparationError(f"{key}: {base}, which it adds to, failed")
                preparation = collect(key, name, task, shared[base] if base else None, objects)
            except PreparationError as error:
                failure = failure or error
                continue
            shared[key] = preparation
            if stored[key] is None:
                execution.ledger.keep_preparation(key, preparation.facts, preparation.fetch())
            wording, about = plan.experiment.wording, preparation.facts.about
            seconds = duration(time.monotonic() - began)
            message(f"{key}: {wording.describe_preparation(about)}, {seconds}")
            for warning in wording.warnings(about):
                message(f"{key}: warning: {warning}")
    finally:
        for facts in key_of_task:
            ray.cancel(facts, force=True)
    if failure:
        raise failure
    objects.release(files.values())  # trials need the preparations only
    return shared


def _submitted(
    plan: Plan,
    stored: Mapping[str, StoredPreparation | None],
    files: "Mapping[str, ray.ObjectRef]",
) -> dict[str, Any]:
    """References to facts and arrays of every preparation, by key."""
    core, tasks = code_identity(plan.space.experiment), dict[str, Any]()
    # Bases first.
    for key in sorted(plan.preparations, key=lambda key: plan.base(key) is not None):
        trial, base = plan.preparations[key], plan.base(key)
        tasks[key] = prepare_task.remote(
            plan.space.experiment,
            to_mapping(trial.study.shared_study()),
            trial.seed,
            core,
            stored[key],
            *(tasks[base] if base else ()),
            contents={path: files[path] for path in data_files(plan, key)},
        )
    return tasks
