"""Coverage of the 95 % intervals of tickets tables, by simulated sweeps of normal noise.

Configurations share no luck of a seed, so that the means of one sweep are independent.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd

import analysis
from analysis.claims.tickets import SOURCES
from analysis.sweep import Sweep
from analysis.tickets import importance
from analysis.tickets.opponents import dense_against_hedges
from tests.boosting_claims import curves
from tests.network_claims import against_hedges, importances
from tests.simulated_tickets import DENSE, SPREAD, TOLERANCE, Rng, World, frame, noise
from tests.ticket_claims import ATTACKED, compare_table, control_table, robust_rows, trials

Intervals = Iterator[tuple[str, pd.DataFrame, float]]
"""Name of an interval, its ends in columns "low" and "high", and the true mean."""


def _ends(rows: pd.DataFrame, name: str = "") -> pd.DataFrame:
    columns = [f"{name}_low", f"{name}_high"] if name else ["low", "high"]
    return rows[columns].set_axis(["low", "high"], axis=1).dropna().astype("float64")


def _controls(world: World, rng: Rng) -> Intervals:
    rows = control_table(world, rng, sparsities=(0.9,), luck=0.0)
    yield "mean", _ends(rows), DENSE
    yield "difference", _ends(rows, "difference"), 0.0


def _robust(world: World, rng: Rng) -> Intervals:
    table = frame(robust_rows(world, rng, gain=SPREAD, luck=0.0), world, rng)
    table["dense_cvar_05"] = DENSE + rng.normal(size=len(table))
    rows = analysis.robust_against_standard(table)
    clean = rows["metric"].eq("cvar_05")
    yield "clean difference", _ends(rows[clean], "difference"), 0.0
    yield "attacked difference", _ends(rows[~clean], "difference"), SPREAD
    rows = analysis.robustness_table(table)
    yield "clean mean", _ends(rows[rows["network"].eq("ticket")], "cvar_05"), DENSE
    standard = rows[rows["network"].eq("ticket") & rows["epsilon"].eq(0.0)]
    yield "attacked mean", _ends(standard, ATTACKED), 2.0 * DENSE


def _configurations(world: World, rng: Rng) -> Intervals:
    rows = []
    for i, values in enumerate(noise(world, rng, 6)):
        rows += trials(DENSE + values, sparsity=0.5, lr=1e-3 * (1 + i))
    table = frame(rows, world, rng)
    fixed = analysis.compare(table, baseline={"lr": 1e-3})
    yield "mean", _ends(fixed), DENSE
    yield "difference", _ends(fixed, "difference"), 0.0
    yield "mean by learning rate", _ends(analysis.learning_rates(table), "cvar_05"), DENSE


def _selected(world: World, rng: Rng) -> Intervals:
    """Five configurations less the best by validation, which shares the luck of the test."""
    yield "difference", _ends(compare_table(world, rng), "difference"), 0.0


def _boosting(world: World, rng: Rng) -> Intervals:
    rows = curves(world, rng, lead=0.0, loss=0.0, luck=0.0)
    yield "mean", _ends(rows, "cvar_05"), DENSE
    for rival in ("dense", "retrained", "retrained_as_long", "lottery", "same_rate"):
        yield f"less {rival}", _ends(rows, f"less_{rival}"), 0.0


def _importance(world: World, rng: Rng) -> Intervals:
    values = importances(world, rng)
    yield "mean", _ends(importance.means(values)), 0.0
    yield "shift", _ends(importance.shifts(values)), 0.0


def _hedges(world: World, rng: Rng) -> Intervals:
    rows = dense_against_hedges(against_hedges(world, rng))
    equal = rows[rows["hedge"].eq("minimum_variance")]
    yield "difference", _ends(equal, "difference"), 0.0


def _claims(world: World, rng: Rng) -> Intervals:
    standard, robust = (noise(world, rng) for _ in range(2))
    luck = rng.normal(size=world.seeds)
    # A gap of 1, of which robust training closes 60 %.
    rows = [
        row | {ATTACKED: value}
        for epsilon, clean, attacked in (
            (0.0, standard, standard - 1.0),
            (0.1, robust, standard - 0.4),
        )
        for row, value in zip(
            trials(DENSE + luck + clean, sparsity=0.9, epsilon=epsilon),
            DENSE + luck + attacked + 0.2 * noise(world, rng),
            strict=True,
        )
    ]
    table = frame(rows, world, rng)
    table["dense_cvar_05"] = DENSE + luck[table["config/seed"]]
    table["cvar_05_minus_dense"] = table["cvar_05"] - table["dense_cvar_05"]
    table["cvar_05@attacked_paths"] = table["cvar_05"]
    (problem,) = Sweep(trials=table).problems
    for claim, truth in (("sparsity", 0.0), ("robustness", 0.6)):
        evidence = SOURCES[claim](problem, TOLERANCE)
        assert evidence is not None
        ends = evidence.interval
        yield claim, pd.DataFrame({"low": [ends.low], "high": [ends.high]}).dropna(), truth


TABLES: Mapping[str, tuple[Callable[[World, Rng], Intervals], int]] = {
    "controls": (_controls, 160),
    "robust": (_robust, 240),
    "configurations": (_configurations, 120),
    "boosting": (_boosting, 120),
    "importance": (_importance, 80),
    "hedges": (_hedges, 600),
    "claims": (_claims, 500),
    "selected": (_selected, 160),
}
"""Tables with a number of sweeps that has over 475 intervals, whose coverage errs by 1 %."""


def coverage(name: str, seeds: int) -> pd.DataFrame:
    """Number of ``intervals`` of a table, and the ``hits`` that contain the mean, by name."""
    simulate, sweeps = TABLES[name]
    rng = np.random.default_rng(zlib.crc32(repr((name, seeds)).encode()))
    world = World(seeds=seeds, noise="normal", effect=0.0)
    rows = []
    for _ in range(sweeps):
        for interval, ends, truth in simulate(world, rng):
            inside = ends["low"].le(truth) & ends["high"].ge(truth)
            rows.append({"name": interval, "intervals": len(ends), "hits": inside.sum()})
    return pd.DataFrame(rows).groupby("name", sort=False).sum()
