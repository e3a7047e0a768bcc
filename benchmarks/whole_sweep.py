"""Whole sweeps of tickets: ours, a plain Ray Tune script, and a loop as in a notebook.

``python -m benchmarks whole_sweep``: wall seconds from the command to its end, imports, the start
of Ray, the dense network and the tests of every trial included. Each run is a fresh process, and
the sides alternate. The peer is :mod:`benchmarks.plain_sweep`, whose text names what differs; the
dense tickets of both sides have to reach equal validation losses. Most of the time, about an hour
on two cores, is that of the peers.

Two cores against one is the time of the part in trials: from the start of the first segment to the
end of the last one, as the log has them, with two lanes and with one. So the start of Ray and the
preparation are left out, and what the driver, the baselines and the last, unevenly long trials
cost is included. All processes of the sweep in one lane are bound to one core.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.figure import Figure, figure, print_figures
from benchmarks.processes import in_process

RATES = (5e-3, 1e-2, 2e-3, 1e-3)
SHORT = 12
"""Epochs of the sweeps without early stopping."""
SHIPPED: Mapping[str, Any] = {
    "space.seed.grid": [0],
    "study.evaluation": {"path_pgd": [0.1], "steps": 5, "interpreted_paths": 512},
}
"""What the peer computes of the shipped space, whatever else the space asks for."""
STOCK = {"grace_period": 6, "reduction_factor": 4, "stratify_by": ["sparsity", "epsilon"]}
TARGETS = {"tune": 3.5, "loop": 3.5, "asha": 12.0, "stock_asha": 1.0, "cores": 1.9}
NEARNESS = 0.05
"""Largest relative difference of the validation losses of the two sides' dense tickets.

Other draws of the training and validation paths and of theta_0 move it by 0.01 each.
"""


def ours(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Validation losses of the dense tickets, seconds of the part in trials, failures.

    With ``lanes``, the sweep has as many, on as many cores.
    """
    import sweeps
    from sweeps.monitoring.throughput import Tallies

    if lanes := arguments["lanes"]:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:lanes])
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder, "storage")
        sweep = sweeps.run(
            "tickets",
            storage=storage,
            overrides=arguments["overrides"],
            max_concurrent=lanes,
            progress=sweeps.SilentProgress(),
        )
        assert not sweep.unfinished
        tally, _ = Tallies(storage).look()
    assert tally.first is not None
    assert tally.last is not None
    return {
        "dense_losses": [
            best["val_loss"]
            for trial in sweep.states.values()
            if trial.config["sparsity"] == trial.config["epsilon"] == 0 and (best := trial.best())
        ],
        "trial_seconds": tally.last - tally.first,
        "problems": sweep.problems(),
    }


def whole_sweep(
    sizes: Mapping[str, int] | None = None,
    *,
    rates: Sequence[float] = RATES,
    sides: Sequence[str] = tuple(TARGETS),
    rounds: int = 3,
) -> dict[str, Figure]:
    """Seconds of whole sweeps beside those of their peers, by name.

    Args:
        sizes: those of :class:`.plain_hedge.Sizes` that differ from the shipped ones.
        rates: learning rates; the sweeps of 12 tickets have the first only.
        sides: peers, of :data:`TARGETS`.
        rounds: of all sides.
    Raises:
        AssertionError: the dense tickets of a peer reach other losses than ours, or one of our
            trials failed; unless ``sizes`` are given.
    """
    sizes = dict(sizes or {})
    short = {**sizes, "epochs": min(SHORT, sizes.get("epochs", SHORT))}
    runs: dict[str, tuple[list[float], list[float]]] = {side: ([], []) for side in sides}
    for _ in range(rounds):
        if peers := [side for side in ("tune", "loop") if side in sides]:
            mine = _ours(short, rates[:1], scheduler=None)
            for side in peers:
                _add(runs[side], mine, _peer(side, short, rates[:1]), sizes)
        if peers := [side for side in ("asha", "stock_asha") if side in sides]:
            mine = _ours(sizes, rates)
            for side in peers:
                stock = {"stock_asha": STOCK}
                other = (
                    _ours(sizes, rates, scheduler=stock)
                    if side == "stock_asha"
                    else _peer(side, sizes, rates)
                )
                _add(runs[side], mine, other, sizes)
        if "cores" in sides:
            two, one = (_ours(short, rates, lanes=n, scheduler=None) for n in (2, 1))
            runs["cores"][0].append(two["trial_seconds"])
            runs["cores"][1].append(one["trial_seconds"])
    names = {
        "tune": f"12 tickets x {short['epochs']} epochs, a plain Tune script",
        "loop": f"12 tickets x {short['epochs']} epochs, a sequential loop",
        "asha": f"{12 * len(rates)} tickets with ASHA, a plain Tune script with stock ASHA",
        "stock_asha": f"{12 * len(rates)} tickets with ASHA, the same with Ray's ASHA",
        "cores": f"{12 * len(rates)} tickets in two lanes on two cores, in one on one core",
    }
    return {
        names[side]: figure(mine, other, unit="s", target=TARGETS[side])
        for side, (mine, other) in runs.items()
    }


def _ours(
    sizes: Mapping[str, int], rates: Sequence[float], *, lanes: int | None = None, **more: Any
) -> dict[str, Any]:
    keys = {
        "epochs": "study.training.epochs",
        "train": "study.market.train_paths",
        "val": "study.market.val_paths",
        "test": "study.market.test_paths",
        "batch": "study.training.batch_size",
    }
    overrides = {**SHIPPED, **{keys[name]: n for name, n in sizes.items() if name in keys}, **more}
    if hidden := sizes.get("hidden"):
        overrides["study.network.hidden"] = [hidden, hidden]
    overrides["space.lr.grid"] = list(rates)
    arguments = {"overrides": overrides, "lanes": lanes}
    return in_process("benchmarks.whole_sweep", json.dumps(arguments))


def _peer(side: str, sizes: Mapping[str, int], rates: Sequence[float]) -> dict[str, Any]:
    arguments = {"sizes": sizes, "rates": list(rates)}
    return in_process("benchmarks.plain_sweep", side, json.dumps(arguments))


def _add(
    runs: tuple[list[float], list[float]],
    mine: Mapping[str, Any],
    other: Mapping[str, Any],
    sizes: Mapping[str, int],
) -> None:
    """Add the seconds of both sides, whose dense tickets are as good unless they are tiny."""
    a, b = (median(side["dense_losses"]) for side in (mine, other))
    if not sizes:
        assert abs(a - b) <= NEARNESS * abs(a), f"dense tickets differ: {a:g} and {b:g}"
        assert not mine["problems"], mine["problems"]
    runs[0].append(mine["wall"])
    runs[1].append(other["wall"])


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(ours(json.loads(sys.argv[1]))))
    else:
        print_figures(whole_sweep())
