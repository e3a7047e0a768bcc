"""An X-NN sweep by configuration: cost and explanation gain of the pull towards centroids.

At weight 0 all methods are the same network, the plain one, so they form one cell. All others are
paired with it at the same seed, number of centroids and other parameters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.configurations import COUNTS, counts, groups, problem_axes, typed
from analysis.contrast import bounded, estimate
from analysis.frames import Frame, frame_of
from analysis.sweep import Sweep, Trials
from analysis.sweep_cache import once_per_sweep
from analysis.xnn.fixed_settings import copies, spelled_out
from analysis.xnn.verdicts import COST, GAIN, columns, judged, row_error, tests

__all__ = [
    "COST",
    "GAIN",
    "PAIRED",
    "axes",
    "cells",
    "completed",
    "differences",
    "members",
    "of_problem",
    "plain_of",
]

PAIRED: Mapping[str, str] = {
    "val_loss": "plain_val_loss",
    "cross_entropy": "plain_cross_entropy",
    "accuracy": "plain_accuracy",
    "kappa": "plain_kappa",
    "r2_mean": "r2_plain",
    GAIN: f"plain_{GAIN}",
}
"""Metrics paired with the plain network, and the columns of that network's value in a trial."""

_OF_PLAIN = ("r2_plain", "r2_untrained", "r2_plain_random_points")

_METHOD, _WEIGHT, _SEED = "config/method", "config/adj_weight", "config/seed"
_PULL = ("method", "adj_weight")
_FIRST = (*_PULL, "clusters", "lr")
_WITH_INTERVAL = (
    *("cross_entropy", "accuracy", "kappa", GAIN, f"val_{GAIN}"),
    *("r2_mean", "specificity", "specificity_rotated", "rho_gain", "coverage", "selectivity"),
    *("cluster_stability", "surrogate_agreement", "surrogate_cross_entropy"),
    *("r2_untrained", "r2_plain", "r2_permuted"),
    *("r2_plain_random_points", "r2_random_points"),
    *(f"{name}_minus_plain" for name in PAIRED if name != "val_loss"),
)
_ROW_ERRORS = tuple(f"{name}_se" for name in _WITH_INTERVAL)
_MEANS = (
    *("centroids", "epochs", "val_loss", "val_loss_minus_plain"),
    *("kappa_expected", "macro_f1", "ece", "r2_median", "r2_min"),
    *("r2_rotated", "inflation_max", "cluster_rows_min", "clusters_undersized"),
    *("rho_top", "mi_mean", "mig", "disentanglement", "completeness", "dead_nodes"),
    *("cross_entropy_minus_plain_se", "explanation_gain_se", "surrogate_accuracy"),
    *(f"plain_surrogate_{name}" for name in ("cross_entropy", "accuracy", "agreement")),
    *(f"logistic_{name}" for name in ("cross_entropy", "accuracy", "agreement")),
    *("constant_agreement", "prior_cross_entropy", "prior_accuracy"),
    *("concept_score", "concept_p", "groups", "seconds"),
)


