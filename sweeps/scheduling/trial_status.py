"""Status of a trial and of its configuration."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from sweeps.journal.records import SchedulerStop, Verdict
from sweeps.scheduling.asha import Decision


@dataclass(frozen=True, slots=True)
class Job:
    """Train ``trial_id`` from its epoch ``start`` (0: from theta_0) to its epoch ``stop``."""

    trial_id: str
    start: int
    stop: int


class TrialStatus(Enum):
    """Status of a trial under an engine, with these transitions only.

    =================== ======================================================================
    WAITING             -> RUNNING: its next job is handed out
    RUNNING             -> WAITING: its segment is done, or its worker or the driver died
    WAITING, RUNNING    -> STOPPED: a verdict on its configuration, or a user's request
    all                 -> FINISHED or TRUNCATED: its segment has an end
    all                 -> WITHDRAWN: it left the space
    TRUNCATED,          -> WAITING: entered again, with a limit above its epoch
    WITHDRAWN
    all that are over   -> WAITING: its audit, if epochs are left to train, from all but FINISHED;
                        a retry, from all but WITHDRAWN
    =================== ======================================================================
    """

    WAITING = auto()
    """Waits for a worker or for a verdict."""
    RUNNING = auto()
    STOPPED = auto()
    """Ended with its configuration."""
    FINISHED = auto()
    """Ended by itself, completed or failed."""
    TRUNCATED = auto()
    """Ended at its limit."""
    WITHDRAWN = auto()

    @property
    def is_over(self) -> bool:
        """True if it has ended, for now."""
        return self not in (TrialStatus.WAITING, TrialStatus.RUNNING)


@dataclass(slots=True)
class Trial:
    """A trial under an engine."""

    trial_id: str
    order: int  # of entry, from 0
    group: str  # of its configuration
    replicate: Hashable  # distinguishes the trials of a configuration
    limit: int  # maximum of epochs
    epoch: int = 0
    status: TrialStatus = TrialStatus.WAITING
    # No status: a trial waits, runs and ends in an audit as it does without one.
    audited: bool = False
    """True if it trains to the end although its configuration was stopped."""
    last_value: float = math.nan
    """The metric at the last epoch."""
    losses: int = 0
    values: dict[int, float] = field(default_factory=dict)
    """The metric at rungs."""

    def start_again(self) -> None:
        """Forget what it trained."""
        self.epoch = self.losses = 0
        self.audited, self.last_value = False, math.nan
        self.values.clear()


@dataclass(slots=True)
class Group:
    """Trials of one configuration, which are promoted or stopped together."""

    trials: list[str] = field(default_factory=list)
    stratum: str = ""
    passed: int = 0
    stopped: bool = False
    judged: tuple[str, ...] = ()
    """Trials that were stopped; one of a further seed never began."""
    failed: bool = False
    audited: bool = False
    withheld: bool = False
    """True if a user stopped it, not the rule."""


def verdict(decision: Decision, trials: Sequence[Trial]) -> Verdict:
    """Verdict on ``trials``, which are one configuration, as a record."""
    return Verdict(
        group=str(decision.key),
        trials=tuple(trial.trial_id for trial in trials),
        # None is left to stop if all have ended by themselves.
        ended=all(trial.status is TrialStatus.FINISHED for trial in trials),
        epoch=decision.epoch,
        goes_on=decision.goes_on,
        value=decision.value if math.isfinite(decision.value) else None,
        rank=decision.rank,
        of=decision.of,
    )


def verdict_text(group: str, verdict: Verdict | SchedulerStop | None) -> str:
    """A verdict on ``group``, for people."""
    if verdict is None:
        return "nothing yet"
    return f"that {group} {'goes on' if verdict.goes_on else 'stops'} at epoch {verdict.epoch}"
