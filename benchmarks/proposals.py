"""Cost of a proposal, compared with Optuna's own sampler in an ask-and-tell loop.

``python -m benchmarks.proposals``: the search and a bare study alternate, proposal by proposal,
in one process, with the same sampler, axes, objectives and delay; medians of the last fifty
proposals at each size, in milliseconds of CPU time. The last column is the same proposal rebuilt
from its record.
"""

import argparse
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from search_spaces import Grid, LogUniform, Resources, Search, SearchSpace, Uniform
from sweeps.scheduling.optuna_search import OptunaSearch, Outcome

DELAY = 8
AXES = {"x": Uniform(-1.0, 1.0), "y": LogUniform(1e-4, 1.0), "seed": Grid((0, 1))}
SAMPLERS: Mapping[str, Callable[[], BaseSampler]] = {
    "tpe": lambda: TPESampler(seed=0),
    "nsga2": lambda: NSGAIISampler(seed=0, population_size=20),
}


def values(config: Mapping[str, Any], objectives: int) -> tuple[float, ...]:
    distance = (config["x"] - 0.3) ** 2 + (math.log10(config["y"]) + 2) ** 2 / 4
    return (distance, config["x"] ** 2)[:objectives]


def searching(algorithm: str, count: int, objectives: int, records: Any = None) -> OptunaSearch:
    space = SearchSpace(
        experiment="tickets",
        space=AXES,
        study={},
        search=Search(algorithm=algorithm, num_samples=count, delay=DELAY),
        scheduler=None,
        resources=Resources(),
        name="timed",
        text="",
    )
    directions = ["minimize"] * objectives
    return OptunaSearch(space, directions=directions, name="timed", records=records)


def ours(search: OptunaSearch, count: int, objectives: int) -> Iterator[None]:
    """One proposal per step, after the outcome that it waits for."""
    configs: list[Mapping[str, Any]] = []
    for number in range(count):
        if number >= DELAY:
            measured = values(configs[number - DELAY], objectives)
            outcome = Outcome(state="complete", values=measured, steps={})
            search.tell(number - DELAY, outcome)
        config = search.ask(number)
        assert config is not None
        configs.append(config)
        yield


def bare(algorithm: str, count: int, objectives: int) -> Iterator[None]:
    """One proposal per step of a plain Optuna study."""
    study = optuna.create_study(
        sampler=SAMPLERS[algorithm](), directions=["minimize"] * objectives
    )
    pending: deque[tuple[optuna.Trial, dict[str, Any]]] = deque()
    for _ in range(count):
        if len(pending) == DELAY:
            trial, config = pending.popleft()
            study.tell(trial, values(config, objectives))
        trial = study.ask()
        config = {"x": trial.suggest_float("x", -1, 1)}
        config["y"] = trial.suggest_float("y", 1e-4, 1, log=True)
        pending.append((trial, config))
        yield


def timed(*sides: Iterator[None]) -> list[list[float]]:
    """CPU milliseconds of every step of ``sides``, which alternate."""
    milliseconds: list[list[float]] = [[] for _ in sides]
    while True:
        for side, times in zip(sides, milliseconds, strict=True):
            began = time.process_time()
            try:
                next(side)
            except StopIteration:
                return milliseconds
            times.append(1000 * (time.process_time() - began))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 800, 3000])
    sizes = parser.parse_args().sizes
    print(f"{'':8}{'objectives':>12}{'proposals':>11}{'Optuna':>9}{'ours':>7}{'ratio':>7}   again")
    for algorithm in SAMPLERS:
        for objectives in (1, 2):
            count = max(sizes)
            search = searching(algorithm, count, objectives)
            milliseconds = timed(
                bare(algorithm, count, objectives), ours(search, count, objectives)
            )
            records = {number: search.record(number) for number in range(count)}
            rebuilt = searching(algorithm, count, objectives, records)
            milliseconds += timed(ours(rebuilt, count, objectives))
            for size in sizes:
                alone, of_ours, again = (
                    statistics.median(times[size - 50 : size]) for times in milliseconds
                )
                print(
                    f"{algorithm:8}{objectives:12}{size:11,}{alone:9.2f}{of_ours:7.2f}"
                    f"{of_ours / alone:7.2f}{again:8.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
