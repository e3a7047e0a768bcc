"""Pareto front of an X-NN sweep: cells that no other cell beats in both cost and gain."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.xnn.cells import COST, GAIN
from analysis.xnn.selection import whole

HORIZON = 0.1
"""Cost in nats of the hypervolume's fixed reference point, at gain 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Pareto-optimal cells in cost and gain.

    Args:
        rows: of the table of cells, by ascending cost.
        knee: label of the row farthest above the line between the ends of the front, both axes
            scaled to its range; None if none is above it.
        hypervolume: area in nats dominated by the front above gain 0 and below a cost of 0.1 nat.
    """

    rows: pd.DataFrame
    knee: int | None
    hypervolume: float


@checked
def pareto(table: pd.DataFrame) -> Front:
    """Pareto front of the cost in test cross-entropy and the explanation gain.

    Both are means over seeds; cells with fewer seeds than others do not compete.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
    """
    candidates = whole(table).dropna(subset=[COST, GAIN]) if COST in table else table.iloc[:0]
    ordered = candidates.sort_values([COST, GAIN], ascending=[True, False], kind="stable")
    before = ordered[GAIN].cummax().shift() if len(ordered) else pd.Series(dtype=float)
    front = ordered[~ordered[GAIN].le(before)] if len(ordered) else ordered
    return Front(rows=front, knee=_knee(front), hypervolume=_hypervolume(front))


def _hypervolume(front: pd.DataFrame) -> float:
    """Area of the union of the regions that cells dominate, up to the reference point."""
    if front.empty:
        return 0.0
    spared = (HORIZON - front[COST].to_numpy()).clip(min=0.0)
    heights = np.diff(front[GAIN].to_numpy().clip(min=0.0), prepend=0.0)
    return float(spared @ heights)


def _knee(front: pd.DataFrame) -> int | None:
    if len(front) < 3:
        return None
    cost, gain = (front[name].to_numpy() for name in (COST, GAIN))
    # The ends are (0, 0) and (1, 1), so the height above the line between them is y - x.
    above = (gain - gain[0]) / (gain[-1] - gain[0]) - (cost - cost[0]) / (cost[-1] - cost[0])
    return int(front.index[int(above.argmax())]) if above.max() > 0.0 else None
