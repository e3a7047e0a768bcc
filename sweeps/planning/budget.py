"""Budget of a sweep: hours and money."""

import math
from dataclasses import dataclass

from sweeps.errors import UsageError

_NEVER = 1e9  # seconds, thirty years


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits of a sweep in hours and money; it stops at the first that is reached.

    Args:
        cpus: number of CPUs paid for; required with ``cost``.
        hours: wall hours; None for no limit.
        cost: money, in the currency of ``rate``; None for no limit.
        rate: price of a CPU-hour; required with ``cost``.
    Raises:
        UsageError: a value is not positive, or ``cost`` lacks ``rate`` or ``cpus``.
    """

    cpus: float | None = None
    hours: float | None = None
    cost: float | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        for name in ("cpus", "hours", "cost", "rate"):
            value = getattr(self, name)
            if value is None:
                continue
            real = isinstance(value, int | float) and not isinstance(value, bool)
            if not (real and 0 < value < 1e300):
                text = f"{value:g}" if isinstance(value, float) else repr(value)[:40]
                raise UsageError(
                    f"{name} of a budget must be a number above 0, got {text}; change it"
                )
        if self.cost is not None and self.rate is None:
            raise UsageError(
                f"a budget of {self.cost:g} buys nothing without a price; give the rate of a "
                "CPU-hour, or a budget in hours"
            )
        if self.cost is not None and self.cpus is None:
            raise UsageError(f"a budget of {self.cost:g} needs the number of CPUs; give cpus")

    @property
    def seconds(self) -> float:
        """Wall seconds that the budget allows; infinite without a limit."""
        by_hours = self.hours * 3600 if self.hours else math.inf
        if self.cost and self.rate and self.cpus:
            return min(by_hours, self.cost / (self.rate * self.cpus) * 3600)
        return by_hours

    def deadline(self, began: float) -> float | None:
        """Time when a sweep begun at ``began`` exceeds it; None if over thirty years later."""
        return began + self.seconds if self.seconds < _NEVER else None