@checked
@once_per_sweep
def cells(trials: Trials, *, confidence: float = 0.95) -> pd.DataFrame:
    """One row per configuration (all swept parameters but the seed): means over its seeds.

    ``reference`` marks the plain network of any method; its method is then "none". ``seeds``
    counts those with a completed trial. ``provisional`` marks cells with unfinished trials, or a
    seed without a completed one. The main metrics have a mean, the standard deviation between
    seeds and the Student interval of the mean: ``kappa``, ``kappa_sd``, ``kappa_low``,
    ``kappa_high``. Intervals include the error over test rows where trials record it, and need a
    result at every seed of the problem. Claims have verdicts, see :mod:`analysis.xnn.verdicts`.
    Metrics of :data:`PAIRED` also have the paired difference to the plain network,
    such as ``cross_entropy_minus_plain``. That network is the trial of weight 0 at the same seed
    and other parameters (``paired`` is "weight 0"), or without one the network that every seed
    trains before its trials ("plain network"); these are equal unless parameters such as the
    learning rate are swept.

    Args:
        trials: from :func:`spelled_out`; a sweep, whose trials are spelled out here; or a storage.
        confidence: level of the intervals.
    Raises:
        schema.ColumnError: trials have completed and lack cross_entropy or explanation_gain.
    """
    trials = spelled_out(trials) if isinstance(trials, Sweep) else frame_of(trials)
    who, numbers = _paired(_merged(trials))
    names = axes(who)
    intervals = [metric for metric in _WITH_INTERVAL if metric in numbers]
    means = [metric for metric in _MEANS if metric in numbers]
    problem = problem_axes(names)
    seeds = {_key(values, problem): part[_SEED].unique() for values, part in groups(who, problem)}
    rows: list[dict[str, Any]] = []
    for values, group in groups(who, names):
        tally, completed_trials = counts(group), group[group["status"].eq("completed")]
        by_seed = numbers.loc[completed_trials.index].groupby(completed_trials[_SEED]).mean()
        scores = by_seed.reindex(seeds[_key(values, problem)])
        reference = bool(group["plain"].all())
        row: dict[str, Any] = {
            **values,
            **tally,
            "seeds": len(by_seed),
            "reference": reference,
            "provisional": tally["unfinished"] > 0 or len(by_seed) < len(scores),
            "paired": " or ".join(completed_trials["paired"].unique()) or None,
        }
        for metric in intervals:
            row |= estimate(
                scores[metric],
                bounded(metric),
                confidence=confidence,
                shared_error=row_error(scores, metric),
            )
            row[f"{metric}_sd"] = scores[metric].std()
        row |= {} if reference else tests(scores)
        rows.append(row | {metric: scores[metric].mean() for metric in means})
    rows = judged(rows)
    ends_of = [f"{metric}{end}" for metric in intervals for end in ("", "_sd", "_low", "_high")]
    return typed(
        rows,
        {
            **{name: schema.column(f"config/{name}", "xnn").dtype for name in names},
            **dict.fromkeys((*COUNTS, "seeds"), "Int64"),
            **dict.fromkeys(("reference", "provisional"), "boolean"),
            "paired": "string",
            **dict.fromkeys((*ends_of, *means), "float64"),
            **{name: dtype for name, dtype in columns().items() if any(name in r for r in rows)},
        },
    )


def axes(trials: pd.DataFrame) -> list[str]:
    """Parameters that define a configuration: all swept ones but the seed, method first."""
    names = [str(n).removeprefix("config/") for n in trials if str(n).startswith("config/")]
    first = [name for name in _FIRST if name in names]
    return [*first, *(name for name in names if name not in (*first, "seed"))]


def differences(trials: pd.DataFrame) -> pd.DataFrame:
    """All trials with their differences to the plain network of their seed.

    Columns ``<metric>_minus_plain`` for :data:`PAIRED`, paired as in :func:`cells`; null for
    trials that have not completed.
    """
    merged = _merged(trials)
    numbers = _paired(merged)[1]
    excess = numbers[[name for name in numbers if str(name).endswith("_minus_plain")]]
    return merged.join(excess.where(merged["status"].eq("completed")))


@checked
def members(trials: Frame, cell: pd.Series) -> pd.DataFrame:
    """The completed trials of a ``cell``, a row of :func:`cells`, in order of their seeds."""
    trials = frame_of(trials)
    frame = completed(trials)
    matches = of_problem(frame, {f"config/{name}": cell[name] for name in axes(frame)})
    return matches.sort_values(_SEED, kind="stable")


def completed(trials: pd.DataFrame) -> pd.DataFrame:
    """Completed trials; every plain network has method "none" and appears once."""
    frame = _merged(trials)
    return frame[frame["status"].eq("completed")]


@checked
def plain_of(table: pd.DataFrame, cell: pd.Series | None) -> pd.Series | None:
    """Row of the plain network that a ``cell`` is paired with; None if it is not swept.

    Without a cell, the first plain network.
    """
    rows = table[table["reference"].fillna(False).astype(bool)]
    if cell is not None:
        rows = of_problem(rows, {name: cell[name] for name in _shared(table)})
    return rows.iloc[0] if len(rows) else None


