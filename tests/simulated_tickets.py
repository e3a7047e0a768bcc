"""Trials of simulated tickets sweeps whose truth is known: noise, endings and shapes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

SPREAD, DENSE, TOLERANCE = 0.1, -3.0, 0.05
"""Standard deviation of a result, CVaR of the dense network, and loss that counts as none."""
MARGIN = TOLERANCE * -DENSE
_PATHS = 0.01

Rng = np.random.Generator
Noise = Callable[[Rng, tuple[int, ...]], np.ndarray]


def _unit(draw: Noise, mean: float, sd: float) -> Noise:
    return lambda rng, shape: (draw(rng, shape) - mean) / sd


_LOGNORMAL_SD = math.sqrt((math.e - 1.0) * math.e)
NOISE: Mapping[str, Noise] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "long lower tail": _unit(lambda r, s: -r.lognormal(size=s), -math.exp(0.5), _LOGNORMAL_SD),
    "long upper tail": _unit(lambda r, s: r.lognormal(size=s), math.exp(0.5), _LOGNORMAL_SD),
    "heavy tails": _unit(lambda r, s: r.standard_t(3, size=s), 0.0, math.sqrt(3.0)),
    "uniform": _unit(lambda r, s: r.uniform(-1.0, 1.0, size=s), 0.0, 1 / math.sqrt(3.0)),
}
"""Noise between trained networks by name, of mean 0 and standard deviation 1."""

ENDINGS = (
    "stopped",
    "worst stopped",
    "failed",
    "not finite",
    "one metric lost",
    "absent",
    "worst absent",
)
"""Ends of some trials: of a fifth at random, or of the worst 30 %."""

SHAPES = ("unequal noise", "luck by configuration", "rounded", "one far off")
"""Results of another shape than equal and independent noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Sweep to simulate.

    Args:
        seeds: their number.
        noise: a key of :data:`NOISE`.
        effect: planted, in standard deviations of a result; 0 is the null.
        ending: "complete" or one of :data:`ENDINGS`.
        shape: "plain" or one of :data:`SHAPES`.
    """

    seeds: int
    noise: str
    effect: float
    ending: str = "complete"
    shape: str = "plain"


def noise(world: World, rng: Rng, *shape: int) -> np.ndarray:
    """Noise of results, [configurations, .., seeds]."""
    values = SPREAD * NOISE[world.noise](rng, (*shape, world.seeds))
    if world.shape == "unequal noise" and shape:
        values *= np.resize([1.0, 3.0, 2.0], shape[0]).reshape(-1, *(1,) * len(shape))
    if world.shape == "luck by configuration" and shape:
        slope = np.linspace(-1.0, 1.0, math.prod(shape)).reshape(*shape, 1)
        values += SPREAD * slope * rng.normal(size=world.seeds)
    return values


def frame(rows: list[dict[str, Any]], world: World, rng: Rng) -> pd.DataFrame:
    """Trials of ``rows`` with the columns that tables read, after the ending of the world."""
    trials = pd.DataFrame(rows)
    defaults = {
        "status": "completed",
        "val_loss": 3.0,
        "converged": True,
        "epochs_to_95pct": 10.0,
        "dense_cvar_05": DENSE,
        "dense_cvar_05_se": _PATHS,
        "cvar_05_se": _PATHS,
        "cvar_05_minus_dense_se": _PATHS,
    }
    trials = trials.assign(**{n: value for n, value in defaults.items() if n not in trials})
    if "config/ticket" in trials:
        trials["config/ticket"] = trials["config/ticket"].astype("string")
    attacked = [name for name in trials if "attacked" in name]
    results = ["cvar_05", *attacked]
    if world.shape == "rounded":
        trials[results] = (trials[results] / SPREAD).round() * SPREAD
    if world.shape == "one far off":
        trials.loc[rng.integers(len(trials)), results] -= 30.0 * SPREAD
    trials["cvar_05_minus_dense"] = trials["cvar_05"] - trials["dense_cvar_05"]
    trials["data_sha256"] = [f"{seed:064x}" for seed in trials["config/seed"]]
    # Many blocks of single columns make every selection of rows slow.
    return _ended(trials, attacked, world, rng).copy()


def _ended(trials: pd.DataFrame, attacked: list[str], world: World, rng: Rng) -> pd.DataFrame:
    if world.ending == "complete":
        return trials
    metrics = ["cvar_05", "cvar_05_minus_dense", *attacked]
    hit = rng.random(len(trials)) < 0.2
    if world.ending.startswith("worst"):
        hit = trials["cvar_05"].rank(pct=True).lt(0.3).to_numpy()
    if world.ending.endswith("absent"):
        return trials[~hit].reset_index(drop=True)
    if world.ending == "one metric lost":
        trials.loc[hit, attacked or metrics[:2]] = np.nan
    elif world.ending == "not finite":
        trials.loc[hit, metrics] = np.array([-np.inf, np.nan])[rng.integers(2)]
    else:
        trials.loc[hit, "status"] = "failed" if world.ending == "failed" else "stopped"
        trials.loc[hit, metrics] = np.nan
    return trials
