"""Baselines of an X-NN: boosted trees, the plain network, and class frequencies."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import (
    BETTER,
    DIFFERENCE,
    EQUIVALENT,
    WORSE,
    bounded,
    bracketed,
    contrast,
    corrected,
    estimate,
    verdict,
)
from analysis.wording import amount, plural
from analysis.xnn.cells import members
from analysis.xnn.selection import pulled
from analysis.xnn.verdicts import CLAIMS, COST, row_error

METRICS = ("cross_entropy", "accuracy", "kappa", "kappa_expected", "macro_f1", "ece", "rmse")
NAMES: Mapping[str, tuple[str, str]] = {
    "boosted_classes": ("XGBoost softprob", "test"),
    "boosted_offsets": ("XGBoost regression with offsets (fitted out of fold)", "test"),
    "boosted": ("XGBoost regression, rounded", "test"),
    "plain": ("plain network", "test"),
    "prior": ("class shares", "test"),
    "boosted_offsets_out_of_fold": ("XGBoost regression with offsets, out of fold", "training"),
    "boosted_train": ("XGBoost regression, rounded, in sample", "training"),
    "boosted_offsets_in_sample": ("XGBoost with offsets in sample, as published", "training"),
}
"""Name and evaluation rows of every baseline; those judged in sample come last."""
TREES = "boosted_classes"
_MARGIN = CLAIMS[COST].margin


@checked
def baselines(
    manifest: Mapping[str, Any],
    *,
    data: Collection[str] = (),
    held_out: bool = True,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row per baseline: means over seeds, and the Student interval of ``kappa`` over them.

    ``baseline`` is its key, ``name`` its name in words, ``rows`` the rows it is judged on: "test",
    "validation", or "training", which is optimistic unless out of fold. A seed with several
    preparations, one per clustering, counts once: baselines do not depend on centroids.

    Args:
        data: the ``data_sha256`` of the trials; empty for all preparations.
        held_out: True if test rows differ from validation rows.
    """
    prepared = [one for _, one in _distinct(manifest, data)]
    names = dict.fromkeys(name for one in prepared for name in one)
    order = [*(name for name in NAMES if name in names), *(n for n in names if n not in NAMES)]
    rows: list[dict[str, Any]] = []
    for key in order:
        records = pd.DataFrame([one[key] for one in prepared if key in one])
        values = records.reindex(columns=list(METRICS)).astype("float64")
        name, row_kind = NAMES.get(key, (key, "test"))
        row_kind = row_kind if held_out or row_kind != "test" else "validation"
        row = {"baseline": key, "name": name, "rows": row_kind, "seeds": len(values)}
        row |= {metric: values[metric].mean() for metric in METRICS}
        rows.append(row | estimate(values["kappa"], bounded("kappa"), confidence=confidence))
    texts = dict.fromkeys(("baseline", "name", "rows"), "string")
    floats = dict.fromkeys((*METRICS, *bounded("kappa")), "float64")
    return typed(rows, {**texts, "seeds": "Int64", **floats})


@checked
def against_trees(
    trials: pd.DataFrame,
    table: pd.DataFrame,
    manifest: Mapping[str, Any],
    *,
    data: Collection[str] = (),
) -> pd.DataFrame:
    """One row per cell: test cross-entropy less that of XGBoost's classifier at the same seeds.

    ``difference`` has a Student interval over seeds and test rows; p is skew-safe, and the cells
    are one family, because one of them is chosen. The index is that of ``table``.

    Args:
        trials: the frame from :func:`analysis.load_trials`, of one problem.
        table: its cells, from :func:`analysis.xnn.cells.cells`.
        data: as for :func:`baselines`.
    """
    entries = [(seed, one[TREES]) for seed, one in _distinct(manifest, data) if TREES in one]
    values = {seed: one.get("cross_entropy") for seed, one in entries}
    trees = pd.Series(values, dtype="float64")
    if trees.empty or "config/seed" not in trials:
        return pd.DataFrame()
    seeds = trials["config/seed"].unique()
    rows: list[dict[str, Any]] = []
    cells = pulled(table)
    for _, cell in cells.iterrows():
        own = members(trials, cell).set_index("config/seed")
        losses = own["cross_entropy"].astype("float64").groupby(level=0).mean().reindex(seeds)
        paired = contrast(
            losses,
            trees.reindex(seeds),
            margin=_MARGIN,
            symmetric=False,
            shared_error=row_error(own, "cross_entropy_minus_boosted"),
        )
        rows.append({"seeds": paired.pairs} | paired.columns())
    judged = corrected(rows)
    verdicts = [verdict(row, larger_is_better=False) for row in judged]
    frame = pd.DataFrame(judged, index=cells.index, columns=["seeds", *DIFFERENCE])
    return frame.assign(verdict=verdicts)


