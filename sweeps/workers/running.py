"""The part of a sweep that needs Ray."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from hedgecore.config import to_mapping
from hedgecore.hedging.run import TicketRun
from sweeps.deciding.engine import Engine
from sweeps.deciding.roster import Roster
from sweeps.errors import Cut, PreparationError, WorkerLost
from sweeps.planning.plan import Plan
from sweeps.record.filing import Facts, Filed
from sweeps.record.ledger import Ledger
from sweeps.record.manifest import core_version
from sweeps.watching.progress import Progress
from sweeps.workers.lanes import Work, run_lanes, slots
from sweeps.workers.runtime import runtime
from sweeps.workers.shared import Shared, collect, prepare_task
from sweeps.workers.stock import run_stock
from sweeps.workers.trainables import device_for

# Lanes that a cluster is asked for; those for which there is no room wait, which is what makes it
# grow.
_MOST_LANES = 256


@contextmanager
def prepared(
    planned: Plan,
    filed: Mapping[str, Filed | None],
    storage: Path,
    address: str | None,
    shown: Progress,
    deadline: float | None,
) -> Iterator[dict[str, Shared]]:
    """A running Ray with every preparation in its object store, made once and filed.

    Raises:
        Cut: ``deadline``, in seconds of ``time.monotonic``, came first.
        PreparationError: a dense baseline diverged; the others are filed.
        UsageError: nothing answers at ``address``, or it is too small for one trial.
    """
    with runtime(address, planned.space.resources):
        yield _prepare(planned, filed, storage, shown, deadline)


def work(
    planned: Plan,
    shared: Mapping[str, Shared],
    roster: Roster,
    ledger: Ledger,
    engine: Engine | None,
    changed: Callable[[], None],
    *,
    lanes: int | None,
    deadline: float | None,
    hang_after: float | None,
    grows: bool,
    shown: Progress,
) -> bool:
    """Run what is left; False if ``deadline``, in seconds of ``time.monotonic``, came first.

    See :func:`sweeps.run`; ``grows`` if the cluster adds nodes where work waits.
    """
    resources = {"cpu": planned.space.resources.cpu, "gpu": planned.space.resources.gpu}
    device = device_for(planned.space.resources.gpu)
    open_run = partial(open_ticket, preparations=dict(shared), device=device)
    there = slots(resources)
    if engine is None:
        return run_stock(
            planned,
            roster,
            ledger,
            open_run,
            changed,
            lanes=lanes,
            resources=resources,
            deadline=deadline,
        )
    if planned.adaptive and (together := _together(planned)) < min(lanes or there, there):
        shown.message(
            f"at most {together} trials at a time: search.delay is {planned.space.search.delay}; "
            "raise it to use every slot"
        )
    wanted = lanes or (max(there, _MOST_LANES) if grows else there)
    if planned.adaptive:
        wanted = min(wanted, _together(planned))
    return run_lanes(
        Work(
            open_run=open_run,
            spec=roster.spec,
            more=roster.more,
            exhausted=lambda: roster.exhausted,
            changed=changed,
            deadline=deadline,
            patience=hang_after,
        ),
        ledger,
        engine,
        lanes=max(1, min(wanted, len(roster.left) if roster.exhausted else wanted)),
        resources=resources,
    )


def open_ticket(
    trial: Mapping[str, Any],
    checkpoint: bytes | None,
    *,
    preparations: Mapping[str, Shared],
    device: str,
) -> TicketRun:
    """A run of ``trial`` on this worker, on what the object store holds for its seed."""
    try:
        preparation = preparations[trial["preparation"]].fetch()
    except RayError as error:
        raise WorkerLost(f"the data of {trial['preparation']} is out of reach: {error}") from error
    return TicketRun(trial, checkpoint, preparation=preparation, device=device)


def _prepare(
    planned: Plan,
    filed: Mapping[str, Filed | None],
    storage: Path,
    shown: Progress,
    deadline: float | None,
) -> dict[str, Shared]:
    began, core = time.monotonic(), core_version()
    tasks: dict[str, Any] = {}
    # Those that others are built on come first.
    for key in sorted(planned.preparations, key=lambda key: planned.base(key) is not None):
        trial, base = planned.preparations[key], planned.base(key)
        tasks[key] = prepare_task.remote(
            to_mapping(trial.study.dense_study()),
            trial.seed,
            core,
            filed[key],
            *(tasks[base] if base and filed[key] is None else ()),
        )
    new = sum(made is None for made in filed.values())
    if new:
        shown.message(f"preparing {new}: paths, theta_0, training the dense baseline ..")
    shared: dict[str, Shared] = {}
    failure: PreparationError | None = None
    waiting = {facts: (key, arrays) for key, (facts, arrays) in tasks.items()}
    try:
        while waiting:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            # Whichever is ready first is filed first: a failure or an interruption loses no other.
            ready, _ = ray.wait(list(waiting), timeout=left)
            if not ready:
                raise Cut
            key, arrays = waiting.pop(ready[0])
            try:
                shared[key] = made = collect(key, ready[0], arrays)
            except PreparationError as error:
                failure = error
                continue
            if filed[key] is None:
                Filed.write(storage / "study" / key, made.facts, made.fetch())
            shown.message(_said(key, made.facts, time.monotonic() - began))
    finally:
        for facts in waiting:
            ray.cancel(facts, force=True)
    if failure:
        raise failure
    return shared


def _said(key: str, facts: Facts, seconds: float) -> str:
    dense = facts.dense
    return (
        f"{key}: dense baseline has validation risk {dense['val_loss']:.4f}, "
        f"test CVaR 5 % {dense['metrics']['cvar_05']:.3f} (minimum-variance delta "
        f"{dense['baselines']['minimum_variance']['cvar_05']:.3f}), {seconds:.0f} s"
    )


def _together(planned: Plan) -> int:
    return planned.space.search.delay * len(planned.seeds)
