"""Overhead of a trial: no-op trials in lanes and in a plain Tune script, and the driver's memory.

``python -m benchmarks.overhead``: the variants alternate on the same two slots, each in a fresh
process, in sweeps of :data:`TRIALS`; medians of three rounds. The plain script is the usual
``Tuner(function).fit()``; with ``reuse_actors=True`` it is the fastest that Tune itself offers.
The start of workers is in the time of a sweep, and is not in the time of a further trial, which
is the difference between the sweeps of two sizes.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from benchmarks.figure import Figure, figure, print_figures
from benchmarks.processes import in_process

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
    """Seconds of no-op ``trials`` in lanes, and bytes by which the driver grows with each."""

    from benchmarks.noop_trials import noop_trials
    from search_spaces import Resources
    from sweeps.environment import defaults, environment
    from sweeps.execution.execution import Execution
    from sweeps.execution.lanes import run_lanes
    from sweeps.execution.ray_runtime import STARTING

    class Noop:
        facts: dict[str, float] = {}  # noqa: RUF012

        def epochs(self):
            yield {"epoch": 1, "val_loss": 0.0, "best": True, "seconds": 0.0}

        def checkpoint(self):
            return b""

        def finish(self):
            return {"seconds": 0.0}, None

    with environment(defaults(STARTING)):
        _start_ray()
    memory: list[tuple[int, int]] = []
    with noop_trials(trials) as (engine, ledger):

        def changed() -> None:
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
            steering=SimpleNamespace(take_up=lambda: None),
            message=print,
        )
        run_lanes(execution, lambda *_, **__: Noop(), opening, changed, lanes=SLOTS)
        took = time.perf_counter() - began
    late = [point for point in memory if point[0] >= trials // 5]
    growth = (late[-1][1] - late[0][1]) / (late[-1][0] - late[0][0]) if len(late) > 1 else 0.0
    return {"seconds": took, "bytes_per_trial": max(growth, 1.0)}  # too few trials to measure


def plain(trials: int, *, reuse: bool) -> dict[str, float]:
    """Seconds of no-op ``trials`` in a plain Tune script; ``reuse`` of the actors."""
    from ray import tune

    _start_ray()

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
            runs[case].append(in_process("benchmarks.overhead", *case))
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


def _start_ray() -> None:
    import ray

    ray.init(
        address="local",  # never a Ray that runs here
        num_cpus=SLOTS,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
    )


def _milliseconds(runs: Sequence[Mapping[str, float]], trials: int) -> list[float]:
    return [1000 * run["seconds"] / trials for run in runs]


def _further(
    runs: Mapping[tuple[str, int], Sequence[Mapping[str, float]]], side: str, sizes: Sequence[int]
) -> list[float]:
    """Milliseconds of a trial more, from sweeps of two ``sizes`` in each round."""
    few, many = sizes
    pairs = zip(runs[side, few], runs[side, many], strict=True)
    return [1000 * (b["seconds"] - a["seconds"]) / (many - few) for a, b in pairs]


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(SIDES[sys.argv[1]](int(sys.argv[2]))))
    else:
        print_figures(overhead())
