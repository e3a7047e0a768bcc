"""Trials that train nothing, in a real ledger: what remains is the cost of the engine."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweeps.experiments import experiment
from sweeps.journal.records import TrialEntry
from sweeps.scheduling.engine import Engine
from sweeps.scheduling.ledger import Ledger


def entry(index: int, config: dict[str, Any], *, replicate: int = 0, limit: int = 1) -> TrialEntry:
    """Entry of a trial of ``limit`` epochs."""
    return TrialEntry(
        trial_id=f"{index:016x}",
        index=index,
        config=config,
        group=str(index),
        stratum="",
        replicate=replicate,
        limit=limit,
        columns={},
    )


@contextmanager
def noop_trials(count: int) -> Iterator[tuple[Engine, Ledger]]:
    """Engine and ledger with ``count`` trials of one epoch, in a folder that is removed."""
    engine = Engine(None)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), core="none", engine=engine, experiment=experiment("tickets"))
        ledger.append(*(entry(i, {"lr": 1e-3, "seed": i}) for i in range(count)))
        yield engine, ledger
        ledger.close()
    assert not engine.unfinished_count
