"""Synthetic twin of the Prudential table, for use without a copy of it.

A Gaussian copula: nine factors per applicant drive 131 latent normals by the loadings of
``synthetic.csv``, and each becomes a column with the marginal of ``schema.csv``. Exact relations
of the table are reproduced: blocks of history that are present together, one age per parent, BMI
from height and weight. ``grading.py`` then grades the rows.

The loadings are chosen, not estimated from rows of the table. They reproduce its statistics, above
all the variance explained by principal components. The names of the factors are ours, as the
publisher does not document the columns.
"""

import csv
from collections.abc import Mapping
from importlib.resources import files

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri

from hedgecore.insurance.data.grading import assess
from hedgecore.insurance.data.rare_levels import RareLevels, with_rare_levels
from hedgecore.insurance.data.schema import COLUMNS, FEATURES, ROWS, Column
from hedgecore.insurance.data.table import Table, digest
from hedgecore.rng import numpy_stream

Vector = Float[np.ndarray, " rows"]

FACTORS = ("age", "size", "sex", "illness", "wealth", "policy", "heart", "growth", "nerves")

# Columns that take a level together in the same rows; None is a missing value.
_BLOCKS: Mapping[str, Mapping[str, str | None]] = {
    "never_insured": {
        "Insurance_History_4": "3",
        "Insurance_History_3": "1",
        "Insurance_History_5": None,
        "Insurance_History_7": "3",
        "Insurance_History_8": "2",
        "Insurance_History_9": "3",
    },
    "without_records": {
        "Medical_History_25": "1",
        "Medical_History_26": "3",
        "Medical_History_36": "2",
    },
    "without_work": {"Employment_Info_3": "3", "Employment_Info_2": "1"},
}
# A parent's age, at death or today: at most one of the two columns has it.
_EXCLUSIVE: Mapping[str, tuple[str, str]] = {
    "first_parent": ("Family_Hist_2", "Family_Hist_3"),
    "second_parent": ("Family_Hist_4", "Family_Hist_5"),
}
# Number of steps in [0, 1] of the columns that were scaled from whole numbers.
_STEPS = {
    "Ins_Age": 67,
    "Ht": 55,
    "Wt": 478,
    "Family_Hist_2": 69,
    "Family_Hist_3": 102,
    "Family_Hist_4": 71,
    "Family_Hist_5": 112,
}
_LATENTS = (*FEATURES, *_BLOCKS, *_EXCLUSIVE)
# Normal scores of the quantiles in the schema; the extremes are those of one row in the table.
_SCORES = ndtri(np.array([1 / ROWS, 0.01, 0.25, 0.5, 0.75, 0.99, 1 - 1 / ROWS]))


def generate(rows: int, *, seed: int, rare_levels: RareLevels = "schema") -> Table:
    """Table of ``rows`` graded synthetic applicants.

    Rows are drawn in order: a smaller table is the beginning of a larger one of the same seed.

    Args:
        rows: number of applicants.
        seed: seed of the random streams.
        rare_levels: see :func:`.rare_levels.with_rare_levels`.
    Raises:
        ValueError: ``rows`` below 1.
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    generator = numpy_stream(seed, "insurance", "applicants")
    draws = generator.standard_normal((rows, len(FACTORS) + len(_LATENTS)))
    factors, residuals = np.split(draws, [len(FACTORS)], axis=1)
    share = np.sqrt(1 - (_LOADINGS**2).sum(axis=1))
    # Not a matrix product, whose rounding depends on the number of rows.
    latents = np.einsum("rf,lf->rl", factors, _LOADINGS) + residuals * share
    drawn = _columns(dict(zip(_LATENTS, latents.T, strict=True)))
    columns = with_rare_levels(drawn, rare_levels, seed=seed)
    noise = numpy_stream(seed, "insurance", "assessment").standard_normal((rows, 2))
    response = assess(columns, noise=noise)
    return Table(
        columns=columns, response=response, source="synthetic", sha256=digest(columns, response)
    )


def _columns(latents: Mapping[str, Vector]) -> dict[str, np.ndarray]:
    values = {name: _margin(COLUMNS[name], latents[name]) for name in FEATURES}
    for switch, block in _BLOCKS.items():
        first, level = next((name, level) for name, level in block.items() if level)
        on = ndtr(latents[switch]) < COLUMNS[first].levels[level] / ROWS
        for name, answer in block.items():
            off = _margin(COLUMNS[name], latents[name], without=answer)
            values[name] = np.where(on, np.nan if answer is None else float(answer), off)
    for switch, (name, second) in _EXCLUSIVE.items():
        rank = ndtr(latents[switch])
        share = _present(COLUMNS[name])
        either = share + _present(COLUMNS[second])
        values[name][rank >= share] = np.nan
        values[second][(rank < share) | (rank >= either)] = np.nan
    values["BMI"] = _bmi(values["Ht"], values["Wt"], residual=latents["BMI"])
    return values


def _margin(column: Column, latent: Vector, *, without: str | None = None) -> np.ndarray:
    """Values of ``column``, increasing in ``latent``, distributed as in the schema."""
    if column.levels and column.kind != "continuous":
        levels = [level for level in column.levels if level != without]
        bounds = np.cumsum([column.levels[level] for level in levels], dtype=np.float64)
        codes = np.array(levels, dtype=np.str_ if column.text else np.float64)
        return codes[np.searchsorted(bounds[:-1] / bounds[-1], ndtr(latent), side="right")]
    if column.missing and column.name not in _ELSEWHERE:
        # The highest are missing: months since an event that never happened.
        rank = ndtr(latent) / _present(column)
        mask = rank < 1
        values = np.full(len(latent), np.nan)
        values[mask] = _spread(column, ndtri(rank[mask]))
        return values
    return _spread(column, latent)


def _spread(column: Column, score: Vector) -> Vector:
    """Normal scores on the scale of ``column``: linear between its quantiles, long at the top."""
    *_, high, highest = column.quantiles
    tail = np.clip((score - _SCORES[-2]) / (_SCORES[-1] - _SCORES[-2]), 0, 1)
    values = np.interp(score, _SCORES[:-1], column.quantiles[:-1]) + (highest - high) * tail**3
    if column.kind != "continuous":
        return np.round(values)
    steps = _STEPS.get(column.name)
    return np.round(values * steps) / steps if steps else np.round(values, 6)


def _bmi(height: Vector, weight: Vector, *, residual: Vector) -> Vector:
    """BMI on its scale of [0, 1], from height and weight on theirs; the residual has sd 0.010."""
    index = -0.519 + (1.785 + 6.224 * weight) / (1.2 + height) ** 2 + 0.010 * residual
    return np.round(np.clip(index, 0, 1), 6)


def _present(column: Column) -> float:
    """Share of rows with a value."""
    return 1 - column.missing / ROWS


def _loadings() -> Float[np.ndarray, "latents factors"]:
    with (files(__package__) / "synthetic.csv").open() as lines:
        rows = {row["latent"]: row for row in csv.DictReader(lines)}
    return np.array([[float(rows[name][f] or 0) for f in FACTORS] for name in _LATENTS])


# Columns whose missing values are determined by a switch.
_ELSEWHERE = {
    *(name for block in _BLOCKS.values() for name, level in block.items() if level is None),
    *(name for pair in _EXCLUSIVE.values() for name in pair),
}
_LOADINGS = _loadings()
