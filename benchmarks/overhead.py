"""Overhead of a trial: no-op trials in lanes and in a plain Tune script, and the driver's memory.

``python -m benchmarks.overhead``: the variants alternate on the same two slots, each in a fresh
process, in sweeps of :data:`TRIALS`; medians of three rounds. The plain script is the usual
``Tuner(function).fit()``; with ``reuse_actors=True`` it is the fastest that Tune itself offers.
The start of workers is in the time of a sweep, and is not in the time of a further trial, which
is the difference between the sweeps of two sizes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from benchmarks.figure import Figure, figure, print_figures

ROUNDS = 3
SLOTS = 2
TRIALS = {
    "lanes": (10, 100, 1000, 10000),
    "tune, reusing actors": (100, 1000),
    "tune": (4, 20),
}
LIMIT_MS, LIMIT_KIB = 4.0, 15.0
"""Of a no-op trial, start included where there are 1,000, and of the driver's memory."""


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

        opening = SimpleNamespace(pending=[], poll=dict)
        began = time.perf_counter()
        execution = Execution(
            plan=SimpleNamespace(
                space=SimpleNamespace(resources=Resources(), experiment="tickets")
            ),
            queue=SimpleNamespace(
                spec=lambda trial_id: {"trial": {"trial_id": trial_id}, "limit": 1, "epochs": 1},
                more=lambda: False,
                exhausted=True,
            ),
            ledger=ledger,
            engine=engine,
            message=print,
        )
        run_lanes(execution, lambda *_, **__: Noop(), opening, changed, lanes=SLOTS)
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


def overhead(
    trials: Mapping[str, Sequence[int]] = TRIALS, *, rounds: int = ROUNDS
) -> dict[str, Figure]:
    """Milliseconds of a trial and KiB of the driver, by name.

    Args:
        trials: ascending sizes of the sweeps of each of :data:`SIDES`, two at least; the two
            largest give a further trial, and the largest of the lanes the memory.
        rounds: of all sides and sizes.
    """
    cases = [(side, size) for side, sizes in trials.items() for size in sizes]
    runs: dict[tuple[str, int], list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            runs[case].append(_in_process(*case))
    ours = trials["lanes"]
    figures = {
        f"{size:,} no-op trials, start included": figure(
            _milliseconds(runs["lanes", size], size), [LIMIT_MS], unit="ms per trial"
        )
        for size in ours
    }
    further = {side: _further(runs, side, sizes[-2:]) for side, sizes in trials.items()}
    figures["a further no-op trial"] = figure(further["lanes"], [LIMIT_MS], unit="ms")
    for side in trials.keys() - {"lanes"}:
        figures[f"a further no-op trial, {side}"] = figure(
            further["lanes"], further[side], unit="ms"
        )
    memory = [run["bytes_per_trial"] / 1024 for run in runs["lanes", ours[-1]]]
    figures["memory of the driver"] = figure(memory, [LIMIT_KIB], unit="KiB per trial")
    return figures


def _in_process(side: str, trials: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.overhead", side, str(trials)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(printed.strip().splitlines()[-1])


def _milliseconds(runs: Sequence[Mapping[str, float]], trials: int) -> list[float]:
    return [1000 * run["seconds"] / trials for run in runs]


def _further(
    runs: Mapping[tuple[str, int], Sequence[Mapping[str, float]]], side: str, sizes: Sequence[int]
) -> list[float]:
    """Milliseconds of a trial more, from sweeps of two ``sizes`` in each round."""
    few, many = sizes
    pairs = zip(runs[side, few], runs[side, many], strict=True)
    return [1000 * (b["seconds"] - a["seconds"]) / (many - few) for a, b in pairs]


def main() -> None:
    print_figures(overhead())


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(SIDES[sys.argv[1]](int(sys.argv[2]))))
    else:
        main()
