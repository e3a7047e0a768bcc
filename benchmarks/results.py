"""Results of benchmarks: ratios of medians that alternate in one run, with their targets."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

Runs = Mapping[str, Callable[[], object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two quantities measured side by side.

    Args:
        ratio: the figure that has the target: a speed-up, a share, or an amount.
        target: what the ratio shall be.
        better: "more" if it shall be at least the target, "less" if at most.
        ours: median of ours, in ``unit``.
        other: median of the other; None for an amount without a peer.
        unit: of both.
        runs: number of measurements of each.
    """

    ratio: float
    target: float
    better: str = "more"
    ours: float
    other: float | None
    unit: str
    runs: int

    @property
    def reached(self) -> bool:
        """True if the ratio is at its target or better."""
        return self.ratio >= self.target if self.better == "more" else self.ratio <= self.target

    def plain(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def faster(
    seconds: Mapping[str, float], ours: str, other: str, *, target: float, runs: int
) -> Comparison:
    """How many times as fast ``ours`` is as ``other``, from median seconds by name."""
    return Comparison(
        ratio=seconds[other] / seconds[ours],
        target=target,
        ours=1000 * seconds[ours],
        other=1000 * seconds[other],
        unit="ms",
        runs=runs,
    )


def medians(contestants: Runs, *, repeats: int, least: float = 0.2) -> dict[str, float]:
    """Median CPU seconds of one call of each; all alternate, so that load affects all equally.

    A measurement repeats a call until ``least`` seconds have passed.
    """
    counts = {}
    for name, run in contestants.items():
        run()  # warms up
        begin = time.process_time()
        run()
        counts[name] = max(1, round(least / max(time.process_time() - begin, 1e-6)))
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            begin = time.process_time()
            for _ in range(counts[name]):
                run()
            seconds[name].append((time.process_time() - begin) / counts[name])
    return {name: statistics.median(values) for name, values in seconds.items()}


def print_table(compared: Mapping[str, Comparison]) -> None:
    """Print a line per comparison."""
    for name, one in compared.items():
        other = "" if one.other is None else f", other {one.other:.3g} {one.unit}"
        bound = "at least" if one.better == "more" else "at most"
        state = "" if one.reached else "  MISSED"
        print(
            f"{name}: {one.ratio:.3g} ({bound} {one.target:g}); "
            f"ours {one.ours:.3g} {one.unit}{other}{state}",
            flush=True,
        )
