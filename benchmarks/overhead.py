"""Overhead of a trial: no-op trials in lanes and in a plain Tune script.

``python -m benchmarks.overhead``: the variants alternate on the same two slots, each in a fresh
process; medians of three rounds. The plain script is the usual ``Tuner(function).fit()``; with
``reuse_actors=True`` it is the fastest that Tune itself offers.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

ROUNDS = 3
SLOTS = 2
TRIALS = {"lanes": 1000, "tune, reusing actors": 1000, "tune": 20}


def rss() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def lanes(trials: int) -> dict[str, float]:
    import ray

    from search_spaces import Resources
    from sweeps.environment import defaults, environment
    from sweeps.execution.execution import Execution
    from sweeps.execution.lanes import run_lanes
    from sweeps.execution.ray_runtime import STARTING
    from sweeps.experiments import experiment
    from sweeps.journal.records import TrialEntry
    from sweeps.scheduling.engine import Engine
    from sweeps.scheduling.ledger import Ledger

    class Noop:
        facts: dict[str, float] = {}  # noqa: RUF012

        def epochs(self):
            yield {"epoch": 1, "val_loss": 0.0, "best": True, "seconds": 0.0}

        def checkpoint(self):
            return b""

        def finish(self):
            return {"seconds": 0.0}, None

    options = {"include_dashboard": False, "logging_level": "ERROR", "log_to_driver": False}
    with environment(defaults(STARTING)):
        ray.init(num_cpus=SLOTS, **options)
    memory: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(None)
        ledger = Ledger(Path(folder), core="none", engine=engine, experiment=experiment("tickets"))
        ledger.append(
            *(
                TrialEntry(
                    trial_id=f"{i:016x}",
                    index=i,
                    config={"lr": 1e-3, "seed": i},
                    group=str(i),
                    stratum="",
                    replicate=0,
                    limit=1,
                    columns={},
                )
                for i in range(trials)
            )
        )

        first: list[float] = []

        def changed() -> None:
            first.append(time.perf_counter())
            ended = trials - engine.unfinished_count
            if ended % 100 == 0 and (not memory or memory[-1][0] != ended):
                memory.append((ended, rss()))

        began = time.perf_counter()
        execution = Execution(
            plan=SimpleNamespace(space=SimpleNamespace(resources=Resources())),
            queue=SimpleNamespace(
                spec=lambda trial_id: {"trial": {"trial_id": trial_id}, "limit": 1, "epochs": 1},
                more=lambda: False,
                exhausted=True,
            ),
            ledger=ledger,
            engine=engine,
            message=print,
        )
        run_lanes(execution, lambda trial, checkpoint: Noop(), changed, lanes=SLOTS)
        took = time.perf_counter() - began
        ledger.close()
    assert engine.unfinished_count == 0
    late = [point for point in memory if point[0] >= trials // 5]
    growth = (late[-1][1] - late[0][1]) / (late[-1][0] - late[0][0]) if len(late) > 1 else 0.0
    return {"seconds": took, "started": first[-1] - first[0], "bytes_per_trial": growth}


def plain(trials: int, *, reuse: bool) -> dict[str, float]:
    import ray
    from ray import tune

    ray.init(num_cpus=SLOTS, include_dashboard=False, logging_level="ERROR", log_to_driver=False)

    def noop(config):
        import torch  # noqa: F401 (as in every real trial)

        tune.report({"val_loss": 0.0})

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            noop,
            param_space={"seed": tune.grid_search(list(range(trials)))},
            tune_config=tune.TuneConfig(reuse_actors=reuse),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
    return {"seconds": time.perf_counter() - began}


SIDES = {
    "lanes": lanes,
    "tune, reusing actors": lambda trials: plain(trials, reuse=True),
    "tune": lambda trials: plain(trials, reuse=False),
}


def main() -> None:
    results: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(ROUNDS):
        for side, trials in TRIALS.items():
            command = [sys.executable, "-m", "benchmarks.overhead", side, str(trials)]
            process = subprocess.run(command, capture_output=True, text=True, check=True)
            results[side].append(json.loads(process.stdout.strip().splitlines()[-1]))
    each = {
        side: [1000 * run["seconds"] / TRIALS[side] for run in runs]
        for side, runs in results.items()
    }
    print(f"{'':24s}{'trials':>8s}{'ms per trial':>14s}{'of lanes':>10s}   rounds")
    ours = statistics.median(each["lanes"])
    for side, values in each.items():
        median = statistics.median(values)
        rounds = ", ".join(f"{value:.1f}" for value in values)
        print(f"{side:24s}{TRIALS[side]:8d}{median:14.1f}{median / ours:10.1f}   {rounds}")
    growth = statistics.median(run["bytes_per_trial"] for run in results["lanes"])
    print(f"memory of the driver: {growth / 1024:.1f} KiB per trial")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(SIDES[sys.argv[1]](int(sys.argv[2]))))
    else:
        main()
