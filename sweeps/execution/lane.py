"""Worker of a lane: a Ray Tune trial of which every step is one segment.

In a module of its own, which a new process imports faster than the driver's side.
"""

from collections import deque
from threading import Event
from typing import Any, NamedTuple

import ray
from ray import tune

from sweeps.execution.worker import OpenRun, SegmentWorker

Parcel = tuple[dict[str, Any], bytes | None]
"""Job with its specification, and the checkpoint from which it continues."""


class Wait(NamedTuple):
    """Order to wait for a job in the box of ``lane`` at ``mailbox``."""

    lane: int
    mailbox: Any


class Lane(tune.Trainable):
    """Worker of one lane, which follows one order a step; None ends it."""

    # Keywords come from tune.with_parameters.
    def setup(self, config: dict[str, Any], *, open_run: OpenRun) -> None:  # type: ignore[override]
        """Limit this process to one thread, ready for segments of ``open_run``."""
        self._worker = SegmentWorker(open_run)
        self._orders = deque[Parcel | Wait | None]()

    @ray.method(num_returns=0)
    def order(self, order: Parcel | Wait | None) -> None:
        """Set the order of the next step; the calls of one driver arrive in order."""
        self._orders.append(order)

    def step(self) -> dict[str, Any]:
        """The segment of the next job; the step after it begins once the log has it on disk."""
        if not self._orders:
            Event().wait()  # its node is to end, and the driver has killed this process
        order = self._orders.popleft()
        if isinstance(order, Wait):
            order = ray.get(order.mailbox.take.remote(order.lane))
        return {"done": True} if order is None else {"segment": self._worker.segment(*order)}
