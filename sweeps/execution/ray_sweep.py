"""The part of a sweep that needs Ray."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError

from hedgecore.config import to_mapping
from hedgecore.experiment import Run
from sweeps.errors import Cut, PreparationError, WorkerLost
from sweeps.execution.arithmetic import check_arithmetic
from sweeps.execution.lanes import Work, run_lanes, slots
from sweeps.execution.object_store import SharedPreparation, collect, prepare_task
from sweeps.execution.ray_runtime import runtime
from sweeps.execution.ray_schedulers import run_stock
from sweeps.execution.worker import device_for
from sweeps.experiments import experiment
from sweeps.journal.code_identity import code_identity
from sweeps.journal.preparations import StoredPreparation
from sweeps.planning.plan import Plan
from sweeps.scheduling.engine import Engine
from sweeps.scheduling.ledger import Ledger
from sweeps.scheduling.trials import TrialQueue

# Lanes that a cluster is asked for; those for which there is no room wait, which is what makes it
# grow.
_MOST_LANES = 256


@contextmanager
def prepared(
    planned: Plan,
    filed: Mapping[str, StoredPreparation | None],
    ledger: Ledger,
    address: str | None,
    message: Callable[[str], None],
    deadline: float | None,
    *,
    insecure: bool,
) -> Iterator[dict[str, SharedPreparation]]:
    """A running Ray with every preparation in its object store, made once and filed.

    Raises:
        Cut: ``deadline``, in seconds of ``time.monotonic``, came first.
        PreparationError: a baseline diverged, or data cannot be had; the others are filed.
        UsageError: nothing answers at ``address``, it is too small for one trial, or without
            authentication although not ``insecure``.
        SweepError: Ray has died.
    """
    with runtime(address, planned.space.resources, insecure=insecure):
        yield _prepare(planned, filed, ledger, message, deadline)


def work(
    planned: Plan,
    shared: Mapping[str, SharedPreparation],
    queue: TrialQueue,
    ledger: Ledger,
    engine: Engine | None,
    changed: Callable[[], None],
    *,
    lanes: int | None,
    deadline: float | None,
    hang_after: float | None,
    grows: bool,
    mixed: bool,
    message: Callable[[str], None],
) -> bool:
    """Run what is left; False if ``deadline``, in seconds of ``time.monotonic``, came first.

    See :func:`sweeps.run`; ``grows`` if the cluster adds nodes where work waits, ``mixed`` if
    workers may compute with another arithmetic than that of the preparations.
    """
    resources = {"cpu": planned.space.resources.cpu, "gpu": planned.space.resources.gpu}
    device = device_for(planned.space.resources.gpu)
    open_run = partial(open_trial, preparations=dict(shared), device=device, mixed=mixed)
    available = slots(resources)
    if engine is None:
        return run_stock(
            planned,
            queue,
            ledger,
            open_run,
            changed,
            lanes=lanes,
            resources=resources,
            deadline=deadline,
        )
    if planned.adaptive and (together := _together(planned)) < min(lanes or available, available):
        message(
            f"at most {together} trials at a time: search.delay is {planned.space.search.delay}; "
            "raise it to use every slot"
        )
    requested = lanes or (max(available, _MOST_LANES) if grows else available)
    if planned.adaptive:
        requested = min(requested, _together(planned))
    return run_lanes(
        Work(
            open_run=open_run,
            spec=queue.spec,
            more=queue.more,
            exhausted=lambda: queue.exhausted,
            changed=changed,
            deadline=deadline,
            patience=hang_after,
        ),
        ledger,
        engine,
        lanes=max(1, min(requested, len(queue.left) if queue.exhausted else requested)),
        resources=resources,
    )


def open_trial(
    trial: Mapping[str, Any],
    checkpoint: bytes | None,
    *,
    preparations: Mapping[str, SharedPreparation],
    device: str,
    mixed: bool = False,
) -> Run:
    """A run of ``trial`` on this worker, on what the object store holds for its seed.

    Raises:
        OtherArithmeticError: this worker does not compute what was computed for the preparation;
            with ``mixed`` only if it should.
        WorkerLost: the object store is out of reach.
    """
    try:
        shared = preparations[trial["preparation"]]
        preparation = shared.fetch()
    except RayError as error:
        raise WorkerLost(f"the data of {trial['preparation']} is out of reach: {error}") from error
    swept_experiment = experiment(shared.name)
    check_arithmetic(swept_experiment, trial, shared.facts, preparation, mixed=mixed)
    return swept_experiment.open_run(trial, checkpoint, preparation=preparation, device=device)


def _prepare(
    planned: Plan,
    filed: Mapping[str, StoredPreparation | None],
    ledger: Ledger,
    message: Callable[[str], None],
    deadline: float | None,
) -> dict[str, SharedPreparation]:
    began, core = time.monotonic(), code_identity(planned.space.experiment)
    tasks: dict[str, Any] = {}
    # Those that others are built on come first.
    for key in sorted(planned.preparations, key=lambda key: planned.base(key) is not None):
        trial, base = planned.preparations[key], planned.base(key)
        tasks[key] = prepare_task.remote(
            planned.space.experiment,
            to_mapping(trial.study.shared_study()),
            trial.seed,
            core,
            filed[key],
            *(tasks[base] if base else ()),
        )
    new = sum(preparation is None for preparation in filed.values())
    if new:
        message(f"preparing {new}: {planned.experiment.wording.prepared} ..")
    shared: dict[str, SharedPreparation] = {}
    failure: PreparationError | None = None
    waiting = {facts: key for key, (facts, _) in tasks.items()}
    name = planned.space.experiment
    try:
        while waiting:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            # Whichever is ready first is filed first: a failure or an interruption loses no other.
            ready, _ = ray.wait(list(waiting), timeout=remaining)
            if not ready:
                raise Cut
            key = waiting[ready[0]]
            # What this one adds to is ready too, and is shared first.
            base = planned.base(key)
            if base in tasks:
                key, base = base, None
            facts, arrays = tasks.pop(key)
            del waiting[facts]
            try:
                if base and base not in shared:
                    raise PreparationError(f"{key}: {base}, which it adds to, failed")
                preparation = collect(key, name, facts, arrays, shared[base] if base else None)
            except PreparationError as error:
                failure = failure or error
                continue
            shared[key] = preparation
            if filed[key] is None:
                ledger.keep_preparation(key, preparation.facts, preparation.fetch())
            description = planned.experiment.wording.describe_preparation(preparation.facts.about)
            message(f"{key}: {description}, {time.monotonic() - began:.0f} s")
    finally:
        for facts in waiting:
            ray.cancel(facts, force=True)
    if failure:
        raise failure
    return shared


def _together(planned: Plan) -> int:
    return planned.space.search.delay * len(planned.seeds)
