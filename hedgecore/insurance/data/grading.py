"""Grading of synthetic applicants: merit determines the grade, other terms the class within it.

The classes of Response form four grades: 1 and 2, 3 and 4, 5 to 7, and 8, the best. ``merit`` is a
sum of standardised columns and of curves. Its noise is a cubed normal, as underwriters agree on
most files and differ widely on some. ``terms``, nearly free of noise, decide within the grade. The
class is thus more predictable than its order, which reproduces the gap between softprob and
regression on the public table.

``underwriting.csv`` and the constants here were fitted to synthetic rows until the correlations
with Response, and its means by BMI, age and so on, were 0.92 times those of the public table: at
full size, independent columns would be more predictive than the public table is for boosting.
"""

import csv
from collections.abc import Mapping
from importlib.resources import files

import numpy as np
from jaxtyping import Float, Int

from hedgecore.insurance.data.schema import COLUMNS, KEYWORDS

Vector = Float[np.ndarray, " rows"]

# Months since an event that never happened: one more than the longest counted.
_NEVER = 241.0
# Nonlinear effects: arguments, and the merit at each; linear in between.
_CURVES = {
    "BMI": (
        (0.297, 0.352, 0.388, 0.419, 0.448, 0.478, 0.511, 0.550, 0.601, 0.694),
        (-0.030, 0.029, 0.052, 0.059, 0.044, 0.040, 0.042, 0.054, -0.113, -0.177),
    ),
    "Ins_Age": ((0.179, 0.328, 0.478, 0.642), (0.055, 0.046, -0.027, -0.075)),
    "Product_Info_4": ((0.055, 0.158, 0.351, 0.634), (-0.198, 0.021, 0.084, 0.093)),
    "Medical_History_15": ((18, 19, 240, _NEVER), (-0.521, 0.014, 0.014, 0.040)),
}
_KEYWORD_CURVE = (0.124, 0.038, -0.052, -0.138, -0.337, -0.546, -0.615)
# Medical_History_2 is a code: neighbours are similar, the order has no meaning. Trees can fit such
# a wave; a network can hardly, with the code as a number or with rare codes as "other".
_WAVE, _RADIAN = 0.905, 24.0
_MERIT_NOISE, _TERMS_NOISE = 0.258, 0.02
# Grades by ascending merit, and their classes by ascending terms.
_GRADES = (-0.512, -0.390, 0.268)
_CLASSES = ((1, (-0.048,)), (3, (-0.334,)), (5, (-1.028, 0.435)), (8, ()))
# From this BMI on, the best class is unavailable: of the heaviest tenth, 0.4 % have it.
_BMI_LIMIT = 0.64


def assess(
    columns: Mapping[str, np.ndarray], *, noise: Float[np.ndarray, "rows 2"]
) -> Int[np.ndarray, " rows"]:
    """Response, 1 to 8, of every row; ``noise`` is standard normal, for merit and for terms."""
    merit = _weighted(columns, "merit") + _curves(columns) + _MERIT_NOISE * noise[:, 0] ** 3
    wave = _WAVE * np.sin(columns["Medical_History_2"] / _RADIAN)
    terms = _weighted(columns, "terms") + wave + _TERMS_NOISE * noise[:, 1] ** 3
    grade = np.searchsorted(_GRADES, merit, side="right")
    grade = np.minimum(grade, np.where(columns["BMI"] > _BMI_LIMIT, len(_GRADES) - 1, grade))
    classes = [first + np.searchsorted(cuts, terms, side="right") for first, cuts in _CLASSES]
    return np.choose(grade, classes).astype(np.int64)


def _curves(columns: Mapping[str, np.ndarray]) -> Vector:
    """Merit from the columns with nonlinear effects."""
    count = np.sum([columns[name] for name in KEYWORDS], axis=0)
    merit = np.interp(count, np.arange(len(_KEYWORD_CURVE)), _KEYWORD_CURVE)
    for name, (arguments, values) in _CURVES.items():
        merit += np.interp(np.nan_to_num(columns[name], nan=_NEVER), arguments, values)
    return merit


def _weighted(columns: Mapping[str, np.ndarray], index: str) -> Vector:
    """Sum of standardised columns without missing values."""
    names, weights = _WEIGHTS[index]
    scores = [(columns[name] - COLUMNS[name].mean) / COLUMNS[name].sd for name in names]
    # Not a matrix product, whose rounding depends on the number of rows.
    return np.sum([w * x for w, x in zip(weights, scores, strict=True)], axis=0)


def _weights(index: str) -> tuple[list[str], list[float]]:
    with (files(__package__) / "underwriting.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row[index]]
    return [row["column"] for row in rows], [float(row[index]) for row in rows]


_WEIGHTS = {index: _weights(index) for index in ("merit", "terms")}
