"""Figure of a benchmark: our measurement beside that of a peer, or beside a limit."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypedDict

Runs = Mapping[str, Callable[[], object]]


class Figure(TypedDict):
    """Medians of the runs of both sides; smaller measurements are better."""

    ratio: float  # other over ours
    target: float  # smallest ratio that is good enough
    ours: float
    other: float  # of the peer, or the limit
    unit: str
    runs: int


def figure(
    ours: Sequence[float], other: Sequence[float], *, unit: str, target: float = 1.0
) -> Figure:
    """Figure of measurements that are better if smaller; ``other`` may be one limit."""
    a, b = median(ours), median(other)
    return Figure(ratio=b / a, target=target, ours=a, other=b, unit=unit, runs=len(ours))


def print_figures(figures: Mapping[str, Figure]) -> None:
    """Print a table of ``figures``."""
    width = max(map(len, figures))
    for name, f in figures.items():
        met = "met" if f["ratio"] >= f["target"] else "missed"
        print(
            f"{name:{width}s}  {f['ours']:10.3f} and {f['other']:10.3f} {f['unit']}: "
            f"{f['ratio']:.2f}, target {f['target']:.2f} {met}, {f['runs']} runs"
        )


def alternated(contestants: Runs, *, rounds: int, least: float = 0.2) -> dict[str, list[float]]:
    """CPU milliseconds of a call of each, by round; all alternate, so that load affects all.

    A measurement repeats a call until ``least`` seconds have passed.
    """
    counts = {}
    for name, run in contestants.items():
        run()  # warms up
        begin = time.process_time()
        run()
        counts[name] = max(1, round(least / max(time.process_time() - begin, 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            begin = time.process_time()
            for _ in range(counts[name]):
                run()
            times[name].append(1000 * (time.process_time() - begin) / counts[name])
    return times
