"""Records of what a user requested of a sweep: stops, further configurations, and retries.

The driver writes each when it takes up a request, whose id it names: so a request that outlives a
crash is recorded once. Its place in the log is the moment at which it takes effect.
"""

from dataclasses import dataclass
from typing import ClassVar

from sweeps.journal.field_types import Json, Number, Text, TrialIds


@dataclass(frozen=True, slots=True, kw_only=True)
class UserStop:
    """Trials stopped by a user at their last recorded epoch, with their whole configuration.

    It leaves the comparison at all further rungs, so that no rival waits for it.
    """

    kind: ClassVar[str] = "stop"
    request: Text
    trials: TrialIds
    at: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRequest:
    """Configuration requested by a user, without its seed; its trials are entered after it."""

    kind: ClassVar[str] = "enqueue"
    request: Text
    config: Json
    at: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Trials that start again from theta_0: failed ones, and seeds that were stopped with them.

    Their configurations take new positions in their strata, as further ones would.
    """

    kind: ClassVar[str] = "retry"
    request: Text
    trials: TrialIds
    at: Number | None = None
