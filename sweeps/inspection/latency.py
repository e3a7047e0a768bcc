"""Latency of the hedges of a storage on this machine, for its report."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hedgecore.errors import HedgesweepError
from sweeps.inspection.models import loaded_model
from sweeps.journal.state import TrialState
from sweeps.journal.stored_sweep import StoredSweep

_MOST = 10
"""Tickets of one sparsity."""


def latencies(storage: str | Path) -> dict[str, Any]:
    """``rows`` with trial_id, size and nanoseconds of tickets, or the ``reason`` for none.

    Of every sparsity, the first completed tickets are measured.
    """
    try:
        sweep = StoredSweep.read(storage)
        measure = sweep.experiment.latencies
        if measure is None:
            return {"reason": "models of this experiment have no latency"}
        trials = list(_tickets(sweep))
        measured = measure([loaded_model(sweep, trial) for trial in trials])
    except (HedgesweepError, OSError, ValueError) as error:
        return {"reason": str(error)}
    if measured is None:
        return {"reason": "it needs the compiled kernel; install a C compiler, and reinstall"}
    return {
        "rows": [
            {"trial_id": trial.entry.trial_id, **asdict(one)}
            for trial, one in zip(trials, measured, strict=True)
        ]
    }


def _tickets(sweep: StoredSweep) -> Iterator[TrialState]:
    counts: dict[Any, int] = defaultdict(int)
    for _, trial in sweep.state.rows():
        group = trial.config.get("sparsity"), str(trial.config.get("network.hidden"))
        if (
            trial.ended == "completed"
            and trial.end
            and trial.end.model
            and sweep.experiment.search.is_candidate(trial.config)
            and counts[group] < _MOST
        ):
            counts[group] += 1
            yield trial
