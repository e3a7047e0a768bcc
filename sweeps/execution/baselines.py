"""Baselines of preparations, computed beside the trials, none of which depends on them."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.exceptions import RayError

from hedgecore.config import from_mapping, to_mapping
from hedgecore.threads import one_thread
from sweeps.execution.object_store import SharedPreparation
from sweeps.experiments import experiment
from sweeps.journal.lines import strict_json
from sweeps.journal.manifest import Baselines
from sweeps.planning.plan import Plan
from sweeps.text import first_line

Keep = Callable[[dict[str, Baselines]], None]
"""Receives the baselines of some preparations, by key."""


# Without a slot of its own: it would wait for a lane to end, and then for the last ones alone.
@ray.remote(num_cpus=0)
def baselines_task(study: dict[str, Any], shared: SharedPreparation) -> Baselines:
    """Metrics of the baselines of one preparation, by name; null for what is not finite."""
    one_thread()
    swept_experiment = experiment(shared.name)
    compute = swept_experiment.trainer.baselines
    assert compute is not None, "asked for where there are any"
    typed = from_mapping(swept_experiment.study, study)
    return dict(strict_json(compute(typed, shared.fetch())))


class BaselineTasks:
    """Tasks for the baselines that a sweep still lacks; they start with the next poll.

    Args:
        plan: its preparations; those with the same base share their baselines.
        keep: called with those that were computed.
        message: receives a line for one that failed.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        keep: Keep,
        message: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._preparations: dict[str, SharedPreparation] = {}
        self._keep, self._message = keep, message
        self._missing: dict[str, list[str]] = {}
        """Keys by that of their base."""
        self._pending: dict[ray.ObjectRef, list[str]] = {}

    def add(self, keys: list[str], preparations: Mapping[str, SharedPreparation]) -> None:
        """Add tasks for ``keys``, whose ``preparations`` and their bases are shared, by key."""
        self._preparations |= preparations
        for key in keys:
            self._missing.setdefault(self._plan.base(key) or key, []).append(key)

    def poll(self) -> None:
        """Keep the baselines that are computed by now."""
        self._start()
        if self._pending:
            self._collect(timeout=0)

    def finish(self, deadline: float | None) -> None:
        """Keep all baselines; those that are not computed before the ``deadline`` are left."""
        self._start()
        while self._pending:
            seconds = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._collect(timeout=seconds):
                break

    def _start(self) -> None:
        while self._missing:
            base, keys = self._missing.popitem()
            study = to_mapping(self._plan.preparations[base].study.shared_study())
            self._pending[baselines_task.remote(study, self._preparations[base])] = keys

    def _collect(self, *, timeout: float | None) -> bool:
        """Keep what is ready within ``timeout`` seconds; True if anything was."""
        ready, _ = ray.wait(list(self._pending), timeout=timeout)
        for task in ready:
            keys = self._pending.pop(task)
            try:
                computed = ray.get(task)
            except RayError as error:
                self._message(
                    f"{keys[0]}: its baselines could not be computed ({first_line(error)}); "
                    "run the same command again for them"
                )
                continue
            self._keep(dict.fromkeys(keys, computed))
        return bool(ready)
