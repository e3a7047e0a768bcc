"""Figure of a benchmark: our measurement beside that of a peer, or beside a limit."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TypedDict


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
