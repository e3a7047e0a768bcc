"""Importance of the input columns: of networks by permutation, of boosted trees by gain.

The network's is the rise of test cross-entropy when all inputs of a column are permuted; the
trees' is the column's share in the gain of all splits of the classifier, on training rows. The
measures differ in unit and rows, so only their orders compare. A sweep of encoded principal
components (``data.encoding: published``) has components as the network's columns.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import bounded, estimate
from analysis.tensors import Contents, SweepFiles, UnreadError

XNN, PLAIN, BOOSTED = "X-NN", "plain network", "XGBoost classifier"
UNITS: Mapping[str, str] = {XNN: "nat", PLAIN: "nat", BOOSTED: "share of gain"}
"""Unit of the importance of every model."""


@checked
def column_importance(
    files: SweepFiles,
    trials: pd.DataFrame,
    plain_trials: pd.DataFrame,
    *,
    confidence: float = 0.95,
) -> tuple[pd.DataFrame, list[str]]:
    """One row per model and column, most important first; and a line per file without them.

    ``importance`` is the mean over ``seeds``, ``_low`` to ``_high`` its interval over seeds.
    ``se`` is the standard error of a network over test rows, as the mean over seeds: every seed is
    tested on the same rows, so that more seeds do not reduce it. It is NaN for the trees.

    Args:
        trials: completed trials of one configuration, one per seed; may be empty.
        plain_trials: those of its plain network; may be empty.
    """
    found: dict[str, list[pd.DataFrame]] = {XNN: [], PLAIN: [], BOOSTED: []}
    missing: list[str] = []
    for name, frame in ((XNN, trials), (PLAIN, plain_trials)):
        for trial_id in frame.get("trial_id", pd.Series(dtype=str)).astype(str):
            try:
                contents = files.model(trial_id, "xnn").load()
                found[name].append(_network(contents))
                if name == XNN or trials.empty:
                    key = contents.about.get("preparation")
                    found[BOOSTED].append(
                        _trees(contents, files.prepared(key, "importance").load())
                    )
            except UnreadError as error:
                missing.append(str(error))
    rows: list[dict[str, Any]] = []
    for model, parts in found.items():
        table = pd.concat(parts) if parts else pd.DataFrame(columns=["column", "value", "se"])
        of_model = []
        for column, values in table.groupby("column", sort=False):
            row = {"model": model, "column": column, "unit": UNITS[model], "seeds": len(values)}
            ends = estimate(values["value"], bounded("importance"), confidence=confidence)
            of_model.append(row | ends | {"se": values["se"].mean()})
        rows += sorted(of_model, key=lambda row: -row["importance"])
    texts = dict.fromkeys(("model", "column", "unit"), "string")
    floats = dict.fromkeys((*bounded("importance"), "se"), "float64")
    return typed(rows, {**texts, "seeds": "Int64", **floats}), missing


def _network(contents: Contents) -> pd.DataFrame:
    return _frame(contents, contents, "columns", "importance.rise", "importance.se")


def _trees(contents: Contents, prepared: Contents) -> pd.DataFrame:
    return _frame(contents, prepared, "boosted", "boosted_gain", None)


def _frame(
    named: Contents, held: Contents, key: str, name: str, error: str | None
) -> pd.DataFrame:
    """Columns named in the metadata of ``named``, with the tensors of ``held``.

    Raises:
        UnreadError: they are absent or do not fit each other.
    """
    about = named.about.get("importance")
    columns = about.get(key) if isinstance(about, Mapping) else None
    if not isinstance(columns, list) or name not in held.tensors:
        raise UnreadError("no importance of columns in the models; run the sweep again")
    value = held.tensors[name].astype(np.float64)
    spread = np.full(value.shape, np.nan) if error is None else held.tensors.get(error)
    fits = value.shape == (len(columns),) and spread is not None and spread.shape == value.shape
    if not fits or not np.isfinite(value).all() or len(set(map(str, columns))) < len(columns):
        raise UnreadError(f"{name} in the models does not fit its columns")
    texts = [str(column) for column in columns]
    return pd.DataFrame({"column": texts, "value": value, "se": spread})
