"""Selection of an X-NN configuration: the most explanation within a limit of cost."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.xnn.cells import COST, GAIN

WITHIN = 0.02
"""What an explanation may cost, in nats of cross-entropy."""

VALIDATED = "val_loss_minus_plain"


@checked
def best(table: pd.DataFrame, *, within: float = WITHIN) -> pd.Series | None:
    """The cell with the largest explanation gain at a cost of at most ``within`` nats, or None.

    Both are judged on validation rows, so that those of test rows are an honest judgement: the
    cost by the least validation loss less that of the plain network, the gain by
    ``val_explanation_gain``. Where trials lack that one the gain of test rows must do, whose
    maximum over cells is a little too good; and where the split has no test rows of its own, see
    :func:`held_out`, so are both. The plain network itself, and cells with fewer seeds than
    others, do not compete.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
        within: in nats.
    """
    candidates = pulled(whole(table))
    cost = VALIDATED if VALIDATED in candidates else COST
    candidates = candidates[candidates[cost].le(within)]
    label = schema.best(candidates, gain(candidates)) if len(candidates) else None
    return None if label is None else candidates.loc[[label]].iloc[0]


def gain(table: pd.DataFrame) -> str:
    """The gain that cells are chosen by: on validation rows where all were measured on them."""
    rows = table[table[GAIN].notna()]
    coverage = f"val_{GAIN}" in rows and len(rows) and rows[f"val_{GAIN}"].notna().all()
    return f"val_{GAIN}" if coverage else GAIN


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """The cells with a result at the largest number of seeds: a mean over fewer flatters.

    The plain network, which takes all methods to fail, does not set that number.
    """
    some = table[table["seeds"].gt(0)]
    most = (pulled(some) if len(pulled(some)) else some)["seeds"].max()
    return some[some["seeds"].ge(most)]


def pulled(table: pd.DataFrame) -> pd.DataFrame:
    """The cells that are not the plain network."""
    return table[~table["reference"].fillna(False).astype(bool)]


def held_out(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> bool:
    """Whether no test row of ``trials`` is a validation row, as it is in the published split.

    What is chosen on validation rows, the best epoch and the best cell, is chosen on test rows
    there.

    Args:
        manifest: its ``study`` has the split where it was not swept.
    """
    swept = trials.get("config/data.split")
    fixed = ((manifest.get("study") or {}).get("data") or {}).get("split")
    splits = {fixed} if swept is None or swept.isna().any() else set()
    return "published" not in splits | set(() if swept is None else swept.dropna())
