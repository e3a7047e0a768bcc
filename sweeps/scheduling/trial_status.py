"""Status of a trial and of its configuration."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeps.scheduling.asha import Decision

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """Train ``trial_id`` from its epoch ``start`` (0: from theta_0) to its epoch ``stop``."""

    trial_id: str
    start: int
    stop: int


@dataclass(slots=True)
class Trial:
    """One trial.

    Args:
        trial_id: its name.
        order: its place in order of entry, from 0.
        group: its configuration.
        replicate: what tells it from the other trials of its configuration.
        limit: epochs after which it ends at the latest.
    """

    trial_id: str
    order: int
    group: str
    replicate: Any
    limit: int
    epoch: int = 0
    running: bool = False
    ended: bool = False
    finished: bool = False
    """Ended by itself, in whatever way."""
    truncated: bool = False
    """Ended because ``limit`` did not let it train on."""
    withdrawn: bool = False
    audited: bool = False
    """Trains on though its configuration was stopped."""
    last: float = math.nan
    """The metric at the last epoch."""
    losses: int = 0
    values: dict[int, float] = field(default_factory=dict)
    """The metric at rungs."""


@dataclass(slots=True)
class Group:
    """The trials of one configuration, which go on or stop together."""

    trials: list[str] = field(default_factory=list)
    passed: int = 0
    stopped: bool = False
    judged: list[str] = field(default_factory=list)
    """The trials that were stopped; one of a further seed never began."""
    failed: bool = False
    audited: bool = False


def verdict(decision: Decision, trials: Sequence[Trial]) -> Record:
    """The record of what became of ``trials``, which are one configuration."""
    return {
        "type": "decision",
        "group": str(decision.key),
        "trials": [trial.trial_id for trial in trials],
        # Nothing is left to stop where all have come to an end of their own.
        "ended": all(trial.finished for trial in trials),
        "epoch": decision.epoch,
        "goes_on": decision.goes_on,
        "value": decision.value if math.isfinite(decision.value) else None,
        "rank": decision.rank,
        "of": decision.of,
    }
