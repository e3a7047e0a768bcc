"""Job of a cluster that runs a sweep, as Ray's Job API describes it."""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from sweeps.execution.job_config import STORAGE

_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_TERMINATED = 128 + 15  # as a process that SIGTERM ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """State of a job; ``storage`` is None for one that runs no sweep."""

    job_id: str
    status: str
    storage: str | None
    started: float
    """Unix time in seconds; 0 before the start."""
    message: str
    code: int | None
    """Exit status of its process; None if it has none."""

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Self:
        """The job of a ``description`` in Ray's answers."""
        code, started = description.get("driver_exit_code"), description.get("start_time")
        metadata = description.get("metadata")
        return cls(
            job_id=str(description.get("submission_id") or description.get("job_id")),
            status=str(description.get("status")),
            storage=metadata.get(STORAGE) if isinstance(metadata, Mapping) else None,
            started=started / 1000 if isinstance(started, int | float) else 0.0,
            message=str(description.get("message") or ""),
            code=code if isinstance(code, int) else None,
        )

    @property
    def ended(self) -> bool:
        """True if it runs no more and will not start."""
        return self.status in _ENDED

    @property
    def exit_status(self) -> int:
        """Exit status for a command that followed it to its end: the sweep's, if it has one."""
        if self.status == "STOPPED":
            return _TERMINATED
        if self.code is None:
            return int(self.status != "SUCCEEDED")
        return self.code if self.code >= 0 else 128 - self.code

    def __str__(self) -> str:
        return f"{self.job_id} ({self.status.lower()}, storage {self.storage})"


def new_id(space: str) -> str:
    """Id of a new job that runs ``space``, chosen here so that a lost answer loses no job."""
    name = re.sub("[^A-Za-z0-9]+", "-", space)[:40].strip("-") or "sweep"
    return f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
