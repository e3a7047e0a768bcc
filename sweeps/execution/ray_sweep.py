"""A sweep on Ray: its preparations in the object store, and the trials that use them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from importlib import import_module
from threading import Thread
from typing import Any

import ray
from ray.exceptions import RayError

from hedgecore.experiment import Run
from search_spaces import Resources
from sweeps.errors import WorkerLost
from sweeps.execution.arithmetic import check_arithmetic
from sweeps.execution.baselines import BaselineTasks
from sweeps.execution.data_files import read_data_files
from sweeps.execution.execution import Execution
from sweeps.execution.nodes import node_count, slots
from sweeps.execution.object_store import SharedPreparation
from sweeps.execution.preparation_tasks import PreparationTasks
from sweeps.execution.ray_runtime import runtime
from sweeps.execution.shared_objects import SharedObjects
from sweeps.execution.worker import device_for
from sweeps.experiments import experiment
from sweeps.journal.preparations import StoredPreparation
from sweeps.text import plural

Enter = Callable[[Mapping[str, SharedPreparation]], None]
"""Enters the trials, once every preparation is shared."""

# Lanes requested from a cluster; those without room wait, which makes the cluster grow.
_MOST_LANES = 256


@contextmanager
def prepared(
    execution: Execution, stored: Mapping[str, StoredPreparation | None]
) -> Iterator[PreparationTasks]:
    """A running Ray with tasks for every preparation, computed unless it is ``stored``.

    Raises:
        PreparationError: data are unavailable.
        UsageError: no cluster responds at the address, it is too small for one trial, or it has
            no authentication although not ``insecure``.
        SweepError: Ray has died.
    """
    contents = read_data_files(execution.plan)
    # Its import takes half a second, and Ray mostly waits for processes while it starts.
    Thread(target=import_module, args=["ray.tune"], daemon=True).start()
    with runtime(execution.address, execution.resources, insecure=execution.insecure):
        at_once = slots(Resources()) if _on_one_machine(execution) else None
        objects = SharedObjects(execution.message)
        with closing(
            PreparationTasks(execution, stored, objects, contents, at_once=at_once)
        ) as tasks:
            yield tasks


def work(
    execution: Execution,
    preparations: PreparationTasks,
    enter: Enter,
    changed: Callable[[], None],
    baselines: BaselineTasks,
) -> bool:
    """Run the unfinished trials on ``preparations``; False if the deadline came first.

    ``enter`` is called before the first trial, and ``changed`` after every event of one. The
    ``baselines`` are computed meanwhile.

    Raises:
        Cut: the deadline came before the trials were entered.
        PreparationError: a baseline diverged, or data are unavailable; the others are stored.
    """
    opening = _Opening(execution, preparations, enter)
    queue = execution.queue
    starting, cpus = None, preparations.at_once
    if cpus and not queue.finished:
        # Lanes start in the CPUs that the last preparations, for which trials wait, leave idle.
        preparations.finish(but=cpus - 1)
        starting = cpus - preparations.remaining
    else:
        opening.finish()

    def measured() -> None:
        # Nodes that have fetched their preparation since the last event.
        opening.record_growth()
        baselines.poll()
        changed()

    if not queue.finished:
        from sweeps.execution.lanes import run_lanes  # imported by now, or nearly, see `prepared`
        from sweeps.execution.ray_schedulers import run_stock

        open_run = partial(
            open_trial, device=device_for(execution.resources.gpu), mixed=execution.mixed
        )
        if execution.engine is None:
            within = run_stock(
                execution, partial(open_run, preparations=opening.finish()), measured
            )
        else:
            count = _lanes(execution)
            within = run_lanes(
                execution, open_run, opening, measured, lanes=count, starting=starting
            )
        if not within:
            return False
    baselines.finish(execution.deadline)
    return True


def _on_one_machine(execution: Execution) -> bool:
    """True if lanes may start beside preparations, all of which run.

    On a cluster they may take the room of one that waits.
    """
    return execution.engine is not None and execution.address is None and node_count() == 1


class _Opening:
    """Entry of the trials as soon as their ``preparations`` are shared."""

    def __init__(self, execution: Execution, preparations: PreparationTasks, enter: Enter) -> None:
        self._execution, self._preparations, self._enter = execution, preparations, enter
        self._shared: dict[str, SharedPreparation] | None = None

    @property
    def pending(self) -> "list[ray.ObjectRef]":
        """Results of the tasks that trials wait for."""
        return self._preparations.pending

    def poll(self) -> dict[str, SharedPreparation] | None:
        """Preparations by key, once the trials are entered; None before.

        Raises:
            PreparationError: see :meth:`PreparationTasks.collect`.
        """
        if self._shared is None:
            self._preparations.collect(timeout=0)
            if not self._preparations.remaining:
                self.finish()
        return self._shared

    def finish(self) -> dict[str, SharedPreparation]:
        """Preparations by key, of which the last is awaited here.

        Raises:
            Cut: the deadline came first.
            PreparationError: see :meth:`PreparationTasks.collect`.
        """
        if self._shared is None:
            self._preparations.finish()
            self._shared = dict(self._preparations.shared)
            self.record_growth()
            self._enter(self._shared)
        return self._shared

    def record_growth(self) -> None:
        """Record the bytes in the object store if they have changed."""
        if record := self._preparations.objects.growth():
            self._execution.ledger.append(record)


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
    if not queue.exhausted:
        return max(1, requested)
    return max(1, min(requested, len(queue.unfinished if queue.entered else plan.trials)))


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
