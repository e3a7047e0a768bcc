"""Verdicts of simulated sweeps on networks: importance, masks, and the dense against hedges."""

import pandas as pd

from analysis.contrast import BETTER, WORSE
from analysis.sweep import Sweep
from analysis.tickets import importance, masks
from analysis.tickets.opponents import dense_against_hedges, standing
from tests.simulated_tickets import DENSE, SPREAD, Rng, World, frame, noise
from tests.ticket_claims import Outcome, trials

_KINDS = ("standard", "robust (ε = 0.1)", "robust (ε = 0.5)")
_FEATURES = 8


def importances(world: World, rng: Rng, *, shift: float = 0.0) -> pd.DataFrame:
    """Two measures of three kinds of tickets; robust ones have ``shift`` in the first feature."""
    parts = []
    for measure in ("importance_scaled", "importance_raw"):
        for kind, drawn in zip(_KINDS, noise(world, rng, 3, _FEATURES), strict=True):
            for i, values in enumerate(drawn):
                more = shift * (i == 0 and kind != _KINDS[0])
                columns = {"model": kind, "seed": range(world.seeds), "measure": measure}
                parts.append(pd.DataFrame(columns | {"feature": f"x{i}", "value": values + more}))
    table = pd.concat(parts, ignore_index=True)
    if world.ending == "complete":
        return table
    # A network that is missing lacks all of its measures.
    networks = table[["model", "seed"]].drop_duplicates()
    absent = networks[rng.random(len(networks)) < 0.2]
    if world.ending.startswith("worst"):
        absent = networks.iloc[[table["value"].idxmin() % world.seeds]]
    keys = pd.MultiIndex.from_frame(absent)
    return table[~pd.MultiIndex.from_frame(table[["model", "seed"]]).isin(keys)]


def shifts(world: World, rng: Rng) -> Outcome:
    """Shifts of importance: of the first of eight features by ``effect``, in two measures."""
    table = importances(world, rng, shift=world.effect * SPREAD)
    every = dict.fromkeys(_KINDS, range(world.seeds))
    table = importance.shifts(table, every)
    shifted, first = table["shifted"].fillna(False), table["feature"].eq("x0")
    null = world.effect == 0.0
    wrong = shifted if null else shifted & ~first
    return Outcome(wrong=bool(wrong.any()), found=not null and bool((shifted & first).any()))


def overlaps(world: World, rng: Rng) -> Outcome:
    """Masks against chance: the overlap of two kinds exceeds it by ``effect``."""
    gaps = noise(world, rng) / 10.0 + world.effect * SPREAD / 10.0
    table = pd.DataFrame({"first_seed": range(world.seeds), "overlap": 0.2 + gaps}).assign(
        first=_KINDS[0], second=_KINDS[1], same_seed=True, layer=masks.ALL, chance=0.2
    )
    table["second_seed"] = table["first_seed"]
    complete = table
    if world.ending.startswith("worst"):
        table = table.drop(index=table["overlap"].idxmin())
    elif world.ending != "complete":
        table = table[rng.random(world.seeds) >= 0.2]
    lines = masks.sentences(table, complete=len(table) == len(complete))
    more, less = (
        any(f"{word} than by chance" in line for line in lines) for word in ("more", "less")
    )
    null = world.effect == 0.0
    return Outcome(wrong=(more or less) if null else less, found=more and not null)


def against_hedges(world: World, rng: Rng) -> Sweep:
    """Dense network and two hedges without training, one of them equal but for the effect.

    Below three seeds the noise is that of the test paths.
    """
    luck = rng.normal(size=world.seeds)
    by_paths = world.seeds < 3
    drawn = 0.1 * rng.normal(size=world.seeds) if by_paths else noise(world, rng)
    dense = DENSE + luck + drawn + world.effect * SPREAD
    rows = trials([DENSE] * world.seeds, sparsity=0.5)
    rows = [row | {"dense_cvar_05": value} for row, value in zip(rows, dense, strict=True)]
    # The CVaR of a network and of a hedge on the same paths err by 0.1 each if they correlate.
    table = frame(rows, world, rng).assign(dense_cvar_05_se=0.1)
    values = {"minimum_variance": DENSE + luck, "no_hedge": 3.0 * DENSE + luck}
    preparations = {
        f"p{seed}": {
            "seed": seed,
            "data_sha256": f"{seed:064x}",
            "baselines": {
                name: {"cvar_05": float(of[seed]), "cvar_05_se": 0.1}
                for name, of in values.items()
            },
        }
        for seed in range(world.seeds)
    }
    return Sweep(trials=table, manifest={"preparations": preparations})


def hedges(world: World, rng: Rng) -> Outcome:
    """Dense network against :func:`against_hedges`: better or worse than the best."""
    rows = dense_against_hedges(against_hedges(world, rng))
    if rows.empty:
        return Outcome(wrong=False, found=False)
    verdict, _ = standing(rows)
    if world.effect == 0.0:
        return Outcome(wrong=verdict in (BETTER, WORSE), found=False)
    right, wrong = (BETTER, WORSE) if world.effect > 0.0 else (WORSE, BETTER)
    return Outcome(wrong=verdict == wrong, found=verdict == right)
