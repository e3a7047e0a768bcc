"""Cost of a trial in a small and in a large sweep: no-op trials through the real driver and log.

``python -m benchmarks growth``: sweeps of 2,000 and of 20,000 trials alternate, each in a process
of its own; medians of the rounds. Driver, queue, engine, ledger, tables, checkpoints and models
are real; the worker is in this process and trains nothing, so all time is overhead. Times are CPU
times: wall times include waiting for the disk and for other processes.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.figure import Figure, figure, print_figures
from benchmarks.processes import in_process, peak_memory
from sweeps.journal.records import SegmentStart
from tests.faked_sweep import prepared
from tests.spaces import TINY

EPOCHS = 9
SPACE = (
    TINY.replace("sparsity: {grid: [0.0, 0.8]}", "sparsity: {uniform: [0.0, 0.9]}")
    .replace("lr: {grid: [1.0e-2, 3.0e-3]}", "lr: {loguniform: [1.0e-4, 1.0e-1]}")
    .replace("epsilon: {grid: [0.0, 0.2]}", "epsilon: {grid: [0.0]}")
    .replace("epochs: 3", f"epochs: {EPOCHS}")
    .replace("scheduler: null", "scheduler: {asha: {grace_period: 1, reduction_factor: 3}}")
)
CHECKPOINT, MODEL = b"where it goes on", b"a trained network"
FEW, MANY = 2000, 20_000
UNITS = {
    "plan": ("ms", 1000.0),
    "run": ("ms", 1000.0),
    "run again": ("ms", 1000.0),
    "memory": ("kB", 0.001),
    "tables and log": ("kB", 0.001),
}
"""The plan alone, the sweep, the same command once it is finished; bytes. Unit and scale."""
LARGEST = {"plan": 1.5, "run": 1.25, "run again": 1.5, "memory": 1.1, "tables and log": 1.05}
"""Most that a trial of the large sweep may cost, in those of the small one."""


def measured(algorithm: str, trials: int) -> dict[str, float]:
    """CPU seconds of every part, peak bytes of memory, and bytes of the files written."""
    import sweeps
    from sweeps.execution import ray_sweep

    figures: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(ray_sweep, "prepared", prepared),
        patch.object(ray_sweep, "work", _work),
    ):
        space, storage = Path(folder, "space.yaml"), Path(folder, "storage")
        space.write_text(f"{SPACE}search: {{algorithm: {algorithm}, num_samples: {trials}}}\n")
        silent = sweeps.SilentProgress()
        # One-time imports and compilation are not part of the cost of a trial.
        few = ["search.num_samples=30"]
        sweeps.run(space, storage=Path(folder, "few"), progress=silent, overrides=few)
        parts = {
            "plan": lambda: sweeps.plan(space),
            "run": lambda: sweeps.run(space, storage=storage, progress=silent),
            "run again": lambda: sweeps.run(space, storage=storage, progress=silent),
        }
        before = peak_memory()
        for name, part in parts.items():
            began = time.process_time()
            part()
            figures[name] = time.process_time() - began
        figures["memory"] = max(1, peak_memory() - before)
        files = [storage / "trials.parquet", storage / "epochs.parquet"]
        files += (storage / "log").iterdir()
        figures["tables and log"] = sum(file.stat().st_size for file in files)
    return figures


def _work(execution: Any, preparations: Any, enter: Any, changed: Any, *_: Any) -> bool:
    """Work of the lanes, with segments that complete at once."""
    enter(preparations)
    queue, ledger, engine = execution.queue, execution.ledger, execution.engine
    while job := engine.next() or (queue.more() and engine.next()):
        trial_id = job.trial_id
        ledger.append_unsynced(SegmentStart(trial_id=trial_id, epoch=job.start))
        assert not job.start or ledger.checkpoint(trial_id) == CHECKPOINT
        lr = queue.spec(trial_id)["trial"]["config"]["lr"]
        epochs = range(job.start + 1, job.stop + 1)
        segment: dict[str, Any] = {
            "type": "segment",
            "trial_id": trial_id,
            "facts": {"sparsity_achieved": 0.0},
            "rows": [_row(epoch, lr + 1 / epoch) for epoch in epochs],
        }
        if job.stop == EPOCHS:
            segment |= {"end": {"status": "completed", "cvar_05": lr}, "model": MODEL}
        else:
            segment["checkpoint"] = CHECKPOINT
        ledger.append(ledger.stored_segment(segment))
        changed()
    return True


def _row(epoch: int, loss: float) -> dict[str, Any]:
    losses = {"train_loss": loss, "val_loss": loss, "val_clean_loss": loss}
    return {"epoch": epoch, **losses, "best": True, "seconds": 0.1 * epoch}


def growth(
    *, few: int = FEW, many: int = MANY, rounds: int = 3, algorithm: str = "random"
) -> dict[str, Figure]:
    """Cost of a trial in sweeps of ``many`` trials beside those of ``few``, by name.

    Args:
        few: trials of the small sweep.
        many: trials of the large one.
        rounds: of both sizes.
        algorithm: of the search: ``random``, ``tpe`` or ``nsga2``.
    """
    runs: dict[int, list[dict[str, float]]] = {few: [], many: []}
    for _ in range(rounds):
        for trials, measurements in runs.items():
            measurements.append(in_process("benchmarks.growth", algorithm, trials))
    figures = {}
    for name, (unit, scale) in UNITS.items():
        small, large = (
            [scale * run[name] / trials for run in measurements]
            for trials, measurements in runs.items()
        )
        label = f"{name}, a trial among {many:,} against one among {few:,}"
        figures[label] = figure(large, small, unit=unit, target=1 / LARGEST[name])
    return figures


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measured(sys.argv[1], int(sys.argv[2]))))
    else:
        print_figures(growth())
