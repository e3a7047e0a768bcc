"""Selection of an X-NN configuration: the most explanation within a limit of cost."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.xnn.cells import COST, GAIN

WITHIN = 0.02
"""Limit of the cost of an explanation, in nats of cross-entropy."""

VALIDATED = "val_loss_minus_plain"


@checked
def best(table: pd.DataFrame, *, within: float = WITHIN) -> pd.Series | None:
    """The cell with the largest explanation gain at a cost of at most ``within`` nats, or None.

    Both are measured on validation rows, so that values on test rows are unbiased: the cost by the
    least validation loss minus that of the plain network, the gain by ``val_explanation_gain``.
    Trials without the latter are judged by the gain on test rows, whose maximum over cells is
    slightly optimistic; without separate test rows (see :func:`held_out`) both are. The plain
    network, and cells with fewer seeds than others, do not compete.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
        within: limit of the cost, in nats.
    """
    candidates = pulled(whole(table))
    cost = VALIDATED if VALIDATED in candidates else COST
    candidates = candidates[candidates[cost].le(within)]
    label = schema.best(candidates, gain(candidates)) if len(candidates) else None
    return None if label is None else candidates.loc[[label]].iloc[0]


def gain(table: pd.DataFrame) -> str:
    """Column of the gain for choosing cells: on validation rows if all cells have it."""
    rows = table[table[GAIN].notna()]
    coverage = f"val_{GAIN}" in rows and len(rows) and rows[f"val_{GAIN}"].notna().all()
    return f"val_{GAIN}" if coverage else GAIN


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """Cells with a result at the largest number of seeds, because fewer bias the mean.

    That number excludes the plain network, which has a result if any method completed.
    """
    some = table[table["seeds"].gt(0)]
    most = (pulled(some) if len(pulled(some)) else some)["seeds"].max()
    return some[some["seeds"].ge(most)]


def pulled(table: pd.DataFrame) -> pd.DataFrame:
    """Cells other than the plain network."""
    return table[~table["reference"].fillna(False).astype(bool)]


def held_out(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> bool:
    """True if test and validation rows of ``trials`` are disjoint.

    In the published split they are the same rows, so the best epoch and the best cell are chosen
    on test rows.

    Args:
        manifest: its ``study`` has the split if it was not swept.
    """
    swept = trials.get("config/data.split")
    fixed = ((manifest.get("study") or {}).get("data") or {}).get("split")
    splits = {fixed} if swept is None or swept.isna().any() else set()
    return "published" not in splits | set(() if swept is None else swept.dropna())
