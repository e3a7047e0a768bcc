"""Rare levels of the synthetic table: as published, planted at any size, or removed.

Nominal columns of the public table have levels of 1 to 3 among 59,381 rows. Standardised, a dummy
of one row is sqrt(rows) in that row, and dominates every distance from it.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from hedgecore.insurance.data.schema import COLUMNS, ROWS
from hedgecore.rng import numpy_stream

RareLevels = Literal["schema", "planted", "none"]

_PLANTED_AT_MOST = 3
# A level below this share of the public table is rare enough to be removed.
_SHARE = 0.001
# Planted rows are among these first ones, so that a smaller table begins a larger one.
_AMONG = 1000


def with_rare_levels(
    columns: Mapping[str, np.ndarray], rare_levels: RareLevels, *, seed: int
) -> dict[str, np.ndarray]:
    """``columns`` of a synthetic table with their rare levels as requested.

    Args:
        columns: values by name, drawn from the published counts.
        rare_levels: "schema" for no change; "planted" to give the rarest level of every nominal
            column, where the public table has at most 3 such rows, to as many of the first 1,000
            rows, each row at most once; "none" to replace every level of fewer than 0.1 % of the
            public table by the commonest of its column.
        seed: of the stream that draws planted rows.
    """
    changed = dict(columns)
    if rare_levels == "none":
        for name, counts in _counts().items():
            rare = [level for level, count in counts.items() if count < _SHARE * ROWS]
            commonest = max(counts, key=counts.__getitem__)
            values = changed[name]
            changed[name] = np.where(np.isin(values, rare), commonest, values)
    if rare_levels == "planted":
        order = iter(numpy_stream(seed, "insurance", "planted").permutation(_AMONG).tolist())
        for name, counts in _counts().items():
            level = min(counts, key=counts.__getitem__)
            if counts[level] > _PLANTED_AT_MOST:
                continue
            rows = [next(order) for _ in range(int(counts[level]))]
            values = changed[name].copy()
            values[[row for row in rows if row < len(values)]] = level
            changed[name] = values
    return changed


def _counts() -> dict[str, dict[float, int]]:
    """Rows of the public table by level of every nominal column whose few levels are numbers."""
    return {
        name: {float(level): count for level, count in column.levels.items()}
        for name, column in COLUMNS.items()
        if column.kind == "nominal" and column.levels and not column.text
    }
