"""Preparations of a sweep: one task for each, whose results are shared as they are completed."""

import time
from collections.abc import Mapping

import ray
from ray.exceptions import RayError

from hedgecore.config import to_mapping
from sweeps.errors import Cut, PreparationError
from sweeps.execution.data_files import data_files
from sweeps.execution.execution import Execution
from sweeps.execution.object_store import SharedPreparation, collect, prepare_task
from sweeps.execution.shared_objects import SharedObjects
from sweeps.journal.code_identity import code_identity
from sweeps.journal.preparations import StoredPreparation
from sweeps.text import duration, first_line


class PreparationTasks:
    """Tasks for all preparations of ``execution``, and what is shared of them.

    Preparations are stored in the order of their completion, so that a failure or an interruption
    loses no other one.

    Args:
        stored: preparations to restore, by key; None for one to compute.
        objects: the object store.
        contents: bytes of the data files by path; emptied, so that only the object store has them.
        at_once: tasks that run at a time, beside lanes that wait for them, so that none reserves a
            CPU; None if each reserves one.
    Raises:
        PreparationError: neither the object store nor its disk has room for the data files.
    """

    def __init__(
        self,
        execution: Execution,
        stored: Mapping[str, StoredPreparation | None],
        objects: SharedObjects,
        contents: dict[str, bytes],
        *,
        at_once: int | None = None,
    ) -> None:
        self._execution, self._stored, self.objects = execution, stored, objects
        self._plan, self.at_once, self._began = execution.plan, at_once, time.monotonic()
        self._files = _shared_files(objects, contents)
        self._failure: PreparationError | None = None
        self.shared: dict[str, SharedPreparation] = {}
        """Preparations in the object store, by key."""
        # Bases first.
        self._waiting = sorted(
            self._plan.preparations, key=lambda key: self._plan.base(key) is not None
        )
        self._tasks: dict[str, tuple[ray.ObjectRef, ray.ObjectRef]] = {}
        """Facts and arrays of the tasks that run, or whose results another one reads, by key."""
        self._pending: dict[ray.ObjectRef, str] = {}
        """Keys by facts."""
        self._submit()
        if new := sum(preparation is None for preparation in stored.values()):
            execution.message(f"preparing {new}: {self._plan.experiment.wording.prepared} ..")

    @property
    def remaining(self) -> int:
        """Number of preparations that are not shared."""
        return len(self._pending) + len(self._waiting)

    @property
    def pending(self) -> "list[ray.ObjectRef]":
        """Results of the tasks that run now; empty once all preparations are shared."""
        return list(self._pending)

    def finish(self, *, but: int = 0) -> None:
        """Share all preparations but the last ``but``.

        Raises:
            Cut: the deadline came first.
            PreparationError: see :meth:`collect`.
        """
        while self.remaining > but:
            if not self.collect(timeout=self._execution.seconds_left):
                raise Cut

    def collect(self, *, timeout: float | None) -> bool:
        """Share what is computed within ``timeout`` seconds; True if anything was.

        Raises:
            PreparationError: all have ended, and for one of them a baseline diverged or data are
                unavailable.
        """
        ready, _ = ray.wait(self.pending, timeout=timeout) if self._pending else ([], [])
        for facts in ready:
            key = self._pending.pop(facts, None)
            if key is None:
                continue  # a base, shared with one that adds to it
            try:
                self._share(key)
            except PreparationError as error:
                self._failure = self._failure or error
        self._submit()
        if not self.remaining:
            if self._failure:
                raise self._failure
            self.objects.release(self._files.values())  # trials need the preparations only
            self._files = {}
        return bool(ready)

    def close(self) -> None:
        """End the tasks that still run."""
        for facts in self._pending:
            ray.cancel(facts, force=True)

    def _submit(self) -> None:
        reserved = 1 if self.at_once is None else 0
        while self._waiting and (self.at_once is None or len(self._pending) < self.at_once):
            key = self._waiting.pop(0)
            trial, base = self._plan.preparations[key], self._plan.base(key)
            task = prepare_task.options(num_cpus=reserved).remote(
                self._plan.space.experiment,
                to_mapping(trial.study.shared_study()),
                trial.seed,
                code_identity(self._plan.space.experiment),
                self._stored[key],
                *(self._tasks[base] if base else ()),
                contents={path: self._files[path] for path in data_files(self._plan, key)},
            )
            self._tasks[key], self._pending[task[0]] = task, key

    def _share(self, key: str) -> None:
        plan, execution = self._plan, self._execution
        base = plan.base(key)
        if base and base in self._pending.values():
            # It is computed too, and is shared first.
            del self._pending[self._tasks[base][0]]
            self._share(base)
        if base and base not in self.shared:
            raise PreparationError(f"{key}: {base}, which it adds to, failed")
        name, below = plan.space.experiment, self.shared[base] if base else None
        preparation = collect(key, name, self._tasks[key], below, self.objects)
        self.shared[key] = preparation
        if all(plan.base(other) != key for other in self._waiting):
            del self._tasks[key]  # frees its results, of which the store has copies now
        if self._stored[key] is None:
            execution.ledger.keep_preparation(key, preparation.facts, preparation.fetch())
        wording, about = plan.experiment.wording, preparation.facts.about
        seconds = duration(time.monotonic() - self._began)
        execution.message(f"{key}: {wording.describe_preparation(about)}, {seconds}")
        for warning in wording.warnings(about):
            execution.message(f"{key}: warning: {warning}")


def _shared_files(
    objects: SharedObjects, contents: dict[str, bytes]
) -> "dict[str, ray.ObjectRef]":
    files = {}
    for path in list(contents):
        content = contents.pop(path)
        try:
            files[path] = objects.put("files", content, size=len(content), name=path)
        except RayError as error:
            raise PreparationError(f"{path} cannot be shared: {first_line(error)}") from error
    return files
