"""Makespan of equal trials on many slots against the floor, trials x seconds / slots.

``python -m benchmarks.simulated_slots``: 10,000 trials of a second on 16 slots, in virtual time.
Every event costs what the driver of a real sweep costs: engine, ledger and log with its ``fsync``
are real and are timed, and since there is one driver, an event waits for those before it.
"""

import heapq
import time

from benchmarks.figure import Figure, figure, print_figures
from benchmarks.noop_trials import noop_trials
from sweeps.journal.records import End, Segment, SegmentStart

ROUNDS, TRIALS, SLOTS, SECONDS = 3, 10_000, 16, 1.0
TRANSPORT = 0.003
"""Seconds of Ray and of the worker's process for one order and its result, beside the driver."""
LARGEST_EXCESS = 1.03


def makespan(*, trials: int, slots: int, seconds: float) -> float:
    """Virtual seconds to the end of the last trial."""
    row = {"epoch": 1, "val_loss": 0.0, "best": True, "seconds": seconds}
    end = End(status="completed", metrics={"seconds": seconds})
    events: list[tuple[float, int, str | None]] = [(0.0, slot, None) for slot in range(slots)]
    free = 0.0  # virtual time from which the driver is free
    with noop_trials(trials) as (engine, ledger):
        while events:
            arrival, slot, trial_id = heapq.heappop(events)
            began = time.perf_counter()
            if trial_id is not None:
                ledger.append(Segment(trial_id=trial_id, rows=(row,), end=end))
            job = engine.next()
            if job is not None:
                ledger.append_unsynced(SegmentStart(trial_id=job.trial_id, epoch=job.start))
            free = max(free, arrival) + time.perf_counter() - began
            if job is not None:
                heapq.heappush(events, (free + seconds + TRANSPORT, slot, job.trial_id))
    return free


def simulated_slots(
    *, trials: int = TRIALS, slots: int = SLOTS, seconds: float = SECONDS, rounds: int = ROUNDS
) -> dict[str, Figure]:
    """Virtual seconds of ``trials`` against the floor that ``slots`` allow, by name."""
    spans = [makespan(trials=trials, slots=slots, seconds=seconds) for _ in range(rounds)]
    name = f"{trials:,} x {seconds:g} s on {slots} simulated slots"
    floor = [trials * seconds / slots]
    return {name: figure(spans, floor, unit="s", target=1 / LARGEST_EXCESS)}


if __name__ == "__main__":
    print_figures(simulated_slots())
