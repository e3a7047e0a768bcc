"""Kills, signals and dying workers: lost and repeated work of a sweep, and its overhead.

The sweep is that of the reliability tests: 16 trials of a few milliseconds, in two strata and at
two seeds, under ASHA with audits. Nearly all its time is the start of a driver, so the overhead of
a kill is a worst case. Run it as ``python -m benchmarks.kills`` from the root of
the repository.
"""

import argparse
import random
import signal
import statistics
import tempfile
import time
from pathlib import Path

from sweeps.outcome import SOME_FAILED
from tests.reliability.sweeping import (
    AUDIT,
    SPACE,
    Driver,
    Toll,
    at_the_start,
    killed,
    same,
    soon_after_it_goes_on,
    while_it_prepares,
)

# A sweep completes after some kills; the next one takes the remaining kills.
MOMENTS = [while_it_prepares, at_the_start, *[soon_after_it_goes_on] * 5]
LONG = ("--set", "study.training.epochs=400", "--set", "scheduler=null")


def undisturbed(space: Path, storage: Path) -> float:
    """Seconds of the sweep without a kill."""
    began = time.monotonic()
    with Driver(space, storage, "--audit", str(AUDIT)) as driver:
        assert driver.ends() == SOME_FAILED, driver.errors
    return time.monotonic() - began


def kills(space: Path, folder: Path, *, number: int, seed: int) -> tuple[list[Toll], float]:
    """Sweeps killed ``number`` times in total, and the seconds of an undisturbed one."""
    alone = undisturbed(space, folder / "undisturbed")
    generator, tolls = random.Random(seed), []
    while (remaining := number - sum(toll.kills for toll in tolls)) > 0:
        storage = folder / f"killed {len(tolls)}"
        tolls.append(killed(space, storage, MOMENTS[:remaining], generator))
        same(storage, folder / "undisturbed")
    return tolls, alone


def to_exit(space: Path, storage: Path, number: int) -> float:
    """Seconds from the signal, while trials run, to the end of the driver."""
    with Driver(space, storage, *LONG) as driver:
        assert driver.records(20), driver.errors
        began = time.monotonic()
        assert driver.interrupt(number) == 128 + number, driver.errors
        return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", type=int, default=3, help="of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder, "space.yaml")
        space.write_text(SPACE)
        tolls, alone = kills(space, Path(folder), number=options.kills, seed=options.seed)
        kill_count = sum(toll.kills for toll in tolls)
        seconds = sum(toll.seconds for toll in tolls)
        print(
            "| kills | sweeps | ends acknowledged | lost | rungs restarted per kill "
            "| epochs recorded twice | overhead |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- |")
        print(
            f"| {kill_count} | {len(tolls)} | {sum(toll.acknowledged for toll in tolls)} | 0 "
            f"| {sum(toll.begun_again for toll in tolls) / kill_count:.2f} "
            f"| {sum(toll.repeated for toll in tolls)} "
            f"| {(seconds / len(tolls) - alone) / (kill_count / len(tolls)):.1f} s per kill, "
            f"{100 * (seconds / len(tolls) / alone - 1):.0f} % of {alone:.1f} s |"
        )
        print("\n| signal | seconds to exit: median | most |\n| --- | --- | --- |")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            durations = [
                to_exit(space, Path(folder, f"{number.name} {n}"), number)
                for n in range(options.signals)
            ]
            print(f"| {number.name} | {statistics.median(durations):.1f} | {max(durations):.1f} |")


if __name__ == "__main__":
    main()
