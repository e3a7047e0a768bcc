"""Settings of the execution of a sweep: queue, lanes, deadline and resources."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from search_spaces import Resources
from sweeps.planning.plan import Plan
from sweeps.scheduling.engine import Engine
from sweeps.scheduling.ledger import Ledger
from sweeps.scheduling.steering import Steering
from sweeps.scheduling.trials import TrialQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Settings of one driver run, see :func:`sweeps.run`."""

    plan: Plan
    queue: TrialQueue
    ledger: Ledger
    engine: Engine | None  # None if one of Ray Tune's own schedulers decides
    steering: Steering  # takes up requests of users
    message: Callable[[str], None]  # shows a line to the user
    audit: float = 0.0  # share of the stopped configurations that train to their end
    address: str | None = None  # Ray cluster to join, which may grow; None for a Ray of its own
    insecure: bool = False  # whether Ray may run without authentication
    lanes: int | None = None  # maximum of concurrent trials; None for as many as fit
    deadline: float | None = None  # ``time.monotonic`` at which the sweep is cut off
    hang_after: float | None = None  # seconds after which a segment counts as hung
    mixed: bool = False  # whether workers may use another arithmetic than the preparations

    @property
    def resources(self) -> Resources:
        """CPUs and GPUs of one trial."""
        return self.plan.space.resources

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the deadline, 0 from then on; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
