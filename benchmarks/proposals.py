"""Cost of a proposal, compared with Optuna's own sampler in an ask-and-tell loop.

``python -m benchmarks proposals``: the search and a bare study alternate, proposal by proposal, in
one process, with the same sampler, axes, objectives and delay; medians of the last fifty proposals
at each size, in milliseconds of CPU time.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from benchmarks.figure import Figure, figure, print_figures
from search_spaces import Grid, LogUniform, Resources, Search, SearchSpace, Uniform
from sweeps.scheduling.optuna_search import OptunaSearch, Outcome

DELAY = 8
SIZES = (100, 800, 3000)
LAST = 50
"""Proposals of which a median is taken."""
AXES = {"x": Uniform(-1.0, 1.0), "y": LogUniform(1e-4, 1.0), "seed": Grid((0, 1))}
SAMPLERS: Mapping[str, Callable[[], BaseSampler]] = {
    "tpe": lambda: TPESampler(seed=0),
    "nsga2": lambda: NSGAIISampler(seed=0, population_size=20),
}
LARGEST = {"tpe": 1.1, "nsga2": 1.5}
"""Most that a proposal may cost, in those of Optuna."""


def proposals(sizes: Sequence[int] = SIZES) -> dict[str, Figure]:
    """Milliseconds of a proposal after ``sizes`` of them, beside Optuna's, by name."""
    return {
        f"{algorithm} of {plural}, proposal {size:,}, Optuna": figure(
            ours[max(0, size - LAST) : size],
            bare[max(0, size - LAST) : size],
            unit="ms",
            target=1 / LARGEST[algorithm],
        )
        for algorithm in SAMPLERS
        for objectives, plural in ((1, "one objective"), (2, "two objectives"))
        for bare, ours in [_alternated(algorithm, max(sizes), objectives)]
        for size in sizes
    }


def _alternated(algorithm: str, count: int, objectives: int) -> list[list[float]]:
    """CPU milliseconds of ``count`` proposals: Optuna's, and ours."""
    search = _search(algorithm, count, objectives)
    sides = (_bare(algorithm, count, objectives), _ours(search, count, objectives))
    milliseconds: list[list[float]] = [[] for _ in sides]
    for _ in range(count):
        for side, times in zip(sides, milliseconds, strict=True):
            began = time.process_time()
            next(side)
            times.append(1000 * (time.process_time() - began))
    return milliseconds


def _values(config: Mapping[str, Any], objectives: int) -> tuple[float, ...]:
    distance = (config["x"] - 0.3) ** 2 + (math.log10(config["y"]) + 2) ** 2 / 4
    return (distance, config["x"] ** 2)[:objectives]


def _search(algorithm: str, count: int, objectives: int) -> OptunaSearch:
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
    return OptunaSearch(space, directions=["minimize"] * objectives, name="timed")


def _ours(search: OptunaSearch, count: int, objectives: int) -> Iterator[None]:
    """One proposal per step, after the outcome that it waits for."""
    configs: list[Mapping[str, Any]] = []
    for number in range(count):
        if number >= DELAY:
            measured = _values(configs[number - DELAY], objectives)
            outcome = Outcome(state="complete", values=measured, steps={})
            search.tell(number - DELAY, outcome)
        config = search.ask(number)
        assert config is not None
        configs.append(config)
        yield


def _bare(algorithm: str, count: int, objectives: int) -> Iterator[None]:
    """One proposal per step of a plain Optuna study."""
    study = optuna.create_study(
        sampler=SAMPLERS[algorithm](), directions=["minimize"] * objectives
    )
    pending: deque[tuple[optuna.Trial, dict[str, Any]]] = deque()
    for _ in range(count):
        if len(pending) == DELAY:
            trial, config = pending.popleft()
            study.tell(trial, _values(config, objectives))
        trial = study.ask()
        config = {"x": trial.suggest_float("x", -1, 1)}
        config["y"] = trial.suggest_float("y", 1e-4, 1, log=True)
        pending.append((trial, config))
        yield


if __name__ == "__main__":
    print_figures(proposals())
