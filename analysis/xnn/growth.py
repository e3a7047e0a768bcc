"""Growth of raw R2 with the number of centroids, tested for every network, and chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.contrast import (
    BETTER,
    EQUIVALENT,
    OPEN,
    WORSE,
    bracketed,
    contrast,
    corrected,
    verdict,
)
from analysis.wording import amount, plural
from analysis.xnn.cells import members, of_problem
from analysis.xnn.verdicts import CLAIMS, GAIN

MARGIN = CLAIMS[GAIN].margin
"""Difference of R2 that counts as none."""
NETWORKS: Mapping[str, str] = {
    "r2_untrained": "the untrained network",
    "r2_plain": "the plain network",
    "r2_mean": "the X-NN",
}
PERMUTED = "r2_permuted"
_LEVEL = 0.05
_CHANGES = {
    BETTER: "is larger at K = {most} than at K = {fewest}",
    WORSE: "is smaller at K = {most} than at K = {fewest}",
    EQUIVALENT: f"is the same within {MARGIN:g} at K = {{most}} as at K = {{fewest}}",
    OPEN: "is not shown to differ between K = {most} and K = {fewest}",
}


def growth(
    trials: pd.DataFrame, table: pd.DataFrame, cell: pd.Series | None, names: Sequence[str]
) -> pd.DataFrame:
    """One row per network: its R2 at the most centroids less that at the fewest, by seed.

    ``fewest`` and ``most`` are means, ``difference`` has a Student interval over seeds, and the
    networks are one family. Empty for a single number of centroids.

    Args:
        trials: the frame from :func:`analysis.load_trials`, of one problem.
        table: its cells, from :func:`analysis.xnn.cells.cells`.
        cell: fixes all parameters but clusters; None is without rows.
        names: the axes of the table.
    """
    series = _series(table, cell, names)
    if len(series) < 2:
        return pd.DataFrame()
    few, many = series.iloc[0], series.iloc[-1]
    ends = [members(trials, one).set_index("config/seed") for one in (few, many)]
    seeds = trials["config/seed"].unique() if "config/seed" in trials else ends[0].index
    rows: list[dict[str, Any]] = []
    for metric, network in NETWORKS.items():
        if not all(metric in frame for frame in ends):
            continue
        low, high = (frame[metric].groupby(level=0).mean().reindex(seeds) for frame in ends)
        paired = contrast(high, low, margin=MARGIN, symmetric=False)
        row = {"network": network, "clusters_fewest": few["clusters"]}
        row |= {"clusters_most": many["clusters"], "fewest": low.mean(), "most": high.mean()}
        rows.append(row | paired.columns())
    return pd.DataFrame(row | {"verdict": verdict(row)} for row in corrected(rows))


def sentences(rows: pd.DataFrame) -> list[str]:
    """A line per network of :func:`growth`."""
    lines = []
    for _, row in rows.iterrows():
        ends = {"most": row["clusters_most"], "fewest": row["clusters_fewest"]}
        lines.append(
            f"Raw R2 of {row['network']} {_CHANGES[row['verdict']].format(**ends)}: "
            f"{amount(row['most'])} and {amount(row['fewest'])}, "
            f"{bracketed(row, 'difference', signed=True)}."
        )
    return lines


def chance(
    trials: pd.DataFrame, table: pd.DataFrame, cell: pd.Series | None, names: Sequence[str]
) -> list[str]:
    """Sentence on R2 with permuted rows, at the number of centroids where it is farthest from 0.

    It is "within the margin at every K" only if that is shown at each of them. Arguments as for
    :func:`growth`.
    """
    series = _series(table, cell, names)
    if series.empty or PERMUTED not in series or series[PERMUTED].isna().all():
        return []
    tests = [_permuted(trials, one) for _, one in series.iterrows()]
    # All must hold, so each may be tested at the level of one.
    p = max((t.p_equivalent for t in tests), default=1.0)
    worst = series.loc[[series[PERMUTED].abs().idxmax()]].iloc[0]
    judged = "within" if p <= _LEVEL else "not shown to be within"
    return [
        f"With permuted rows, R2 is {judged} {MARGIN:g} of 0 at "
        f"{plural(len(series), 'number')} of centroids; the mean farthest from 0 is "
        f"{bracketed(worst, PERMUTED, signed=True)}, at K = {worst['clusters']}."
    ]


def _permuted(trials: pd.DataFrame, cell: pd.Series) -> Any:
    seeds = trials["config/seed"].unique() if "config/seed" in trials else [0]
    values = members(trials, cell).set_index("config/seed")[PERMUTED].groupby(level=0).mean()
    values = values.reindex(seeds)
    null = pd.Series(0.0, index=values.index)
    return contrast(values, null, margin=MARGIN, symmetric=False)


def _series(table: pd.DataFrame, cell: pd.Series | None, names: Sequence[str]) -> pd.DataFrame:
    """Cells that differ from ``cell`` in their number of centroids only, in its order."""
    rows = table[table["seeds"].gt(0)]
    if rows.empty or cell is None or "clusters" not in rows:
        return rows.iloc[:0]
    fixed = {name: cell[name] for name in names if name != "clusters"}
    return of_problem(rows, fixed).dropna(subset="clusters").sort_values("clusters")
