"""Baselines of an X-NN: boosted trees, the plain network, and class frequencies."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import bounded, estimate
from analysis.wording import amount

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


@checked
def baselines(
    manifest: Mapping[str, Any],
    *,
    data: Collection[str] = (),
    held_out: bool = True,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row per baseline: means over seeds, and the bootstrap interval of ``kappa``.

    ``baseline`` is its key, ``name`` its name in words, ``rows`` the rows it is judged on: "test",
    "validation", or "training", which is optimistic unless out of fold. A seed with several
    preparations, one per clustering, counts once: baselines do not depend on centroids.

    Args:
        data: the ``data_sha256`` of the trials; empty for all preparations.
        held_out: True if test rows differ from validation rows.
    """
    prepared = _distinct(manifest, data)
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
        kappa = values["kappa"].dropna()
        rows.append(row | estimate(kappa, bounded("kappa"), confidence=confidence))
    texts = dict.fromkeys(("baseline", "name", "rows"), "string")
    floats = dict.fromkeys((*METRICS, *bounded("kappa")), "float64")
    return typed(rows, {**texts, "seeds": "Int64", **floats})


def sentences(rows: pd.DataFrame, cell: pd.Series | None) -> list[str]:
    """Sentences comparing the boosted trees with a ``cell``, and on in-sample optimism.

    Args:
        rows: from :func:`baselines`.
        cell: of the table of cells; None if none was chosen.
    """
    entries = {str(row["baseline"]): row for _, row in rows.iterrows()}
    lines = []
    if "boosted_classes" in entries and cell is not None:
        trees = entries["boosted_classes"]
        phrases = [
            f"{words} {amount(trees[metric])} against {amount(cell[metric])}"
            for metric, words in (("cross_entropy", "cross-entropy"), ("kappa", "kappa"))
            if metric in cell and pd.notna(cell[metric]) and pd.notna(trees[metric])
        ]
        if phrases:
            lines.append(
                f"On {trees['rows']} rows, {trees['name']} has {', '.join(phrases)} of the X-NN."
            )
    if {"boosted_offsets", "boosted_offsets_in_sample"} <= entries.keys():
        row_kind = entries["boosted_offsets"]["rows"]
        test, inside = (
            float(entries[f"boosted_offsets{end}"]["kappa"]) for end in ("", "_in_sample")
        )
        lines.append(
            f"Boosted trees with offsets have kappa {amount(test)} on {row_kind} rows; fitted and "
            f"scored on training rows, as published, {amount(inside)}, so that "
            f"{amount(inside - test, signed=True)} of it is in sample."
        )
    return lines


def _distinct(
    manifest: Mapping[str, Any], data: Collection[str]
) -> list[Mapping[str, Mapping[str, float]]]:
    """Baselines of every preparation, without repeats of the same seed and data."""
    prepared = manifest.get("preparations")
    entries: dict[str, Mapping[str, Any]] = {}
    for one in prepared.values() if isinstance(prepared, Mapping) else ():
        if not isinstance(one, Mapping) or not isinstance(one.get("baselines"), Mapping):
            continue
        if data and one.get("data_sha256") not in data:
            continue
        identity = [one.get("seed"), one.get("data_sha256"), one["baselines"]]
        entries.setdefault(json.dumps(identity, sort_keys=True, default=str), one["baselines"])
    return list(entries.values())
