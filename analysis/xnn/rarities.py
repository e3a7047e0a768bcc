"""Rare values and small clusters of a sweep: how many were treated, by number of centroids."""

from typing import Any

import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.configurations import typed
from analysis.wording import plural

_CLUSTERS, _SEED = "config/clusters", "config/seed"
_LEAST, _SMALL = "cluster_rows_min", "clusters_undersized"
_COUNTS = ("seeds", "centroids", _LEAST, _SMALL)


@checked
def cluster_sizes(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per requested number of centroids, over its completed trials.

    ``centroids`` is the least number found, ``cluster_rows_min`` the training rows of the smallest
    cluster at any seed, ``clusters_undersized`` the most clusters of a seed that were set aside or
    merged. Empty for trials without these columns.
    """
    rows: list[dict[str, Any]] = []
    if {_CLUSTERS, _SEED, "centroids", _LEAST, _SMALL, "status"} <= set(trials):
        completed = trials[trials["status"].eq("completed")]
        for clusters, group in completed.groupby(_CLUSTERS, sort=True):
            rows.append(
                {
                    "clusters": clusters,
                    "seeds": group[_SEED].nunique(),
                    "centroids": group["centroids"].min(),
                    _LEAST: group[_LEAST].min(),
                    _SMALL: group[_SMALL].max(),
                }
            )
    dtype = schema.column(_CLUSTERS, "xnn").dtype
    return typed(rows, {"clusters": dtype, **dict.fromkeys(_COUNTS, "Int64")})


def sentences(trials: pd.DataFrame, sizes: pd.DataFrame) -> list[str]:
    """Numbers of rare levels and columns, and a warning for every K with clusters too small.

    Args:
        trials: of one problem.
        sizes: from :func:`cluster_sizes`.
    """
    lines = []
    if {"rare_levels", "rare_columns"} <= set(trials):
        levels, columns = (trials[name].max() for name in ("rare_levels", "rare_columns"))
        if pd.notna(levels) and pd.notna(columns) and (levels or columns):
            lines.append(
                f"At most {plural(int(levels), 'level')} of too few training rows are pooled into "
                f"the other of their columns, and {plural(int(columns), 'column')} that separate "
                "too few rows are dropped (data.rare)."
            )
    for _, row in sizes.iterrows():
        if pd.notna(row[_SMALL]) and row[_SMALL] > 0:
            lines.append(
                f"Warning: at K = {row['clusters']}, up to {plural(int(row[_SMALL]), 'cluster')} "
                "of a seed had fewer training rows than clustering.min_rows and were set aside or "
                f"merged; at least {plural(int(row['centroids']), 'centroid')} remain, the "
                f"smallest of {plural(int(row[_LEAST]), 'row')}."
            )
    return lines
