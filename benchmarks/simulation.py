"""A schedule in virtual time: our engine, and Ray's own ASHA on the same curves.

``python -m benchmarks simulation``: 5,000 synthetic curves of the paper's space, as ``hedgesweep
simulate tickets_paper --trials 5000 --stock`` replays them. CPU seconds of the simulation, and
its makespan on each number of workers, which is the same in every run.
"""

import time
from collections.abc import Sequence

from benchmarks.figure import Figure, figure, print_figures
from sweeps.simulation.curves import source
from sweeps.simulation.simulate import simulate

TRIALS, WORKERS = 5000, (1, 8, 500)
LONGEST = 1.05
"""Largest makespan that is good enough, in those of Ray's ASHA."""


def simulation(
    *, trials: int = TRIALS, workers: Sequence[int] = WORKERS, rounds: int = 3
) -> dict[str, Figure]:
    """CPU seconds and virtual hours of the schedule of ``trials`` curves, by name."""
    curves = source("tickets_paper", trials=trials)
    times: dict[tuple[int, bool], list[float]] = {}
    spans: dict[tuple[int, bool], float] = {}
    for _ in range(rounds):
        for count in workers:
            for stock in (False, True):
                began = time.process_time()
                run = simulate(curves.curves, curves.rule, workers=count, stock=stock)
                times.setdefault((count, stock), []).append(time.process_time() - began)
                spans[count, stock] = run.makespan / 3600
    figures = {}
    for count in workers:
        name = f"{trials:,} trials on {count:,} workers, Ray's ASHA"
        ours, other = times[count, False], times[count, True]
        figures[f"simulation of {name}"] = figure(ours, other, unit="s")
        figures[f"makespan of {name}"] = figure(
            [spans[count, False]], [spans[count, True]], unit="h", target=1 / LONGEST
        )
    return figures


if __name__ == "__main__":
    print_figures(simulation())
