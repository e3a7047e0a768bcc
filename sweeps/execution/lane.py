"""Worker of a lane: a Ray Tune trial of which every step is one segment.

In a module of its own, which a new process imports faster than the driver's side.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event
from typing import Any, NamedTuple

import ray
from ray import tune

from hedgecore.arithmetic import arithmetic
from hedgecore.experiment import Run
from hedgecore.threads import one_thread
from sweeps.execution.worker import SegmentWorker
from sweeps.experiments import experiment

Parcel = tuple[dict[str, Any], bytes | None]
"""Job with its specification, and the checkpoint from which it continues."""


class Wait(NamedTuple):
    """Order to wait for a job in the box of ``lane`` at ``mailbox``."""

    lane: int
    mailbox: Any


class Pause(NamedTuple):
    """Order to wait until all of ``results`` are computed."""

    results: "list[ray.ObjectRef]"


Order = Parcel | Wait | Pause | None
"""Of one step; None ends the lane."""


class Lane(tune.Trainable):
    """Worker of one lane, which follows one order a step."""

    # Keywords come from tune.with_parameters.
    def setup(  # type: ignore[override]
        self, config: dict[str, Any], *, open_run: Callable[..., Run], experiment_name: str
    ) -> None:
        """Load what the first segment needs: the ``experiment_name``, and its arithmetic."""
        one_thread()
        self._open_run = open_run
        self._orders = deque[Order]()
        experiment(experiment_name)
        arithmetic()

    @ray.method(num_returns=0)
    def prepare(self, preparations: Mapping[str, Any]) -> None:
        """Begin segments on ``preparations`` (by key), a keyword of ``open_run``."""
        self._worker = SegmentWorker(partial(self._open_run, preparations=preparations))

    @ray.method(num_returns=0)
    def order(self, order: Order) -> None:
        """Set the order of the next step; the calls of one driver arrive in order."""
        self._orders.append(order)

    def step(self) -> dict[str, Any]:
        """The segment of the next job; the step after it begins once the log has it on disk."""
        if not self._orders:
            Event().wait()  # its node is to end, and the driver has killed this process
        order = self._orders.popleft()
        if isinstance(order, Pause):
            ray.wait(order.results, num_returns=len(order.results), fetch_local=False)
            return {}
        if isinstance(order, Wait):
            order = ray.get(order.mailbox.take.remote(order.lane))
        return {"done": True} if order is None else {"segment": self._worker.segment(*order)}
