"""X-NN sweeps drawn from a known truth: noise, effects, shared test rows, and lost seeds."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
_SKEW = math.sqrt((math.e - 1.0) * math.e)

NOISE: Mapping[str, Callable[..., Floats]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "lognormal": lambda rng, shape: (rng.lognormal(size=shape) - math.exp(0.5)) / _SKEW,
    "negative lognormal": lambda rng, shape: (math.exp(0.5) - rng.lognormal(size=shape)) / _SKEW,
}
"""Noise of mean 0 and standard deviation 1."""

CELLS: Sequence[tuple[float, int]] = ((0.1, 2), (0.1, 6), (0.3, 2), (0.3, 6))
COST_SD, R2_SD = 0.004, 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Means of a sweep, and its noise.

    Args:
        cost: cross-entropy over the plain network, in nats.
        gain: R2 over the plain network.
        exchangeable: every network has noise of its own, so that differences are symmetric; else
            the differences themselves have the noise.
        rows: standard error over test rows, in standard deviations between seeds.
        noise: a key of :data:`NOISE`.
    """

    cost: float = 0.0
    gain: float = 0.0
    exchangeable: bool = True
    rows: float = 0.0
    noise: str = "normal"
    methods: Sequence[str] = field(default=("alignment",))


def sweep(rng: np.random.Generator, seeds: int, truth: Truth) -> pd.DataFrame:
    """Completed trials of every cell and method at ``seeds`` seeds; plain ones are in them."""
    draw = NOISE[truth.noise]
    plain_loss = 1.5 + COST_SD * draw(rng, seeds)
    parts = []
    controls = {name: 0.3 + R2_SD * draw(rng, seeds) for name in ("plain", "random")}
    for method in truth.methods:
        for weight, clusters in CELLS:
            own = draw(rng, seeds), draw(rng, seeds), draw(rng, seeds)
            shared = truth.rows * rng.normal(size=3)
            if truth.exchangeable:
                loss, r2 = 1.5 + COST_SD * own[0], 0.3 + R2_SD * own[1]
            else:
                loss, r2 = plain_loss + COST_SD * own[0], controls["plain"] + R2_SD * own[1]
            loss = loss + truth.cost + COST_SD * shared[0]
            r2 = r2 + truth.gain + R2_SD * shared[1]
            # In the case of the limit, the plain network is the best control at every seed.
            random = controls["random"] if truth.exchangeable else controls["plain"] - 0.2
            specific = R2_SD * (own[2] + shared[2])
            parts.append(
                pd.DataFrame(
                    {
                        "config/method": method,
                        "config/adj_weight": weight,
                        "config/clusters": clusters,
                        "config/seed": np.arange(seeds),
                        "cross_entropy": loss,
                        "plain_cross_entropy": plain_loss,
                        "val_loss": loss,
                        "plain_val_loss": plain_loss,
                        "r2_mean": r2,
                        "r2_plain": controls["plain"],
                        "r2_plain_random_points": random,
                        "r2_untrained": 0.1 + R2_SD * draw(rng, seeds),
                        "r2_permuted": 0.001 * draw(rng, seeds),
                        "r2_random_points": r2 - specific,
                        "specificity": specific,
                        "concept_p": rng.uniform(size=seeds),
                    }
                )
            )
    frame = pd.concat(parts, ignore_index=True)
    best = frame[["r2_plain", "r2_plain_random_points", "r2_untrained", "r2_permuted"]].max(axis=1)
    frame["explanation_gain"] = frame["r2_mean"] - best
    frame["val_explanation_gain"] = frame["explanation_gain"]
    frame["cross_entropy_minus_plain_se"] = truth.rows * COST_SD
    for name in ("explanation_gain", "r2_mean_minus_plain", "specificity"):
        frame[f"{name}_se"] = truth.rows * R2_SD
    frame["trial_id"] = [f"t{i}" for i in range(len(frame))]
    return frame.assign(status="completed")


def lost(frame: pd.DataFrame, *, by: str, how: str) -> pd.DataFrame:
    """``frame`` in which the seed with the largest ``by`` of every cell has no result."""
    cells = ["config/method", "config/adj_weight", "config/clusters"]
    worst = frame.groupby(cells)[by].idxmax()
    if how == "absent":
        return frame.drop(index=worst)
    return frame.assign(status=frame["status"].mask(frame.index.isin(worst), how))
