"""Error rates of the verdicts of a tickets report, by simulated sweeps whose truth is known.

``python -m tests.error_rates`` from the root of the repository writes ``docs/error_rates.csv``: a
row per verdict, noise and number of seeds with the share of sweeps in which it is wrong about a
true null, and its power against a planted effect.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import analysis
from analysis.contrast import BETTER, EQUIVALENT, WORSE
from analysis.sweep import Sweep
from analysis.tickets import importance, masks
from analysis.tickets.boosting_findings import claim
from analysis.tickets.boosting_leads import enough, judged_races
from analysis.tickets.control_findings import lessons
from analysis.tickets.opponents import dense_against_hedges, standing

FILE = Path(__file__).resolve().parents[1] / "docs" / "error_rates.csv"
REPEATS = 100
LEVEL, SPREAD, DENSE, TOLERANCE = 0.05, 0.1, -3.0, 0.05
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

# Endings of some trials: at random, or those of the worst results.
ENDINGS = ("complete", "stopped at random", "worst stopped", "failed", "not finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Verdicts of one sweep: a wrong claim was made, and the planted effect was found."""

    wrong: bool
    found: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Sweep to simulate: number of seeds, noise, effect in standard deviations, endings."""

    seeds: int
    noise: str
    effect: float
    ending: str = "complete"


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
    for name, value in defaults.items():
        if name not in trials:
            trials[name] = value
    trials["cvar_05_minus_dense"] = trials["cvar_05"] - trials["dense_cvar_05"]
    trials["data_sha256"] = [f"{seed:064x}" for seed in trials["config/seed"]]
    metrics = ["cvar_05", "cvar_05_minus_dense", *(c for c in trials if "attacked" in c)]
    if world.ending == "complete":
        return trials
    hit = rng.random(len(trials)) < 0.2
    if world.ending == "worst stopped":
        hit = trials["cvar_05"].rank(pct=True).lt(0.3).to_numpy()
    if world.ending == "not finite":
        trials.loc[hit, metrics] = np.array([-np.inf, np.nan])[rng.integers(2, size=1)][0]
        return trials
    trials.loc[hit, "status"] = "failed" if world.ending == "failed" else "stopped"
    trials.loc[hit, metrics] = np.nan
    return trials


def _noise(world: World, rng: Rng, *shape: int) -> np.ndarray:
    return SPREAD * NOISE[world.noise](rng, (*shape, world.seeds))


def efficient(world: World, rng: Rng, *, rates: int = 1) -> Outcome:
    """Max efficient sparsity: 50 % loses half the margin, 90 % the margin and ``effect``.

    Claims: 90 % passes (wrong if the effect is 0 or negative), or fails (wrong if positive).
    """
    losses = {0.5: 0.5 * MARGIN, 0.9: MARGIN - world.effect * SPREAD}
    rows = []
    for sparsity, loss in losses.items():
        results = DENSE - loss + _noise(world, rng, rates)
        for rate, values in enumerate(results):
            rows += [
                {
                    "config/sparsity": sparsity,
                    "config/lr": 1e-3 * (1 + rate),
                    "config/seed": seed,
                    "cvar_05": value,
                    # The validation risk shares the luck of training with the test.
                    "val_loss": -value,
                }
                for seed, value in enumerate(values)
            ]
    passes = analysis.sparsity_passes(frame(rows, world, rng)).set_index("sparsity")["passes"]
    last = passes[0.9]
    passed, failed = bool(pd.notna(last) and last), bool(pd.notna(last) and not last)
    if world.effect == 0.0:
        return Outcome(wrong=passed, found=False)
    wrong, found = (failed, passed) if world.effect > 0.0 else (passed, failed)
    return Outcome(wrong=wrong, found=found)


_KINDS = ("random_mask", "shuffled_mask", "random_reinit", "small_dense")


def _controls(world: World, rng: Rng, shift: float, sparsities: int = 2) -> pd.DataFrame:
    rows = []
    for sparsity in (0.8, 0.9, 0.95)[:sparsities]:
        luck = rng.normal(size=world.seeds)
        for kind, noise in zip(("lottery", *_KINDS), _noise(world, rng, 5), strict=True):
            values = DENSE + luck + noise - (shift if kind != "lottery" else 0.0)
            rows += [
                {
                    "config/sparsity": sparsity,
                    "config/ticket": kind,
                    "config/seed": seed,
                    "cvar_05": value,
                }
                for seed, value in enumerate(values)
            ]
    trials = frame(rows, world, rng)
    trials["config/ticket"] = trials["config/ticket"].astype("string")
    return analysis.controls(trials, tolerance=TOLERANCE)


def controls(world: World, rng: Rng) -> Outcome:
    """Controls: all are behind the ticket by ``effect``; null: none differs."""
    table = _controls(world, rng, world.effect * SPREAD)
    verdicts = table["verdict"].dropna()
    if world.effect == 0.0:
        return Outcome(wrong=bool(verdicts.isin((BETTER, WORSE)).any()), found=False)
    return Outcome(wrong=bool(verdicts.eq(WORSE).any()), found=bool(verdicts.eq(BETTER).any()))


def equality(world: World, rng: Rng) -> Outcome:
    """Lessons of equality from controls: null: they are behind by exactly the margin."""
    table = _controls(world, rng, MARGIN if world.effect == 0.0 else 0.0)
    equal = bool(table["verdict"].eq(EQUIVALENT).any())
    parts = [rows for _, rows in table.groupby("sparsity")]
    taught = any(set(lessons(rows)) - {"ticket"} for rows in parts)
    if world.effect == 0.0:
        return Outcome(wrong=equal or taught, found=False)
    return Outcome(wrong=False, found=equal)


def robust(world: World, rng: Rng) -> Outcome:
    """Robust training: gain of ``effect`` under attack and none on clean paths."""
    rows = []
    for sparsity in (0.5, 0.9):
        luck = rng.normal(size=world.seeds)
        for epsilon, noise in zip((0.0, 0.1), _noise(world, rng, 2, 2), strict=True):
            gain = world.effect * SPREAD * (epsilon > 0.0)
            rows += [
                {
                    "config/sparsity": sparsity,
                    "config/epsilon": epsilon,
                    "config/seed": seed,
                    "cvar_05": DENSE + luck[seed] + noise[0, seed],
                    "attacked_cvar_05@path_pgd:0.1": 2.0 * DENSE
                    + luck[seed]
                    + noise[1, seed]
                    + gain,
                }
                for seed in range(world.seeds)
            ]
    table = analysis.robust_against_standard(frame(rows, world, rng))
    clean = table["metric"].eq("cvar_05")
    shown = table["verdict"].isin((BETTER, WORSE))
    if world.effect == 0.0:
        return Outcome(wrong=bool(shown.any()), found=False)
    return Outcome(
        wrong=bool((shown & clean).any()), found=bool(table["verdict"][~clean].eq(BETTER).any())
    )


def compare(world: World, rng: Rng) -> Outcome:
    """Configurations against the best by validation, which shares the luck of the test.

    With an effect, the first of five is better by it.
    """
    luck = rng.normal(size=world.seeds)
    rows = []
    for i, noise in enumerate(_noise(world, rng, 5)):
        values = DENSE + luck + noise + world.effect * SPREAD * (i == 0)
        rows += [
            {
                "config/sparsity": 0.5,
                "config/lr": 1e-3 * (1 + i),
                "config/seed": seed,
                "cvar_05": value,
                "val_loss": -value,
            }
            for seed, value in enumerate(values)
        ]
    table = analysis.compare(frame(rows, world, rng))
    table = table[table["verdict"].isin((BETTER, WORSE))]
    first = table["lr"].eq(1e-3) & table["verdict"].eq(BETTER)
    if world.effect == 0.0:
        return Outcome(wrong=len(table) > 0, found=False)
    reference = analysis.compare(frame(rows, world, rng)).query("reference")["lr"].eq(1e-3).any()
    right = first if not reference else table["verdict"].eq(WORSE)
    return Outcome(wrong=bool((~right).any()), found=bool(right.any()))


def boosting(world: World, rng: Rng) -> Outcome:
    """Boosting ticket: ahead of every rival on the shortest budget by ``effect``.

    Claims: "boosting" (wrong unless positive), "behind" (wrong unless negative).
    """
    table = _boosting(world, rng, lead=world.effect * SPREAD, loss=0.0)
    verdict = claim(judged_races(table))
    said = verdict[0] if verdict else ""
    if world.effect == 0.0:
        return Outcome(wrong=said in ("boosting", "behind"), found=False)
    right, wrong = ("boosting", "behind") if world.effect > 0.0 else ("behind", "boosting")
    return Outcome(wrong=said == wrong, found=said == right)


def budgets(world: World, rng: Rng) -> Outcome:
    """Budgets that are enough: null: every ticket loses exactly the margin; else nothing."""
    table = _boosting(world, rng, lead=0.0, loss=MARGIN if world.effect == 0.0 else 0.0)
    contests = judged_races(table)
    share = LEVEL / sum(len(race.field) for race in contests)
    claims = [
        enough(curve, share) is not None
        for race in contests
        for kind, curve in race.field.items()
        if kind != "dense retrained"
    ]
    null = world.effect == 0.0
    return Outcome(wrong=null and any(claims), found=not null and any(claims))


def _boosting(world: World, rng: Rng, *, lead: float, loss: float) -> pd.DataFrame:
    rows = []
    luck = rng.normal(size=world.seeds)
    for mask_rate in (2e-3, 1e-2):
        for kind, sparsity in (("lottery", 0.8), ("random_reinit", 0.8), (None, 0.0)):
            for budget in (5, 10):
                ahead = lead * (kind == "lottery" and mask_rate == 2e-3)
                values = DENSE + luck + _noise(world, rng) + ahead - loss * (kind is not None)
                rows += [
                    {
                        "config/sparsity": sparsity,
                        "config/ticket": kind,
                        "config/dense.lr": mask_rate,
                        "config/lr": 1e-2,
                        "config/training.epochs": budget,
                        "config/seed": seed,
                        "cvar_05": value,
                        "dense_cvar_05": DENSE + luck[seed],
                    }
                    for seed, value in enumerate(values)
                ]
    trials = frame(rows, world, rng)
    trials["config/ticket"] = trials["config/ticket"].astype("string")
    return analysis.budget_curves(trials, {"study": {"dense": {"epochs": 10}}})


def shifts(world: World, rng: Rng) -> Outcome:
    """Shifts of importance: of the first of eight features by ``effect``, in two measures."""
    rows = []
    kinds = ("standard", "robust (ε = 0.1)", "robust (ε = 0.5)")
    for measure in ("importance_scaled", "importance_raw"):
        for kind, noise in zip(kinds, _noise(world, rng, 3, 8), strict=True):
            rows += [
                {
                    "model": kind,
                    "seed": seed,
                    "measure": measure,
                    "feature": f"x{i}",
                    "value": noise[i, seed]
                    + world.effect * SPREAD * (i == 0 and kind != "standard"),
                }
                for i in range(8)
                for seed in range(world.seeds)
            ]
    table = importance.shifts(pd.DataFrame(rows))
    shifted, first = table["shifted"].fillna(False), table["feature"].eq("x0")
    null = world.effect == 0.0
    wrong = shifted if null else shifted & ~first
    return Outcome(wrong=bool(wrong.any()), found=not null and bool((shifted & first).any()))


def overlaps(world: World, rng: Rng) -> Outcome:
    """Masks against chance: the overlap of two kinds exceeds it by ``effect``."""
    gaps = _noise(world, rng) / 10.0 + world.effect * SPREAD / 10.0
    table = pd.DataFrame(
        [
            {
                "first": "standard",
                "second": "robust (ε = 0.1)",
                "same_seed": True,
                "first_seed": seed,
                "second_seed": seed,
                "layer": masks.ALL,
                "overlap": 0.2 + gap,
                "chance": 0.2,
            }
            for seed, gap in enumerate(gaps)
        ]
    )
    (line,) = masks.sentences(table)
    more, less = "more than by chance" in line, "less than by chance" in line
    null = world.effect == 0.0
    return Outcome(wrong=(more or less) if null else less, found=more and not null)


def hedges(world: World, rng: Rng) -> Outcome:
    """Dense network against two hedges without training, one of them equal but for ``effect``.

    Below three seeds the noise is that of the test paths.
    """
    few = world.seeds < 3
    luck = rng.normal(size=world.seeds)
    noise = rng.normal(size=world.seeds) * 0.1 if few else _noise(world, rng)
    dense = DENSE + luck + noise + world.effect * SPREAD
    rows = [
        {"config/sparsity": 0.5, "config/seed": seed, "cvar_05": DENSE, "dense_cvar_05": value}
        for seed, value in enumerate(dense)
    ]
    trials = frame(rows, World(seeds=world.seeds, noise="normal", effect=0.0), rng)
    # The CVaR of a network and of a hedge on the same paths err by 0.1 each if they correlate.
    trials["dense_cvar_05_se"] = 0.1
    baselines = {"minimum_variance": DENSE + luck, "no_hedge": 3.0 * DENSE + luck}
    manifest = {
        "preparations": {
            f"p{seed}": {
                "seed": seed,
                "data_sha256": f"{seed:064x}",
                "baselines": {
                    name: {"cvar_05": float(values[seed]), "cvar_05_se": 0.1}
                    for name, values in baselines.items()
                },
            }
            for seed in range(world.seeds)
        }
    }
    verdict, _ = standing(dense_against_hedges(Sweep(trials=trials, manifest=manifest)))
    if world.effect == 0.0:
        return Outcome(wrong=verdict in (BETTER, WORSE), found=False)
    right, wrong = (BETTER, WORSE) if world.effect > 0.0 else (WORSE, BETTER)
    return Outcome(wrong=verdict == wrong, found=verdict == right)


VERDICTS: Mapping[str, tuple[Callable[[World, Rng], Outcome], float]] = {
    "sparsity is efficient": (efficient, 1.5),
    "sparsity is efficient, of three rates": (partial(efficient, rates=3), 1.5),
    "sparsity fails": (efficient, -3.0),
    "ticket beats or trails a control": (controls, 4.0),
    "control is equal": (equality, 1.0),
    "robust training gains or loses": (robust, 4.0),
    "configuration is better or worse": (compare, 5.0),
    "boosting ticket, or none": (boosting, 4.0),
    "budget is enough": (budgets, 1.0),
    "importance shifts": (shifts, 4.0),
    "masks overlap beyond chance": (overlaps, 3.0),
    "dense network against hedges": (hedges, -4.0),
}
"""Simulations of the claims, with a planted effect in standard deviations of a result."""


def rates(
    name: str,
    *,
    seeds: int,
    noise: str,
    repeats: int,
    ending: str = "complete",
    power: bool = True,
) -> dict[str, Any]:
    """Row of the table: shares of wrong claims under the null and the effect, and the power."""
    simulate, effect = VERDICTS[name]
    row = {"verdict": name, "noise": noise, "seeds": seeds, "ending": ending, "repeats": repeats}
    for column, size in (("null", 0.0), ("effect", effect))[: 1 + power]:
        world = World(seeds=seeds, noise=noise, effect=size, ending=ending)
        rng = np.random.default_rng([len(name), seeds, *map(ord, noise + ending + column)])
        outcomes = [simulate(world, rng) for _ in range(repeats)]
        row[f"wrong_{column}"] = float(np.mean([o.wrong for o in outcomes]))
        if column == "effect":
            row["power"] = float(np.mean([o.found for o in outcomes]))
    return row


def allowed(repeats: int) -> float:
    """Largest share of wrong claims: the level and three errors of the simulation."""
    return LEVEL + 3.0 * math.sqrt(LEVEL * (1.0 - LEVEL) / repeats)


def coverage(n: int, *, repeats: int, rng: Rng) -> Mapping[str, float]:
    """Share of printed 95 % intervals that contain the truth, by table, for normal noise."""
    hits: dict[str, list[bool]] = {}

    def note(name: str, rows: pd.DataFrame, column: str, truth: float) -> None:
        ends = rows[[f"{column}_low", f"{column}_high"]] if column else rows[["low", "high"]]
        ends = ends.dropna().to_numpy(dtype=float)
        hits.setdefault(name, []).extend((ends[:, 0] <= truth) & (truth <= ends[:, 1]))

    world = World(seeds=n, noise="normal", effect=0.0)
    for _ in range(repeats):
        rows = _controls(world, rng, 0.0, sparsities=1)
        note("controls: difference", rows, "difference", 0.0)
        rows = _control_means(world, rng)
        note("controls: mean", rows, "", DENSE)
        note("robustness: mean", _robustness(world, rng), "cvar_05", DENSE)
        curves = _boosting(world, rng, lead=0.0, loss=0.0)
        note("boosting: difference", curves, "less_retrained_as_long", 0.0)
    return {name: float(np.mean(values)) for name, values in hits.items()}


def _control_means(world: World, rng: Rng) -> pd.DataFrame:
    rows = [
        {"config/sparsity": 0.9, "config/ticket": kind, "config/seed": seed, "cvar_05": value}
        for kind in ("lottery", "random_mask")
        for seed, value in enumerate(DENSE + _noise(world, rng))
    ]
    trials = frame(rows, world, rng)
    trials["config/ticket"] = trials["config/ticket"].astype("string")
    return analysis.controls(trials)


def _robustness(world: World, rng: Rng) -> pd.DataFrame:
    rows = [
        {
            "config/sparsity": 0.9,
            "config/epsilon": 0.0,
            "config/seed": seed,
            "cvar_05": value,
            "attacked_cvar_05@path_pgd:0.1": 2.0 * value,
        }
        for seed, value in enumerate(DENSE + _noise(world, rng))
    ]
    table = analysis.robustness_table(frame(rows, world, rng))
    return table[table["network"].eq("ticket")]


def cells() -> Iterator[dict[str, Any]]:
    """Settings of :func:`rates` of the stored table, power for normal noise only."""
    for name in VERDICTS:
        yield from ({"name": name, "noise": "normal", "seeds": n} for n in (1, 3, 5, 10))
        for noise in list(NOISE)[1:]:
            seeds = (3, 5, 10) if noise == "long lower tail" else (5,)
            yield from ({"name": name, "noise": noise, "seeds": n, "power": False} for n in seeds)
        yield from (
            {"name": name, "noise": "normal", "seeds": 5, "ending": ending, "power": False}
            for ending in ENDINGS[1:]
        )


def _rates(cell: Mapping[str, Any]) -> dict[str, Any]:
    return rates(repeats=REPEATS, **cell)


def main() -> None:
    """Write the table, on two processes."""
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(_rates, cells()))
    pd.DataFrame(rows).to_csv(FILE, index=False, float_format="%.4g", lineterminator="\n")


if __name__ == "__main__":
    main()
