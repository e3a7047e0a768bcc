"""Cost of a trial in a small and in a large sweep: no-op trials through the real driver and log.

``python -m benchmarks.growth``: sweeps of 2,000 and of 20,000 trials alternate, each in a process
of its own; medians of the rounds. Driver, queue, engine, ledger, tables, checkpoints and models
are real; the worker is in this process and trains nothing, so all time is overhead. CPU time is
reported in addition to wall time, which includes waiting for the disk and other processes.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

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
PARTS = ("plan", "run", "again")
"""The plan alone, the sweep, and the same command once it is finished."""


def measured(algorithm: str, trials: int) -> dict[str, float]:
    """Seconds, CPU seconds and bytes of memory of every part, and bytes of the files written."""
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
            "again": lambda: sweeps.run(space, storage=storage, progress=silent),
        }
        before = _peak()
        for name in PARTS:
            began, cpu = time.perf_counter(), time.process_time()
            parts[name]()
            figures[f"{name} s"] = time.perf_counter() - began
            figures[f"{name} CPU s"] = time.process_time() - cpu
            figures[f"{name} memory"] = _peak() - before
        for name in ("trials.parquet", "epochs.parquet"):
            figures[name] = (storage / name).stat().st_size
        figures["log"] = sum(file.stat().st_size for file in (storage / "log").iterdir())
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


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs=2, default=[2000, 20000])
    parser.add_argument("--algorithm", choices=["random", "tpe", "nsga2"], default="random")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", action="store_true", help="the second size alone, as JSON")
    options = parser.parse_args()
    few, many = options.trials
    if options.one:
        print(json.dumps(measured(options.algorithm, many)))
        return
    runs: dict[int, list[dict[str, float]]] = {few: [], many: []}
    for _ in range(options.rounds):
        for trials, measurements in runs.items():
            command = [sys.executable, "-m", "benchmarks.growth", "--one"]
            command += ["--trials", "0", str(trials), "--algorithm", options.algorithm]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            measurements.append(json.loads(printed.splitlines()[-1]))
    print(f"{'per trial':<16}{few:>10,} trials{many:>10,} trials   ratio")
    for name in runs[few][0]:
        unit, scale = ("ms", 1000.0) if name.endswith(" s") else ("kB", 0.001)
        a, b = (
            scale * statistics.median(run[name] for run in runs[trials]) / trials
            for trials in (few, many)
        )
        ratio = f"{b / a:.2f}" if a else "-"
        print(f"{name:<16}{a:>14.3f} {unit}{b:>14.3f} {unit}{ratio:>8}")


if __name__ == "__main__":
    main()
