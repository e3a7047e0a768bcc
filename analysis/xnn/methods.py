"""Gain and cost of each X-NN method, compared with its control by paired differences."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import (
    BETTER,
    EQUIVALENT,
    WORSE,
    bounded,
    bracketed,
    contrast,
    corrected,
    no_interval,
    verdict,
)
from analysis.frames import Frame, frame_of
from analysis.wording import plural
from analysis.xnn.cells import COST, GAIN, axes, differences
from analysis.xnn.selection import VALIDATED, WITHIN, gain
from analysis.xnn.verdicts import CLAIMS, R2_OVER_PLAIN, row_error
from analysis.xnn.wording import explains, number

PLAIN = "none"
STEPS: Mapping[str, str] = {"multiplier_published": "double_step"}
"""Controls of methods that take two steps per batch; the plain network takes one."""

_METHOD, _WEIGHT, _SEED = "config/method", "config/adj_weight", "config/seed"
_AHEAD: Mapping[str, str] = {
    f"{GAIN}_minus_control": f"{GAIN}_minus_plain",
    "cross_entropy_minus_control": COST,
}
_MORE, _DEARER = _AHEAD
_OVER_PLAIN: Mapping[str, str] = {_MORE: R2_OVER_PLAIN, _DEARER: COST}
"""Claims with the margin, direction and error over rows of a difference."""
_ERRORS = tuple(f"{metric}_se" for metric in _OVER_PLAIN.values())
_JUDGED = (VALIDATED, GAIN, f"val_{GAIN}")
_MOST = 3  # weights of a method listed individually


@checked
def methods(trials: Frame, *, confidence: float = 0.95) -> pd.DataFrame:
    """One row per method and weight, with its ``control``; empty if one method was swept.

    The control is ``double_step`` for ``multiplier_published``, if both were swept, else the plain
    network, "none". They are paired at the same seed and other parameters except the weight, and
    averaged within a seed over the ``settings`` of the other parameters.
    ``explanation_gain_minus_control`` and ``cross_entropy_minus_control`` are means over
    ``seeds`` with the ends of their Student intervals, p and, after Holm over the rows, a verdict;
    a seed without a completed pair leaves none of these. ``val_loss_minus_plain`` and
    ``val_explanation_gain`` are the criteria for choosing a weight.

    Args:
        trials: the frame from :func:`analysis.load_trials`, of one problem.
    """
    trials = frame_of(trials)
    several = _METHOD in trials and trials[_METHOD].nunique() > 1
    rows = list(_rows(trials, confidence=confidence)) if several else []
    for name, metric in _OVER_PLAIN.items():
        tests = corrected(row.pop(f"{name}_tests") for row in rows)
        better = CLAIMS[metric].larger_is_better
        for row, test in zip(rows, tests, strict=True):
            row[f"{name}_p_holm"] = test["p_holm"]
            row[f"{name}_verdict"] = verdict(test, larger_is_better=better)
    numbers = [c for name in _AHEAD for c in (*bounded(name), f"{name}_p_holm")]
    return typed(
        rows,
        {
            **dict.fromkeys(("method", "control"), "string"),
            "adj_weight": "float64",
            **dict.fromkeys(("seeds", "settings"), "Int64"),
            **dict.fromkeys((*numbers, *_JUDGED), "float64"),
            **dict.fromkeys((f"{name}_verdict" for name in _AHEAD), "string"),
        },
    )


def sentences(rows: pd.DataFrame, *, within: float = WITHIN) -> list[str]:
    """A line per method and weight of :func:`methods`.

    A method with more than three weights has two lines: the weight of largest gain among those
    that cost at most ``within`` nats by validation loss, or else the cheapest; and the largest.
    """
    costs = {BETTER: "costs less", WORSE: "costs more"}
    costs[EQUIVALENT] = f"costs the same within {CLAIMS[COST].margin:g} nat"
    lines = []
    for name, method_rows in rows.groupby("method", sort=True):
        visible_rows = (
            _highlights(method_rows, within) if len(method_rows) > _MOST else method_rows
        )
        for _, row in visible_rows.iterrows():
            weight = f", weight {number(row['adj_weight'])}," if len(method_rows) > 1 else ""
            rival = "the plain network" if row["control"] == PLAIN else row["control"]
            many, reason = int(row["settings"]), f" ({no_interval(int(row['seeds']))})"
            where = f" and all else (mean of {many} settings)" if many > 1 else ""
            lines.append(
                f"{name}{weight} against {rival} at the same seed{where}: "
                f"{bracketed(row, _MORE, signed=True)} of R2 gain at "
                f"{bracketed(row, _DEARER, signed=True)} nat of test cross-entropy; "
                f"it {explains(row[f'{_MORE}_verdict'])} and "
                f"{costs.get(row[f'{_DEARER}_verdict'], 'is not shown to cost more or less')}"
                f"{reason if pd.isna(row[f'{_MORE}_low']) else ''}."
            )
    if lines:
        lines.append(
            f"Verdicts: 5 % after Holm over {plural(len(rows), 'row')}; intervals over seeds and "
            "test rows."
        )
    return lines


def _rows(trials: pd.DataFrame, *, confidence: float) -> Iterator[dict[str, Any]]:
    runs = differences(trials)
    names = axes(runs)
    metrics = (*_AHEAD.values(), *_JUDGED, *_ERRORS)
    keys = [*(f"config/{name}" for name in names), _SEED, _WEIGHT, "plain"]
    runs = runs.reindex(columns=list(dict.fromkeys([*keys, *metrics])))
    runs = runs.astype(dict.fromkeys(metrics, "float64"))
    seeds = runs[_SEED].unique()
    other_names = [f"config/{name}" for name in names if name not in ("method", "adj_weight")]
    for (method, weight), method_rows in runs[~runs["plain"]].groupby(
        [_METHOD, _WEIGHT], dropna=False
    ):
        rival = STEPS.get(str(method), PLAIN)
        rival_rows = runs[runs[_METHOD].eq(rival)]
        if rival == PLAIN or rival_rows.empty:
            zeros = dict.fromkeys((*_AHEAD.values(), *_ERRORS), 0.0)
            rival, rival_rows = PLAIN, method_rows.assign(**zeros)
        pairs = _ahead(method_rows, rival_rows, [_SEED, *other_names])
        settings = len(pairs[other_names].drop_duplicates())
        grouped = pairs.groupby(_SEED)[list(_AHEAD)]
        whole = grouped.size().eq(settings)
        by_seed = grouped.agg(_complete_mean).where(whole).reindex(seeds)
        complete = by_seed.dropna()
        if complete.empty:
            continue
        row: dict[str, Any] = {"method": method, "adj_weight": weight, "control": rival}
        row |= {"seeds": len(complete), "settings": settings}
        null = pd.Series(0.0, index=by_seed.index)
        for name, metric in _OVER_PLAIN.items():
            # The error of a difference of two differences is at most the sum of theirs.
            error = row_error(method_rows, metric) + row_error(rival_rows, metric)
            paired = contrast(
                by_seed[name],
                null,
                confidence=confidence,
                margin=CLAIMS[metric].margin,
                shared_error=error,
            )
            tests = paired.columns()
            row |= dict(zip(bounded(name), list(tests.values())[:3], strict=True))
            row[f"{name}_tests"] = tests
        yield row | {name: method_rows[name].mean() for name in _JUDGED}


def _ahead(method_rows: pd.DataFrame, rival_rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """``method_rows`` minus ``rival_rows`` at equal ``keys``; nulls are equal.

    NaN where one of both has not completed.
    """
    both = (
        frame.groupby(keys, dropna=False, as_index=False)[list(_AHEAD.values())].mean()
        for frame in (method_rows, rival_rows)
    )
    pairs = next(both).merge(next(both), on=keys, suffixes=("", "_of_control"))
    for name, over in _AHEAD.items():
        pairs[name] = pairs[over] - pairs[f"{over}_of_control"]
    return pairs


def _complete_mean(values: pd.Series) -> float:
    """Mean of ``values``; NaN if one is missing."""
    return float(np.mean(values.to_numpy(dtype=float)))


def _highlights(method_rows: pd.DataFrame, within: float) -> pd.DataFrame:
    """Rows of the weight with most gain at a cost up to ``within``, and of the largest weight."""
    cheap = method_rows[method_rows[VALIDATED].le(within)]
    by = gain(method_rows)
    best = cheap[by].idxmax() if cheap[by].notna().any() else method_rows[_DEARER].idxmin()
    return method_rows.loc[list(dict.fromkeys([best, method_rows["adj_weight"].idxmax()]))]