def sentences(
    rows: pd.DataFrame, cell: pd.Series | None, trees: pd.DataFrame | None = None
) -> list[str]:
    """Sentences comparing the boosted trees with a ``cell``, and on in-sample optimism.

    Args:
        rows: from :func:`baselines`.
        cell: of the table of cells; None if none was chosen.
        trees: from :func:`against_trees`; None without a test.
    """
    entries = {str(row["baseline"]): row for _, row in rows.iterrows()}
    lines = []
    if TREES in entries and cell is not None:
        lines += _beside(entries[TREES], cell, trees)
    if {"boosted_offsets", "boosted_offsets_in_sample"} <= entries.keys():
        row_kind = entries["boosted_offsets"]["rows"]
        test, inside = (
            float(entries[f"boosted_offsets{end}"]["kappa"]) for end in ("", "_in_sample")
        )
        lines.append(
            f"Boosted trees with offsets have kappa {amount(test)} on {row_kind} rows; fitted and "
            f"scored on training rows, as published, {amount(inside)}, which is "
            f"{amount(inside - test, signed=True)} (means, not tested)."
        )
    return lines


def _beside(entry: pd.Series, cell: pd.Series, trees: pd.DataFrame | None) -> list[str]:
    """Means of XGBoost and of the X-NN, and the verdict on their cross-entropies."""
    phrases: Sequence[str] = [
        f"{words} {amount(entry[metric])} against {amount(cell[metric])}"
        for metric, words in (("cross_entropy", "cross-entropy"), ("kappa", "kappa"))
        if metric in cell and pd.notna(cell[metric]) and pd.notna(entry[metric])
    ]
    if not phrases:
        return []
    lines = [
        f"On {entry['rows']} rows, {entry['name']} has {', '.join(phrases)} of the X-NN, as means."
    ]
    if trees is not None and cell.name in trees.index:
        row = trees.loc[[cell.name]].iloc[0]
        words = {BETTER: "beats", WORSE: "falls behind"}
        words[EQUIVALENT] = f"is equal within {_MARGIN:g} nat to"
        claim = words.get(row["verdict"], "is not shown to beat or fall behind")
        lines.append(
            f"By cross-entropy paired by seed, {bracketed(row, 'difference', signed=True)} nat, "
            f"the X-NN {claim} {entry['name']} (5 % after Holm over "
            f"{plural(len(trees), 'configuration')})."
        )
    return lines


def _distinct(
    manifest: Mapping[str, Any], data: Collection[str]
) -> list[tuple[Any, Mapping[str, Mapping[str, float]]]]:
    """Seed and baselines of every preparation, without repeats of the same seed and data."""
    prepared = manifest.get("preparations")
    entries: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    for one in prepared.values() if isinstance(prepared, Mapping) else ():
        if not isinstance(one, Mapping) or not isinstance(one.get("baselines"), Mapping):
            continue
        if data and one.get("data_sha256") not in data:
            continue
        identity = [one.get("seed"), one.get("data_sha256"), one["baselines"]]
        key = json.dumps(identity, sort_keys=True, default=str)
        entries.setdefault(key, (one.get("seed"), one["baselines"]))
    return list(entries.values())
