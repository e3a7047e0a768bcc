"""Job of a cluster that runs a sweep, as Ray's Job API describes it."""

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
        code = description.get("driver_exit_code")
        return cls(
            job_id=str(description.get("submission_id") or description.get("job_id")),
            status=str(description.get("status")),
            storage=(description.get("metadata") or {}).get(STORAGE),
            started=float(description.get("start_time") or 0) / 1000,
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
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in space)[:40]
    return f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
