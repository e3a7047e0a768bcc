"""The columns of the Prudential Life Insurance Assessment table: kinds, levels, legal values.

``schema.csv`` contains statistics of the public ``train.csv`` (59,381 rows): counts of every
level, quantiles, missing values and correlations with Response. It contains no rows of the table,
which must not be redistributed.

Source: https://www.kaggle.com/c/prudential-life-insurance-assessment (2015).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, cast

import numpy as np
from jaxtyping import Bool, Float

Kind = Literal["id", "nominal", "continuous", "discrete", "dummy", "response"]

ROWS = 59_381
CLASSES = 8
"""Levels of Response; the label of a network is Response - 1."""
# Nominal columns with more levels than this may take any value between their extremes, as rare
# levels differ from file to file.
_LISTED = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Column of the table.

    Args:
        name: name in the header of train.csv.
        kind: the publisher's type; ``dummy`` flags the presence of a keyword.
        missing: number of rows without a value, of 59,381.
        levels: counts by level, for columns with few.
        quantiles: minimum, 1, 25, 50, 75 and 99 %, and maximum, for columns with many levels.
        mean: mean of the present values.
        sd: standard deviation of the present values.
        correlation: correlation with Response, over the same rows.
    """

    name: str
    kind: Kind
    missing: int
    levels: Mapping[str, int]
    quantiles: tuple[float, ...]
    mean: float
    sd: float
    correlation: float

    @property
    def text(self) -> bool:
        """True if levels are strings (Product_Info_2 only)."""
        return "A1" in self.levels

    @property
    def legal(self) -> str:
        """Description of legal values, for a message."""
        if self.kind == "id":
            return "a whole number of at least 1"
        if self.kind == "continuous":
            return "a number in [0, 1]"
        if self.levels and len(self.levels) <= _LISTED:
            return f"one of {', '.join(self.levels)}"
        return "a whole number in [{:g}, {:g}]".format(*self._range)

    def allows(self, values: Float[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
        """Mask of the legal numbers among ``values``; False for NaN."""
        if self.kind == "continuous":
            return (values >= 0) & (values <= 1)
        if self.levels and len(self.levels) <= _LISTED:
            return np.isin(values, [float(level) for level in self.levels])
        low, high = self._range
        return (values >= low) & (values <= high) & (values == np.floor(values))

    @property
    def _range(self) -> tuple[float, float]:
        if self.kind == "id":
            return 1, float(2**53)
        if self.levels:
            codes = [float(level) for level in self.levels]
            return min(codes), max(codes)
        return self.quantiles[0], self.quantiles[-1]


def _read() -> dict[str, Column]:
    with (files(__package__) / "schema.csv").open() as lines:
        return {row["column"]: _column(row) for row in csv.DictReader(lines)}


def _column(row: Mapping[str, str]) -> Column:
    pairs = (pair.split(":") for pair in row["levels"].split())
    return Column(
        name=row["column"],
        kind=cast(Kind, row["kind"]),
        missing=int(row["missing"]),
        levels={level: int(count) for level, count in pairs},
        quantiles=tuple(float(q) for q in row["quantiles"].split()),
        mean=float(row["mean"] or "nan"),
        sd=float(row["sd"] or "nan"),
        correlation=float(row["correlation"] or "nan"),
    )


COLUMNS: Mapping[str, Column] = MappingProxyType(_read())
FEATURES = tuple(name for name in COLUMNS if COLUMNS[name].kind not in ("id", "response"))
KEYWORDS = tuple(name for name in FEATURES if COLUMNS[name].kind == "dummy")