def of_problem(table: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of a ``table`` whose columns have ``values``; nulls are equal."""
    for name, value in values.items():
        column = table[name]
        table = table[
            column.isna() if pd.isna(value) else column.eq(value).fillna(False).astype(bool)
        ]
    return table


def _key(values: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    """Values of ``names`` that compare equal, nulls included."""
    return tuple(None if pd.isna(values[name]) else values[name] for name in names)


def _shared(table: pd.DataFrame) -> list[str]:
    """Axes that a plain network shares with the cells paired with it."""
    names = map(str, table.columns[: list(table.columns).index("trials")])
    return [name for name in names if name not in _PULL]


def _merged(trials: pd.DataFrame) -> pd.DataFrame:
    """``trials`` with a flag ``plain``, and one trial per configuration and seed.

    Trials without a seed are one seed. A plain network is one configuration with any method.
    """
    if "status" not in trials and not len(trials.columns):
        trials = trials.assign(status=pd.Series(dtype="category"))
    any_completed = "status" in trials and trials["status"].eq("completed").any()
    needed = ("cross_entropy", GAIN) if any_completed else ("status",)
    for name in needed:
        if name not in trials:
            raise schema.ColumnError(
                f"trials have no column {name!r}, which the table of cells needs; pass the whole "
                "frame of an X-NN sweep from analysis.load_trials()"
            )
    frame = trials.reset_index(drop=True).copy()  # which joins the blocks of many columns
    for name in ("cross_entropy", GAIN):
        if name not in frame:
            frame[name] = np.nan
    plain = pd.Series(False, index=frame.index)
    if _WEIGHT in frame:
        plain |= frame[_WEIGHT].eq(0.0).fillna(False).astype(bool)
    if _METHOD in frame:
        plain |= frame[_METHOD].eq("none").fillna(False).astype(bool)
        frame[_METHOD] = frame[_METHOD].mask(plain, "none")
    if _WEIGHT in frame:
        frame[_WEIGHT] = frame[_WEIGHT].mask(plain, 0.0)
    seeds = frame.get(_SEED, pd.Series(pd.NA, index=frame.index, dtype="Int64"))
    frame[_SEED] = seeds.fillna(0)
    frame = pd.concat([frame, plain.rename("plain")], axis=1)
    return frame[~copies(frame)]


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Metrics of ``frame`` for cells, and those of the plain network to pair with."""
    names = dict.fromkeys(
        (*_WITH_INTERVAL, *_ROW_ERRORS, *_MEANS, *PAIRED, *PAIRED.values(), *_OF_PLAIN)
    )
    numbers = frame[[name for name in names if name in frame]].astype("float64")
    # The plain network's R2 on permuted rows is unknown, but near 0 like all of them.
    controls = numbers.reindex(columns=list(_OF_PLAIN))
    gain = controls["r2_plain"] - controls.max(axis=1, skipna=False)
    return numbers.assign(**{PAIRED[GAIN]: gain})


def _paired(merged: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keys of the trials, and their metrics with differences to the plain network's."""
    # Grouping few columns is fast.
    who = merged[
        ["status", "plain", *(name for name in map(str, merged) if name.startswith("config/"))]
    ]
    numbers = _numbers(merged)
    pairs = {metric: plain for metric, plain in PAIRED.items() if metric in numbers}
    references = numbers.reindex(columns=list(pairs.values())).set_axis(list(pairs), axis=1)
    who = who.assign(paired="plain network")
    shared = ["seed", *(name for name in axes(who) if name not in _PULL)]
    for _, rows in groups(who, shared):
        plain = rows.index[rows["plain"] & rows["status"].eq("completed")]
        if len(plain):
            who.loc[rows.index, "paired"] = "weight 0"
            references.loc[rows.index] = numbers.loc[plain[0], list(pairs)].to_numpy()
    excess = (numbers[list(pairs)] - references).add_suffix("_minus_plain")
    return who, numbers.assign(**excess)
