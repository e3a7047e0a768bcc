"""Gain and cost of each X-NN method, compared with its control by paired differences."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import NO_INTERVAL, bounded, bracketed, estimate, side_of
from analysis.xnn.cells import COST, GAIN, axes, differences
from analysis.xnn.selection import VALIDATED, WITHIN, gain
from analysis.xnn.wording import number

PLAIN = "none"
STEPS: Mapping[str, str] = {"multiplier_published": "double_step"}
"""Controls of methods that take two steps per batch; the plain network takes one."""

_METHOD, _WEIGHT, _SEED = "config/method", "config/adj_weight", "config/seed"
_AHEAD: Mapping[str, str] = {
    f"{GAIN}_minus_control": f"{GAIN}_minus_plain",
    "cross_entropy_minus_control": COST,
}
_MORE, _DEARER = _AHEAD
_JUDGED = (VALIDATED, GAIN, f"val_{GAIN}")
_MOST = 3  # weights of a method listed individually


@checked
def methods(trials: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """One row per method and weight, with its ``control``; empty if one method was swept.

    The control is ``double_step`` for ``multiplier_published``, if both were swept, else the plain
    network, "none". They are paired at the same seed and other parameters except the weight, and
    averaged within a seed over the ``settings`` of the other parameters.
    ``explanation_gain_minus_control`` and ``cross_entropy_minus_control`` are means over
    ``seeds`` with the ends of their Student intervals; ``val_loss_minus_plain`` and
    ``val_explanation_gain`` are the criteria for choosing a weight.

    Args:
        trials: the frame from :func:`analysis.load_trials`, of one problem.
    """
    several = _METHOD in trials and trials[_METHOD].nunique() > 1
    rows = list(_rows(trials, confidence=confidence)) if several else []
    numbers = [column for name in _AHEAD for column in bounded(name)]
    return typed(
        rows,
        {
            **dict.fromkeys(("method", "control"), "string"),
            "adj_weight": "float64",
            **dict.fromkeys(("seeds", "settings"), "Int64"),
            **dict.fromkeys((*numbers, *_JUDGED), "float64"),
        },
    )


def sentences(rows: pd.DataFrame, *, within: float = WITHIN) -> list[str]:
    """A line per method and weight of :func:`methods`.

    A method with more than three weights has two lines: the weight of largest gain among those
    that cost at most ``within`` nats by validation loss, or else the cheapest; and the largest.
    """
    verdicts = {
        1: "it explains more",
        0: "they cannot be told apart",
        -1: "it explains less",
        None: NO_INTERVAL,
    }
    lines = []
    for name, method_rows in rows.groupby("method", sort=True):
        visible_rows = (
            _highlights(method_rows, within) if len(method_rows) > _MOST else method_rows
        )
        for _, row in visible_rows.iterrows():
            weight = f", weight {number(row['adj_weight'])}," if len(method_rows) > 1 else ""
            rival = "the plain network" if row["control"] == PLAIN else row["control"]
            many = int(row["settings"])
            where = f" and all else (mean of {many} settings)" if many > 1 else ""
            lines.append(
                f"{name}{weight} against {rival} at the same seed{where}: "
                f"{bracketed(row, _MORE, signed=True)} of R2 gain at "
                f"{bracketed(row, _DEARER, signed=True)} nat of test cross-entropy; "
                f"{verdicts[side_of(row, _MORE)]}."
            )
    return lines


def _rows(trials: pd.DataFrame, *, confidence: float) -> Iterator[dict[str, Any]]:
    runs = differences(trials)
    names = axes(runs)
    runs = runs.reindex(columns=list(dict.fromkeys([*runs, _WEIGHT, *_AHEAD.values(), *_JUDGED])))
    runs = runs.astype(dict.fromkeys((*_AHEAD.values(), *_JUDGED), "float64"))
    other_names = [f"config/{name}" for name in names if name not in ("method", "adj_weight")]
    for (method, weight), method_rows in runs[~runs["plain"]].groupby(
        [_METHOD, _WEIGHT], dropna=False
    ):
        rival = STEPS.get(str(method), PLAIN)
        rival_rows = runs[runs[_METHOD].eq(rival)]
        if rival == PLAIN or rival_rows.empty:
            rival, rival_rows = PLAIN, method_rows.assign(**dict.fromkeys(_AHEAD.values(), 0.0))
        pairs = _ahead(method_rows, rival_rows, [_SEED, *other_names])
        by_seed = pairs.groupby(_SEED)[list(_AHEAD)].mean()
        if by_seed.empty:
            continue
        row: dict[str, Any] = {"method": method, "adj_weight": weight, "control": rival}
        row |= {"seeds": len(by_seed), "settings": len(pairs[other_names].drop_duplicates())}
        for name in _AHEAD:
            row |= estimate(by_seed[name], bounded(name), confidence=confidence)
        yield row | {name: method_rows[name].mean() for name in _JUDGED}


def _ahead(method_rows: pd.DataFrame, rival_rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """``method_rows`` minus ``rival_rows`` at equal ``keys``; nulls are equal."""
    both = (
        frame.groupby(keys, dropna=False, as_index=False)[list(_AHEAD.values())].mean()
        for frame in (method_rows, rival_rows)
    )
    pairs = next(both).merge(next(both), on=keys, suffixes=("", "_of_control"))
    for name, over in _AHEAD.items():
        pairs[name] = pairs[over] - pairs[f"{over}_of_control"]
    return pairs.dropna(subset=list(_AHEAD))


def _highlights(method_rows: pd.DataFrame, within: float) -> pd.DataFrame:
    """Rows of the weight with most gain at a cost up to ``within``, and of the largest weight."""
    cheap = method_rows[method_rows[VALIDATED].le(within)]
    by = gain(method_rows)
    best = cheap[by].idxmax() if cheap[by].notna().any() else method_rows[_DEARER].idxmin()
    return method_rows.loc[list(dict.fromkeys([best, method_rows["adj_weight"].idxmax()]))]
