"""Load of every epoch of a large sweep into a DataFrame, against Tune's own ``ResultGrid``.

``python -m benchmarks.loading``: 10,000 trials of 100 epochs each. Seconds, and peak memory of
the process with Python's and pandas' own, each load in a fresh process.
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure, figure, print_figures
from benchmarks.processes import in_process, peak_memory

ROUNDS, TRIALS, EPOCHS = 3, 10_000, 100
PEER_TRIALS = 40
"""Trials that Tune's restore reads; its time is proportional to them."""
LIMIT_S, LIMIT_MB = 0.5, 500.0


def store(storage: Path, *, trials: int, epochs: int) -> None:
    """Write the tables of a sweep of random losses into ``storage``."""
    from benchmarks.noop_trials import entry
    from sweeps.experiments import experiment
    from sweeps.journal import records
    from sweeps.journal.state import SweepState
    from sweeps.journal.tables import write_tables

    state, draw = SweepState("none"), random.Random(0).random
    state.apply(records.DriverStart(format=3, process={}, core="none"))
    for i in range(trials):
        config = {"lr": draw(), "sparsity": 0.9, "seed": i % 5}
        state.apply(entry(i, config, replicate=i % 5, limit=epochs))
        trial_id = f"{i:016x}"
        state.apply(records.SegmentStart(trial_id=trial_id, epoch=0))
        rows = tuple(
            {**{name: draw() for name in _LOSSES}, "epoch": n, "best": True, "seconds": 0.1 * n}
            for n in range(1, epochs + 1)
        )
        end = records.End(status="completed", metrics={})
        state.apply(records.Segment(trial_id=trial_id, rows=rows, end=end))
    write_tables(storage, state, experiment("tickets"))


_LOSSES = ("train_loss", "val_loss", "val_clean_loss", "val_cvar_05", "grad_norm")


def load(storage: str) -> dict[str, float]:
    """Seconds of a load, and peak megabytes of this process."""
    from analysis import load_epochs

    began = time.perf_counter()
    frame = load_epochs(storage)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "mb": peak_memory() / 1e6, "rows": len(frame)}


def grid(trials: int, epochs: int) -> dict[str, float]:
    """Seconds in which ``Tuner.restore`` and its ``ResultGrid`` read a sweep of Tune's own."""
    import pandas as pd
    import ray
    from ray import tune

    def report(config):
        for n in range(1, epochs + 1):
            tune.report(dict.fromkeys(_LOSSES, n / (1 + config["seed"])))

    ray.init(
        address="local",  # never a Ray that runs here
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            report,
            param_space={"seed": tune.grid_search(list(range(trials)))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, name="sweep", verbose=0),
        ).fit()
        began = time.perf_counter()
        results = tune.Tuner.restore(f"{folder}/sweep", trainable=report).get_results()
        frame = pd.concat([result.metrics_dataframe for result in results])
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "mb": peak_memory() / 1e6, "rows": len(frame)}


def loading(
    *,
    trials: int = TRIALS,
    epochs: int = EPOCHS,
    peer_trials: int = PEER_TRIALS,
    rounds: int = ROUNDS,
) -> dict[str, Figure]:
    """Seconds and peak memory of the load of ``trials`` x ``epochs`` rows, by name.

    Tune reads ``peer_trials``, since it takes a second for dozens; its seconds are scaled.
    """
    peer = [in_process("benchmarks.loading", "grid", peer_trials, epochs) for _ in range(rounds)]
    with tempfile.TemporaryDirectory() as storage:
        store(Path(storage), trials=trials, epochs=epochs)
        ours = [in_process("benchmarks.loading", "load", storage) for _ in range(rounds)]
    assert {run["rows"] for run in ours} == {trials * epochs}
    assert {run["rows"] for run in peer} == {peer_trials * epochs}
    seconds = [run["seconds"] for run in ours]
    scaled = [run["seconds"] * trials / peer_trials for run in peer]
    name = f"load of {trials:,} x {epochs} rows"
    return {
        name: figure(seconds, [LIMIT_S], unit="s"),
        f"{name}, memory": figure([run["mb"] for run in ours], [LIMIT_MB], unit="MB"),
        f"{name}, ResultGrid": figure(seconds, scaled, unit="s"),
    }


def main() -> None:
    match sys.argv[1:]:
        case ["load", storage]:
            print(json.dumps(load(storage)))
        case ["grid", trials, epochs]:
            print(json.dumps(grid(int(trials), int(epochs))))
        case _:
            print_figures(loading())


if __name__ == "__main__":
    main()
