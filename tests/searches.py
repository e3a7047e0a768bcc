"""Searches of made-up spaces, and outcomes of every kind."""

import math

import numpy as np

from search_spaces import (
    Choice,
    Grid,
    LogUniform,
    RandInt,
    Resources,
    Search,
    SearchSpace,
    Uniform,
)
from sweeps.scheduling.optuna_search import OptunaSearch, Outcome

AXES = {"x": Uniform(-1.0, 1.0), "y": LogUniform(1e-4, 1.0), "seed": Grid((0, 1))}
MIXED = {**AXES, "n": RandInt(2, 6), "kind": Choice(("a", "b")), "hidden": Grid(((8, 8), (16,)))}

CONDITIONAL = {
    "steps": RandInt(1, 9),
    "name": Grid(("fgsm", "pgd")),
    "scale": Uniform(0.0, 1.0),
}
WHEN = {"steps": {"name": ("pgd",)}, "scale": {"steps": (1, 2, 3, 4)}}


def space(algorithm="tpe", axes=AXES, when=None, **search):
    return SearchSpace(
        experiment="tickets",
        space=axes,
        study={},
        search=Search(algorithm=algorithm, num_samples=99, **search),
        scheduler=None,
        resources=Resources(),
        name="made",
        text="",
        when=when or {},
    )


def searching(searched=None, directions=("minimize",), **arguments):
    return OptunaSearch(searched or space(), directions=directions, name="made", **arguments)


def loss(config):
    return (config["x"] - 0.3) ** 2 + (math.log10(config["y"]) + 2) ** 2 / 4


def complete(*values):
    return Outcome(state="complete", values=values, steps={})


FAILED = Outcome(state="failed", values=None, steps={})


def pruned(steps):
    return Outcome(state="pruned", values=None, steps=steps)


def outcome(number, config):
    """Of every kind, by the number of the proposal."""
    value = loss(config)
    if number % 7 == 3:
        return FAILED
    if number % 3 == 1:
        return pruned({1: value + 1, 3: value})
    return complete(value)


def proposals(search, count, *, tell=outcome):
    """Asked for and told one by one."""
    made = []
    for number in range(count):
        made.append(search.ask(number))
        search.tell(number, tell(number, made[number]))
    return made


def earlier(count, seed=5):
    rng = np.random.default_rng(seed)
    drawn = ({n: AXES[n].at(rng.random()) for n in ("x", "y")} for _ in range(count))
    return [({**config, "seed": 0}, (loss(config),)) for config in drawn]
