"""The bargains of an X-NN sweep: cells that nothing explains more for less."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.xnn.cells import COST, GAIN
from analysis.xnn.selection import whole

HORIZON = 0.1
"""Cost in nats at which an explanation counts for nothing: the hypervolume's fixed corner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Cells that no other beats in both cost and gain.

    Args:
        rows: of the table of cells, by rising cost.
        knee: label of the row farthest above the line between the ends of the front, both axes
            scaled to its range; None where none is above it.
        hypervolume: area in nats that the front holds above gain 0 and below a cost of 0.1 nat.
    """

    rows: pd.DataFrame
    knee: int | None
    hypervolume: float


@checked
def pareto(table: pd.DataFrame) -> Front:
    """The front of the test cross-entropy over the plain network against the explanation gain.

    Both are means over seeds. Cells with fewer seeds than others do not compete.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
    """
    candidates = whole(table).dropna(subset=[COST, GAIN]) if COST in table else table.iloc[:0]
    ordered = candidates.sort_values([COST, GAIN], ascending=[True, False], kind="stable")
    before = ordered[GAIN].cummax().shift() if len(ordered) else pd.Series(dtype=float)
    front = ordered[~ordered[GAIN].le(before)] if len(ordered) else ordered
    return Front(rows=front, knee=_knee(front), hypervolume=_hypervolume(front))


def _hypervolume(front: pd.DataFrame) -> float:
    """The union of what each cell leaves to be had: costs up to the horizon, gains down to 0."""
    if front.empty:
        return 0.0
    spared = (HORIZON - front[COST].to_numpy()).clip(min=0.0)
    heights = np.diff(front[GAIN].to_numpy().clip(min=0.0), prepend=0.0)
    return float(spared @ heights)


def _knee(front: pd.DataFrame) -> int | None:
    if len(front) < 3:
        return None
    cost, gain = (front[name].to_numpy() for name in (COST, GAIN))
    # The ends lie at (0, 0) and (1, 1): what is above the line between them is their difference.
    above = (gain - gain[0]) / (gain[-1] - gain[0]) - (cost - cost[0]) / (cost[-1] - cost[0])
    return int(front.index[int(above.argmax())]) if above.max() > 0.0 else None
