"""Budget of a sweep: hours and money."""

import math
from dataclasses import dataclass

from sweeps.errors import UsageError

_NEVER = 1e9  # seconds, thirty years


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a sweep may take: hours, or money, whichever ends first.

    Args:
        cpus: CPUs that are paid for.
        hours: wall hours; None for any number.
        cost: money, in the currency of ``rate``; None for any sum.
        rate: price of a CPU-hour.
    Raises:
        UsageError: a limit that is not positive, or money without a rate.
    """

    cpus: float
    hours: float | None = None
    cost: float | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        for name in ("cpus", "hours", "cost", "rate"):
            value = getattr(self, name)
            if value is None and name != "cpus":
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

    @property
    def seconds(self) -> float:
        """Wall seconds that the budget allows; infinite without a limit."""
        allowed = [math.inf]
        if self.hours is not None:
            allowed.append(self.hours * 3600)
        if self.cost is not None and self.rate is not None:
            allowed.append(self.cost / (self.rate * self.cpus) * 3600)
        return min(allowed)

    def deadline(self, began: float) -> float | None:
        """When a sweep that began at ``began``, in seconds of any clock, has used it up.

        None where nobody will see that: Ray cannot wait for it either.
        """
        return began + self.seconds if self.seconds < _NEVER else None
