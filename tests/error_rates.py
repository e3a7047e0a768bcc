"""Error rates of the verdicts of a tickets report, by simulated sweeps whose truth is known.

``python -m tests.error_rates`` from the root of the repository writes ``docs/error_rates.csv``: a
row per verdict, noise, number of seeds, ending and shape with the share of sweeps in which it is
wrong about a true null, and its power against a planted effect.
"""

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.boosting_claims import boosting, budgets
from tests.network_claims import hedges, overlaps, shifts
from tests.simulated_tickets import ENDINGS, NOISE, SHAPES, Rng, World
from tests.ticket_claims import Outcome, compare, controls, efficient, equality, robust

FILE = Path(__file__).resolve().parents[1] / "docs" / "error_rates.csv"
LEVEL = 0.05
SEEDS = (1, 3, 5, 10)
ANY = "each in turn"
"""Noise of cells whose sweeps go through all of :data:`NOISE`."""

_LADDER = (0.6, 0.7, 0.8, 0.9, 0.95)
_MANY = (*("random_mask", "shuffled_mask", "random_reinit", "small_dense"), "a", "b", "c", "d")

VERDICTS: Mapping[str, tuple[Callable[[World, Rng], Outcome], float]] = {
    "sparsity is efficient": (efficient, 3.0),
    "sparsity is efficient, of three rates": (partial(efficient, rates=3), 4.0),
    "sparsity is efficient, of six": (partial(efficient, ladder=_LADDER), 3.0),
    "sparsity fails": (partial(efficient, fails=True), -4.0),
    "ticket beats or trails a control": (controls, 4.0),
    "ticket of three rates beats or trails a control": (partial(controls, rates=3), 4.0),
    "ticket beats or trails one of eight controls": (
        partial(controls, sparsities=(0.9,), kinds=_MANY),
        4.0,
    ),
    "control is equal": (equality, 1.0),
    "robust training gains or loses": (robust, 8.0),
    "configuration is better or worse": (compare, 5.0),
    "boosting ticket, or none": (boosting, 4.0),
    "budget is enough": (budgets, 4.0),
    "importance shifts": (shifts, 4.0),
    "masks overlap beyond chance": (overlaps, 3.0),
    "dense network against hedges": (hedges, -4.0),
}
"""Simulations of the claims, with a planted effect in standard deviations of a result."""
BY_PATHS = "dense network against hedges"
"""The verdict that a single seed can have: it is on that very network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Sweeps to simulate of one verdict: ``repeats`` under the null, ``power`` with an effect.

    Args:
        noise: a key of :data:`NOISE`, or :data:`ANY`.
    """

    verdict: str
    seeds: int
    noise: str = "normal"
    ending: str = "complete"
    shape: str = "plain"
    repeats: int
    power: int = 0


def cells(*, repeats: int, few: int) -> Iterator[Cell]:
    """All cells: ``repeats`` sweeps of normal noise, half as many with an effect, ``few`` others.

    A single seed can claim nothing between trained networks, so it has fewer.
    """
    for verdict in VERDICTS:
        for seeds in SEEDS:
            claims = seeds > 1 or verdict == BY_PATHS
            others = few if claims else 5
            common: dict[str, Any] = {"verdict": verdict, "seeds": seeds, "repeats": others}
            normal = repeats if claims else 20
            yield Cell(**common | {"repeats": normal}, power=math.ceil(normal / 2))
            yield from (Cell(**common, noise=name) for name in NOISE if name != "normal")
            yield from (Cell(**common, noise=ANY, ending=ending) for ending in ENDINGS)
            yield from (Cell(**common, shape=shape) for shape in SHAPES)


def rates(cell: Cell, *, stream: int = 0) -> dict[str, Any]:
    """Row of the table: shares of wrong claims under the null and the effect, and the power.

    Args:
        stream: of random numbers.
    """
    simulate, effect = VERDICTS[cell.verdict]
    shared = {"seeds": cell.seeds, "ending": cell.ending, "shape": cell.shape}
    row: dict[str, Any] = {"verdict": cell.verdict, "noise": cell.noise, **shared}
    for name, size, number in (("null", 0.0, cell.repeats), ("effect", effect, cell.power)):
        key = repr((stream, name, replace(cell, repeats=0, power=0)))
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        worlds = [
            World(**shared, noise=noise, effect=size)
            for noise in (NOISE if cell.noise == ANY else (cell.noise,))
        ]
        outcomes = [simulate(worlds[i % len(worlds)], rng) for i in range(number)]
        row |= {f"{name}_sweeps": number, f"{name}_wrong": sum(o.wrong for o in outcomes)}
    return row | {"effect_shown": sum(o.found for o in outcomes)}


def allowed(repeats: int) -> float:
    """Largest share of wrong claims: the level and three errors of the simulation."""
    return LEVEL + 3.0 * math.sqrt(LEVEL * (1.0 - LEVEL) / repeats)


def table(of: Iterator[Cell], *, stream: int = 0, processes: int = 1) -> pd.DataFrame:
    """Rows of :func:`rates` of the cells."""
    simulate = partial(rates, stream=stream)
    if processes == 1:
        return pd.DataFrame(map(simulate, of))
    with ProcessPoolExecutor(processes) as pool:
        return pd.DataFrame(pool.map(simulate, of))


def describe(rows: pd.DataFrame) -> list[str]:
    """Lines of a Markdown table: wrong claims and power by verdict, in percent."""

    def share(part: pd.DataFrame, of: str, total: str) -> str:
        return f"{100.0 * part[of].sum() / part[total].sum():.0f}"

    lines = [
        "| verdict | wrong, normal | skewed or heavy | lost results | other shapes | power at 3 | "
        "5 | 10 seeds |",
        "| --- " + "| --: " * 7 + "|",
    ]
    for verdict in VERDICTS:
        some = rows[rows["verdict"].eq(verdict) & rows["seeds"].gt(1)]
        plain = some["ending"].eq("complete") & some["shape"].eq("plain")
        normal = some["noise"].eq("normal") & plain
        parts = [
            some[normal],
            some[plain & ~normal],
            some[some["ending"].ne("complete")],
            some[some["shape"].ne("plain")],
        ]
        wrong = [share(part, "null_wrong", "null_sweeps") for part in parts]
        power = [
            share(some[normal & some["seeds"].eq(n)], "effect_shown", "effect_sweeps")
            for n in SEEDS[1:]
        ]
        lines.append(f"| {' | '.join([verdict, *wrong, *power])} |")
    return lines


def main() -> None:
    """Write the table, on two processes."""
    rows = table(cells(repeats=300, few=30), processes=2)
    rows.to_csv(FILE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
