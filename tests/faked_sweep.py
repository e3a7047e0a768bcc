"""A sweep whose trials are formulas: driver, log and search are real; Ray and training are not."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sweeps
from hedgecore.hedging.columns import TEST
from hedgecore.hedging.train import DIRECTIONS
from hedgecore.rng import numpy_stream
from sweeps import SilentProgress, Sweep
from sweeps.execution import ray_sweep
from sweeps.execution.execution import Execution
from sweeps.execution.worker import SegmentWorker
from sweeps.journal.code_identity import code_identity
from sweeps.journal.preparations import Facts
from sweeps.journal.records import SegmentStart

Formula = Callable[[Mapping[str, Any], int], float]
"""``val_loss`` of a configuration at an epoch; what it raises, the trial does."""


def run(
    space: str | Path,
    storage: Path,
    formula: Formula,
    *,
    stop_after: int | None = None,
    shuffle_seed: int | None = None,
    **arguments: Any,
) -> Sweep:
    """What ``sweeps.run`` returns.

    Args:
        space: a YAML file.
        storage: the sweep's directory.
        formula: what trials come to.
        stop_after: segments after which the sweep is cut off.
        shuffle_seed: three trials run at a time and come in in an order drawn from it; one at a
            time if None.
        arguments: as in ``sweeps.run``.
    """
    work = partial(_work, formula=formula, stop_after=stop_after, shuffle_seed=shuffle_seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_sweep, "prepared", prepared)
        patch.setattr(ray_sweep, "work", work)
        return sweeps.run(space, storage=storage, progress=SilentProgress(), **arguments)


class Curve:
    """The run of a trial along ``formula``."""

    def __init__(
        self, trial: Mapping[str, Any], checkpoint: bytes | None, *, formula: Formula
    ) -> None:
        self._config, self._formula = trial["config"], formula
        self._length = trial["study"]["training"]["epochs"]
        self._reached: tuple[int, float] = (0, math.inf)
        if checkpoint:
            self._reached = tuple(json.loads(checkpoint))
        self.facts = {"sparsity_achieved": self._config.get("sparsity", 0.0)}

    def epochs(self) -> Iterator[dict[str, Any]]:
        last, best = self._reached
        for epoch in range(last + 1, self._length + 1):
            loss = self._formula(self._config, epoch)
            # Columns that can be told from one another, and from the epoch of the end.
            columns = {name: loss + i for i, name in enumerate(DIRECTIONS)}
            row = {
                "epoch": epoch,
                **columns,
                "val_loss": loss,
                "val_clean_loss": loss,
                "best": loss < best,
            }
            self._reached = epoch, best = epoch, min(best, loss)
            yield row

    def checkpoint(self) -> bytes:
        return json.dumps(self._reached).encode()

    def finish(self, *columns: str) -> tuple[dict[str, Any], None]:
        return {
            **dict.fromkeys((column.name for column in TEST), 0.0),
            **dict.fromkeys(columns, -7.0),
        }, None


@contextmanager
def prepared(execution: Execution, stored: Any) -> Iterator[dict[str, Any]]:
    """Preparations that hold nothing but facts."""
    trials = execution.plan.preparations.items()
    yield {key: SimpleNamespace(facts=_facts(trial.seed)) for key, trial in trials}


def _facts(seed: int) -> Facts:
    metrics = dict.fromkeys((column.name for column in TEST), 0.0)
    return Facts(
        seed=seed,
        core=code_identity("tickets"),
        sha256={"theta_0": "0"},
        data_sha256="0",
        layout={},
        columns={f"dense_{name}": value for name, value in metrics.items()},
        baselines={"no_hedge": {"cvar_05": 0.0}},
        about={},
        arithmetic={"id": "00000000"},
        seconds=0.0,
    )


def _work(
    execution: Execution,
    preparations: Any,
    enter: Any,
    changed: Any,
    baselines: Any,
    *,
    formula: Formula,
    stop_after: int | None,
    shuffle_seed: int | None,
) -> bool:
    enter(preparations)
    queue, ledger, engine = execution.queue, execution.ledger, execution.engine
    assert engine is not None
    worker = SegmentWorker(partial(Curve, formula=formula))
    drawn = numpy_stream(shuffle_seed or 0, "lanes")
    jobs: list[Any] = []
    done = 0
    while done != stop_after:
        while len(jobs) < (1 if shuffle_seed is None else 3):
            if job := engine.next():
                jobs.append(job)
            elif not queue.more():
                break
        if not jobs:
            return True
        job = jobs.pop(int(drawn.integers(len(jobs))))
        ledger.append_unsynced(SegmentStart(trial_id=job.trial_id, epoch=job.start))
        spec = {**queue.spec(job.trial_id), "start": job.start, "stop": job.stop}
        segment = worker.segment(spec, ledger.checkpoint(job.trial_id) if job.start else None)
        ledger.append(ledger.stored_segment(segment))
        done += 1
    return False
