"""Coefficients of one network's nodes on distances, beside the variance inflation of each."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.configurations import typed
from analysis.tensors import TensorFile, UnreadError
from analysis.text_table import TextTable, or_dash

INFLATION = (
    "Variance inflation factor of a distance: 1 / (1 - R2 on the other distances), so 1 if it is "
    "uncorrelated with them; the standard error of its coefficients is the square root of that "
    "times larger. Above about 10, only the fitted value and its R2 can be read, not a single "
    "coefficient or its sign."
)
"""Meaning of variance inflation for reading coefficients, as a caption."""

_NEEDED = ("explanation.beta", "explanation.inflation", "explanation.r2")


def node_table(file: TensorFile) -> pd.DataFrame:
    """One row per node and centroid, numbered from 1.

    ``beta`` is the standardised coefficient, ``inflation`` the variance inflation factor of that
    centroid's distance, ``r2`` the held-out R2 of the node on all distances.

    Raises:
        UnreadError: the file cannot be read, or its tensors are missing or do not fit.
    """
    tensors = file.load().tensors
    if absent := [name for name in _NEEDED if name not in tensors]:
        raise UnreadError(f"{file.path} cannot be read (it has no {absent[0]})")
    beta, inflation, r2 = (tensors[name].astype(np.float64) for name in _NEEDED)
    if beta.ndim != 2 or inflation.shape != beta.shape[1:] or r2.shape != beta.shape[:1]:
        raise UnreadError(f"{file.path} cannot be read (its tensors do not fit one another)")
    rows: list[dict[str, Any]] = [
        {"node": j + 1, "centroid": k + 1, "beta": b, "inflation": inflation[k], "r2": r2[j]}
        for (j, k), b in np.ndenumerate(beta)
    ]
    floats = dict.fromkeys(("beta", "inflation", "r2"), "float64")
    return typed(rows, {"node": "Int64", "centroid": "Int64", **floats})


def table(rows: pd.DataFrame, *, subject: str) -> TextTable:
    """A row per centroid of :func:`node_table`, for the terminal.

    Args:
        subject: the network, in words.
    """
    by = rows.assign(size=rows["beta"].abs()).groupby("centroid")
    largest = rows.loc[by["size"].idxmax()] if len(rows) else rows
    cells = {
        "centroid": [str(c) for c in largest["centroid"]],
        "variance inflation": [or_dash(v, f"{v:.3g}") for v in largest["inflation"]],
        "largest coefficient": [or_dash(v, f"{v:+.3f}") for v in largest["beta"]],
        "of node": [str(n) for n in largest["node"]],
        "R2 of it": [or_dash(v, f"{v:.3f}") for v in largest["r2"]],
    }
    return TextTable(
        cells=cells,
        title=f"Coefficients of nodes on distances, by centroid ({subject})",
        caption=f"Coefficients in sd of node per sd of distance. {INFLATION}",
    )
