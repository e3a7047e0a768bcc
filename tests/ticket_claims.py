"""Verdicts of simulated tickets sweeps on sparsity, controls, robustness and configurations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import analysis
from analysis.contrast import BETTER, EQUIVALENT, WORSE
from analysis.tickets.control_findings import lessons
from tests.simulated_tickets import DENSE, MARGIN, SPREAD, TOLERANCE, Rng, World, frame, noise

ATTACKED = "attacked_cvar_05@path_pgd:0.1"
_CONTROLS = ("random_mask", "shuffled_mask", "random_reinit", "small_dense")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Verdicts of one sweep: a wrong claim was made, and the planted effect was found."""

    wrong: bool
    found: bool


def trials(values: Iterable[float], **columns: Any) -> list[dict[str, Any]]:
    """Rows of a configuration with a CVaR of each seed.

    The validation risk shares the luck of training with the test.
    """
    axes = {name.replace("__", "."): value for name, value in columns.items()}
    return [
        {**{f"config/{n}": v for n, v in axes.items()}, "config/seed": seed}
        | {"cvar_05": value, "val_loss": -value}
        for seed, value in enumerate(values)
    ]


def efficient(
    world: World,
    rng: Rng,
    *,
    fails: bool = False,
    rates: int = 1,
    ladder: Sequence[float] = (0.9,),
) -> Outcome:
    """Max efficient sparsity of a ``ladder`` that loses the margin but for ``effect``.

    Claims: the largest is efficient, or else fails. On the border either is wrong.
    """
    loss = MARGIN - world.effect * SPREAD
    # A smaller sparsity that is far from its margin, so that the ladder decides.
    rows = trials(DENSE + 5.0 * SPREAD + noise(world, rng), sparsity=0.5, lr=1e-3)
    for sparsity, of_rates in zip(ladder, noise(world, rng, len(ladder), rates), strict=True):
        for rate, values in enumerate(of_rates):
            rows += trials(DENSE - loss + values, sparsity=sparsity, lr=1e-3 * (1 + rate))
    table = analysis.sparsity_passes(frame(rows, world, rng))
    table = table[table["sparsity"].isin(ladder)]
    passed = bool(table["efficient"].fillna(False).any())
    failed = bool(table["passes"].eq(False).fillna(False).any())
    if world.effect == 0.0:
        return Outcome(wrong=failed if fails else passed, found=False)
    wrong, found = (failed, passed) if world.effect > 0.0 else (passed, failed)
    return Outcome(wrong=wrong, found=found)


def control_table(
    world: World,
    rng: Rng,
    *,
    shift: float = 0.0,
    sparsities: Sequence[float] = (0.8, 0.9),
    kinds: Sequence[str] = _CONTROLS,
    rates: int = 1,
    luck: float = 1.0,
) -> pd.DataFrame:
    """Table of controls that are behind by ``shift``; the ticket is the best of ``rates``.

    Results of a seed share noise of standard deviation ``luck``.
    """
    rows = []
    for sparsity in sparsities:
        shared = luck * rng.normal(size=world.seeds)
        results = DENSE + shared + noise(world, rng, rates + len(kinds))
        for rate, values in enumerate(results[:rates]):
            rows += trials(values, sparsity=sparsity, ticket="lottery", lr=1e-3 * (1 + rate))
        for kind, values in zip(kinds, results[rates:], strict=True):
            rows += trials(values - shift, sparsity=sparsity, ticket=kind, lr=1e-3)
    return analysis.controls(frame(rows, world, rng), tolerance=TOLERANCE)


def controls(world: World, rng: Rng, **arguments: Any) -> Outcome:
    """Controls: all are behind the ticket by ``effect``; null: none differs."""
    table = control_table(world, rng, shift=world.effect * SPREAD, **arguments)
    verdicts = table["verdict"].dropna()
    if world.effect == 0.0:
        return Outcome(wrong=bool(verdicts.isin((BETTER, WORSE)).any()), found=False)
    return Outcome(wrong=bool(verdicts.eq(WORSE).any()), found=bool(verdicts.eq(BETTER).any()))


def equality(world: World, rng: Rng) -> Outcome:
    """Lessons of equality from controls: null: they are behind by exactly the margin."""
    table = control_table(world, rng, shift=MARGIN if world.effect == 0.0 else 0.0)
    equal = bool(table["verdict"].eq(EQUIVALENT).any())
    if world.effect != 0.0:
        return Outcome(wrong=False, found=equal)
    parts = (rows for _, rows in table.groupby("sparsity"))
    taught = any(set(lessons(rows)) - {"ticket"} for rows in parts)
    return Outcome(wrong=equal or taught, found=False)


def robust_rows(world: World, rng: Rng, *, gain: float, luck: float = 1.0) -> list[dict[str, Any]]:
    """Standard and robust tickets of two sparsities; the robust gain under attack only."""
    rows = []
    for sparsity in (0.5, 0.9):
        shared = luck * rng.normal(size=world.seeds)
        for epsilon, drawn in zip((0.0, 0.1), noise(world, rng, 2, 2), strict=True):
            attacked = 2.0 * DENSE + shared + drawn[1] + gain * (epsilon > 0.0)
            own = trials(DENSE + shared + drawn[0], sparsity=sparsity, epsilon=epsilon)
            rows += [row | {ATTACKED: value} for row, value in zip(own, attacked, strict=True)]
    return rows


def robust(world: World, rng: Rng) -> Outcome:
    """Robust training: gain of ``effect`` under attack and none on clean paths."""
    rows = robust_rows(world, rng, gain=world.effect * SPREAD)
    table = analysis.robust_against_standard(frame(rows, world, rng))
    clean = table["metric"].eq("cvar_05")
    shown = table["verdict"].isin((BETTER, WORSE))
    if world.effect == 0.0:
        return Outcome(wrong=bool(shown.any()), found=False)
    found = table["verdict"][~clean].eq(BETTER)
    return Outcome(wrong=bool((shown & clean).any()), found=bool(found.any()))


def compare_table(world: World, rng: Rng, *, lead: float = 0.0) -> pd.DataFrame:
    """Five configurations, the first ahead by ``lead``, compared with the best by validation."""
    luck = rng.normal(size=world.seeds)
    rows = []
    for i, drawn in enumerate(noise(world, rng, 5)):
        values = DENSE + luck + drawn + lead * (i == 0)
        rows += trials(values, sparsity=0.5, lr=1e-3 * (1 + i))
    return analysis.compare(frame(rows, world, rng))


def compare(world: World, rng: Rng) -> Outcome:
    """Configurations: with an effect, the first of five is better by it."""
    table = compare_table(world, rng, lead=world.effect * SPREAD)
    shown = table["verdict"].isin((BETTER, WORSE))
    if world.effect == 0.0:
        return Outcome(wrong=bool(shown.any()), found=False)
    first = np.isclose(table["lr"], 1e-3)
    is_reference = bool(table["reference"][first].any())
    right = table["verdict"].eq(WORSE) if is_reference else table["verdict"].eq(BETTER) & first
    return Outcome(wrong=bool((shown & ~right).any()), found=bool((shown & right).any()))
