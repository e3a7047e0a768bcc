"""Execution of a sweep: what runs, on how many lanes, until when, on what resources."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from search_spaces import Resources
from sweeps.planning.plan import Plan
from sweeps.scheduling.engine import Engine
from sweeps.scheduling.ledger import Ledger
from sweeps.scheduling.trials import TrialQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A sweep as it is carried out, see :func:`sweeps.run`.

    Args:
        plan: what is swept.
        queue: gives the trials to run.
        ledger: records what becomes of them.
        engine: what decides; None if one of Ray Tune's own schedulers does.
        message: shows a line to the user.
        audit: share of the stopped configurations that train to their end all the same.
        address: Ray cluster to join, which adds nodes where work waits; None for a Ray of its own.
        insecure: whether Ray may run without authentication.
        lanes: most trials at a time; None for as many as there is room for.
        deadline: seconds of ``time.monotonic`` after which to cut the sweep off; None for never.
        hang_after: seconds after which a segment counts as hung; None for never.
        mixed: whether workers may compute with another arithmetic than the preparations.
    """

    plan: Plan
    queue: TrialQueue
    ledger: Ledger
    engine: Engine | None
    message: Callable[[str], None]
    audit: float = 0.0
    address: str | None = None
    insecure: bool = False
    lanes: int | None = None
    deadline: float | None = None
    hang_after: float | None = None
    mixed: bool = False

    @property
    def resources(self) -> Resources:
        """CPUs and GPUs of one trial."""
        return self.plan.space.resources

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the deadline, 0 from then on; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
