"""Command that a user needs after a sweep, recommended by ``status`` and at the end of a run."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote


def next_command(storage: str | Path, trials: Mapping[str, int]) -> str:
    """Command for the results in ``storage``; for its failures if they left no result.

    Args:
        trials: numbers of trials by status, such as "completed" and "failed".
    """
    if trials.get("failed") and not trials.get("completed"):
        # Failures of the trials themselves happen again, unless their cause is removed before.
        return f"none completed: after removing the cause, hedgesweep retry {quote(str(storage))}"
    return f"next, hedgesweep report {quote(str(storage))}"
