"""Selection of an X-NN configuration: the most explanation within a limit of cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.xnn.verdicts import COST, GAIN, WITHIN

__all__ = [
    "VALIDATED",
    "WITHIN",
    "Choice",
    "best",
    "choose",
    "gain",
    "held_out",
    "pulled",
    "whole",
]

VALIDATED = "val_loss_minus_plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Configuration that text and figures show, and the criterion of its choice.

    Args:
        cell: row of the table of cells.
        criterion: in words: "the largest validation gain within 0.02 nat".
        within: its mean cost is within the limit; else it is the cheapest.
    """

    cell: pd.Series
    criterion: str
    within: bool


@checked
def best(table: pd.DataFrame, *, within: float = WITHIN) -> pd.Series | None:
    """The cell with the largest explanation gain at a cost of at most ``within`` nats, or None.

    Both are measured on validation rows, so that test rows play no part: the cost by the
    least validation loss minus that of the plain network, the gain by ``val_explanation_gain``.
    Trials without the latter are judged by the gain on test rows, whose maximum over cells is
    optimistic; without separate test rows (see :func:`held_out`) both are. The plain
    network, and cells with fewer seeds than others, do not compete.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
        within: limit of the cost, in nats.
    """
    candidates = pulled(whole(table))
    candidates = candidates[candidates[_cost(candidates)].le(within)]
    label = schema.best(candidates, gain(candidates)) if len(candidates) else None
    return None if label is None else candidates.loc[[label]].iloc[0]


@checked
def choose(table: pd.DataFrame, *, holdout: bool = True) -> Choice | None:
    """The :func:`best` cell, else the cheapest with a pull; None if no such cell has a result.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
        holdout: False if test rows are validation rows, which the criterion then states.
    """
    measure = "validation" if gain(table) != GAIN else "test"
    cost = "validation" if VALIDATED in table else "test"
    same = "" if holdout else "; validation and test rows are the same"
    cell = best(table)
    if cell is not None:
        criterion = f"largest {measure} gain within {WITHIN:g} nat of {cost} cross-entropy{same}"
        return Choice(cell=cell, criterion=f"the {criterion}", within=True)
    rivals = pulled(whole(table))
    name = _cost(rivals)
    if rivals.empty or name not in rivals or rivals[name].isna().all():
        return None
    cheapest = rivals.loc[[rivals[name].idxmin()]].iloc[0]
    criterion = f"the least {cost} cross-entropy; none is within {WITHIN:g} nat{same}"
    return Choice(cell=cheapest, criterion=criterion, within=False)


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


def _cost(table: pd.DataFrame) -> str:
    return VALIDATED if VALIDATED in table else COST
