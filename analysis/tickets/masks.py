"""Masks of the networks: weights kept by layer, and the overlap of two masks.

Two random masks that keep k1 and k2 of the n weights of a layer have k1 k2 / n in common on
average. Overlap is the intersection of their weights over their union (IoU); that expected by
chance is the ratio of the two expectations.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from analysis.configurations import typed
from analysis.intervals import MIN_SEEDS, mean_and_error, skew_safe_p
from analysis.tickets.networks import STANDARD, TICKET, Bools, Floats, Model
from analysis.wording import percent, plural

ALL = "all"
"""Name of all layers together."""

_QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}


def overlap(first: Mapping[str, Bools], second: Mapping[str, Bools]) -> float:
    """Weights that both masks keep over those that either keeps, in [0, 1]; NaN if neither does.

    Args:
        first: masks by layer.
        second: masks of the same layers and shapes.
    """
    both = sum(int((m & second[name]).sum()) for name, m in first.items())
    either = sum(int((m | second[name]).sum()) for name, m in first.items())
    return both / either if either else float("nan")


def chance(first: Mapping[str, Bools], second: Mapping[str, Bools]) -> float:
    """Overlap expected of random masks with as many weights in every layer.

    The expected intersection over the expected union:

        sum(k1 k2 / n) / sum(k1 + k2 - k1 k2 / n)
    """
    common = total = 0.0
    for name, m in first.items():
        k1, k2 = int(m.sum()), int(second[name].sum())
        common += k1 * k2 / m.size
        total += k1 + k2
    return common / (total - common) if total else float("nan")


def overlaps(models: Sequence[Model]) -> pd.DataFrame:
    """One row per pair of tickets and layer: their ``overlap``, and that expected by ``chance``.

    The pairs are two kinds at one seed (``same_seed``) and two seeds of one kind; ``layer`` is
    "all" for all layers together. Only prunable layers count.
    """
    rows: list[dict[str, Any]] = []
    for a, b in combinations([m for m in models if m.masks], 2):
        same = a.seed == b.seed
        shapes = [{name: mask.shape for name, mask in m.masks.items()} for m in (a, b)]
        if shapes[0] != shapes[1] or same == (a.kind == b.kind):
            continue
        pair = {"first": a.kind, "second": b.kind, "same_seed": same}
        pair |= {"first_seed": a.seed, "second_seed": b.seed}
        for layer in (ALL, *a.masks):
            names = a.masks if layer == ALL else (layer,)
            ours, theirs = ({n: m.masks[n] for n in names} for m in (a, b))
            rows.append(
                pair
                | {"layer": layer, "overlap": overlap(ours, theirs)}
                | {"chance": chance(ours, theirs)}
            )
    return typed(rows, _OVERLAP)


def weights(models: Sequence[Model]) -> pd.DataFrame:
    """One row per kind and layer, "all" first: number and magnitudes of the kept weights.

    ``kept`` weights of ``total`` and ``dead_units`` are means over the ``seeds``; the moments,
    quantiles and ``max`` are of the absolute values of the kept weights of all seeds together.
    A unit is dead without incoming or without outgoing weights; it counts in the layer of its
    incoming weights.
    """
    rows: list[dict[str, Any]] = []
    for kind in dict.fromkeys(m.kind for m in models):
        same = [m for m in models if m.kind == kind]
        for layer in (ALL, *same[0].weights):
            names = list(same[0].weights) if layer == ALL else [layer]
            sizes = magnitudes(same, names)
            total = sum(same[0].weights[n].size for n in names)
            dead = [sum(n for name, n in _dead(m) if name in names) for m in same]
            rows.append(
                {"model": kind, "layer": layer, "seeds": len(same)}
                | {"kept": sizes.size / len(same), "total": total}
                | {"kept_share": sizes.size / len(same) / total, "dead_units": np.mean(dead)}
                | (_moments(sizes) if sizes.size else {})
            )
    return typed(rows, _WEIGHTS)


def magnitudes(models: Sequence[Model], layers: Sequence[str] | None = None) -> Floats:
    """Absolute values of the kept weights of ``models``, in all or some ``layers``."""
    return np.concatenate(
        [np.abs(m.weights[n][m.mask(n)]) for m in models for n in layers or m.weights]
    )


def pairs(table: pd.DataFrame) -> Iterator[tuple[tuple[str, str, bool], pd.DataFrame]]:
    """Rows of :func:`overlaps` by kinds and ``same_seed``, without pairs of two robust kinds.

    Standard with other tickets at one seed come first, then two seeds of every kind.
    """
    ordered = table.sort_values("same_seed", ascending=False, kind="stable")
    for keys, rows in ordered.groupby(["first", "second", "same_seed"], sort=False):
        first, second, same = str(keys[0]), str(keys[1]), bool(keys[2])
        if not same or STANDARD in (first, second):
            yield (first, second, same), rows


def shared(table: pd.DataFrame) -> bool:
    """True if the tickets of one seed have one mask, as they must where one network yields it."""
    rows = table[table["same_seed"].fillna(False).astype(bool)]
    return len(rows) > 0 and bool(rows["overlap"].eq(1.0).all())


def layer_name(layer: str) -> str:
    """Name of a layer in a report: "layer 1" for "layers.0.weight", or "all layers"."""
    return "all layers" if layer == ALL else f"layer {int(layer.split('.')[1]) + 1}"


def sentences(
    table: pd.DataFrame,
    family: int | None = None,
    *,
    complete: bool = True,
    level: float = 0.05,
) -> list[str]:
    """Sentences on :func:`overlaps` of all layers: robust with standard, and between seeds.

    Args:
        family: number of comparisons with chance on the page; those of the table if None.
        complete: no seed lacks a network; else nothing is tested.
    """
    lines = []
    every = list(pairs(table[table["layer"].eq(ALL)]))
    family = len(every) if family is None else family
    for (first, second, same), rows in every:
        share = percent(round(rows["overlap"].mean(), 3))
        by_chance = percent(round(rows["chance"].mean(), 3))
        who = f"{first} and {second} tickets of one seed"
        if same and (rows["overlap"] == 1.0).all():
            lines.append(
                f"{who[0].upper()}{who[1:]} have the same mask, as they must where both are found "
                "on one network."
            )
            continue
        if not same:
            who = f"{'' if first == TICKET else first + ' '}tickets of two seeds"
        verdict = "not tested against chance, since seeds lack a network"
        if complete:
            verdict = _against_chance(rows, level / family)
        lines.append(f"Masks of {who} overlap by {share} ({by_chance} by chance): {verdict}.")
    return lines


def _against_chance(rows: pd.DataFrame, level: float) -> str:
    """Verdict on the overlaps of one two-sided test against chance, for noise of any skew.

    Only pairs without a common network count, because others are not independent.
    """
    networks: set[tuple[str, int]] = set()
    gaps: list[float] = []
    for row in rows.to_dict(orient="records"):
        pair = {(row["first"], row["first_seed"]), (row["second"], row["second_seed"])}
        if not networks & pair:
            networks |= pair
            gaps.append(float(row["overlap"] - row["chance"]))
    gap, error = mean_and_error(gaps)
    number = plural(len(gaps), "independent pair")
    if math.isnan(error):
        return f"not tested against chance ({number}, {MIN_SEEDS} that differ are the fewest)"
    p = 2.0 * skew_safe_p(abs(gap) / error, len(gaps))
    if not p <= level:
        return f"not shown to differ from chance ({number})"
    return f"{'more' if gap > 0.0 else 'less'} than by chance ({number})"


def _moments(sizes: Floats) -> dict[str, float]:
    quantiles = {q: float(np.quantile(sizes, share)) for q, share in _QUANTILES.items()}
    moments = {"mean": float(sizes.mean()), "sd": float(sizes.std())}
    return moments | quantiles | {"max": float(sizes.max())}


def _dead(model: Model) -> Iterator[tuple[str, int]]:
    """Number of hidden units without incoming or outgoing weights, by their incoming layer."""
    layers = list(model.weights)
    for name, following in pairwise(layers):
        alive = model.mask(name).any(axis=1) & model.mask(following).any(axis=0)
        yield name, int((~alive).sum())


_OVERLAP = {
    **dict.fromkeys(("first", "second"), "string"),
    "same_seed": "boolean",
    **dict.fromkeys(("first_seed", "second_seed"), "Int64"),
    "layer": "string",
    **dict.fromkeys(("overlap", "chance"), "float64"),
}
_WEIGHTS = {
    "model": "string",
    "layer": "string",
    "seeds": "Int64",
    "kept": "float64",
    "total": "Int64",
    **dict.fromkeys(("kept_share", "dead_units", "mean", "sd", *_QUANTILES, "max"), "float64"),
}
