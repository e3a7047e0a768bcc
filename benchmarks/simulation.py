"""A schedule in virtual time: our engine, and Ray's own ASHA on the same curves.

``python -m benchmarks simulation``: CPU seconds for 5,000 synthetic curves of the paper's space on
eight workers, as ``hedgesweep simulate tickets_paper --trials 5000 --stock`` replays them.
"""

import time
from collections.abc import Callable

from benchmarks.figure import Figure, figure, print_figures
from sweeps.simulation.curves import source
from sweeps.simulation.simulate import simulate

TRIALS, WORKERS = 5000, 8


def simulation(*, trials: int = TRIALS, rounds: int = 3) -> dict[str, Figure]:
    """CPU seconds of a simulation of ``trials`` curves, by name."""
    curves = source("tickets_paper", trials=trials)
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for stock, durations in times.items():
            durations.append(
                _seconds(
                    lambda stock=stock: simulate(
                        curves.curves, curves.rule, workers=WORKERS, stock=stock
                    )
                )
            )
    name = f"simulation of {trials:,} trials, Ray's ASHA"
    return {name: figure(times[False], times[True], unit="s")}


def _seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


if __name__ == "__main__":
    print_figures(simulation())
