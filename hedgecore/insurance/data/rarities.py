"""Counts of rare levels and extreme values in the training rows, and of their treatment."""

import numpy as np
from jaxtyping import Int

from hedgecore.insurance.data.encoding import Published, Sound, separated
from hedgecore.insurance.data.schema import FEATURES
from hedgecore.insurance.data.table import Table
from hedgecore.protocols import Json


def rarities(encoding: Published | Sound, table: Table, rows: Int[np.ndarray, " train"]) -> Json:
    """Treatment of rare values by a "sound" encoding, as numbers of training rows by column.

    Returns:
        ``pooled``: levels and rows of each nominal column that are in "other"; ``dropped``: rows
        that each dropped column separates from the rest, constant columns excepted;
        ``winsorised``: rows set to a bound. Empty for the published encoding, which treats none.
    """
    if isinstance(encoding, Published):
        return {}
    train = {name: table.columns[name][rows] for name in FEATURES}
    pooled = {}
    for name, levels in encoding.levels.items():
        rare = train[name][~np.isin(train[name], levels)]
        if len(rare):
            pooled[name] = {"levels": len(np.unique(rare)), "rows": len(rare)}
    candidates = dict(encoding.candidates(train))
    dropped = {
        name: separated(v) for name, v in candidates.items() if name not in encoding.columns
    }
    outside = {
        name: int(((train[name] < low) | (train[name] > high)).sum())
        for name, (low, high) in encoding.bounds.items()
    }
    return {
        "pooled": pooled,
        "dropped": {name: count for name, count in dropped.items() if count},
        "winsorised": {name: count for name, count in outside.items() if count},
    }
