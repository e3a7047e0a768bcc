"""Comparison of configurations with a reference on the same seeds: difference and verdict."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.configurations import check_parameters, configurations, parameter_dtypes, typed
from analysis.contrast import OPEN, TESTED, contrast, corrected, estimate, verdict
from analysis.statistics import Rng, interquartile_mean, least_seeds, more_seeds
from analysis.sweep import SPEED, Problem, Sweep, Trials


@checked
def compare(
    trials: Trials,
    metric: str = "cvar_05",
    *,
    baseline: Mapping[str, Any] | None = None,
    level: float = 0.05,
    power: float = 0.8,
    rng: Rng = 0,
) -> pd.DataFrame:
    """One row per configuration, best ``metric`` first, compared with the reference.

    The reference (``reference`` True) is ``baseline``, or the configuration with the lowest
    validation risk, so that the test metric does not affect its choice. Only configurations that
    completed at every seed are compared. For the others ``left_out`` is the reason: "stopped"
    (early stopping censors them), "failed", "unfinished", or "not every seed". Every value of a
    parameter that changes the problem (such as ``market.xi``) has its own reference.

    ``mean`` and ``interquartile_mean`` are over the seeds, with the bootstrap interval ``low`` to
    ``high`` of the mean. ``difference`` is the mean of its values less those of the reference at
    the same ``seeds``, with the interval ``difference_low`` to ``difference_high``; all in the
    unit of the metric. ``p`` is of Wilcoxon's signed-rank test and ``p_holm`` corrected for the
    number of configurations compared. ``verdict`` is "better" or "worse" in the direction of the
    metric if ``p_holm`` is at most ``level`` and the interval excludes zero, else "not told
    apart". ``more_seeds`` is the number of additional seeds that would distinguish the two with
    probability ``power``, and let the test reject whatever the other results; 0 if they are
    distinguished, null if the difference is 0 or there are fewer than two seeds.

    Args:
        metric: a column with a better end.
        baseline: parameters that match exactly one configuration, without ``config/``.
        power: see ``more_seeds``.
    Raises:
        schema.ColumnError: ``metric`` or a parameter of ``baseline`` unknown, or a column missing.
        ValueError: ``baseline`` matches none of the compared configurations, or several.
    """
    column = schema.column(metric, frame=Sweep.of(trials).trials)
    if column.direction is None:
        raise schema.ColumnError(f"column {metric!r} has no better end; choose one with one")
    sweep = Sweep.of(trials, needed=(*SPEED, metric), purpose="compare")
    check_parameters(baseline or {}, sweep.names)
    rows: list[dict[str, Any]] = []
    for problem in sweep.problems:
        rows += _compared(problem, column, baseline, level=level, power=power, rng=rng)
    return typed(rows, {**parameter_dtypes(sweep.names), **_DTYPES})


def _compared(
    problem: Problem,
    column: schema.Column,
    baseline: Mapping[str, Any] | None,
    *,
    level: float,
    power: float,
    rng: Rng,
) -> list[dict[str, Any]]:
    group, names = problem.tickets, problem.names
    configs = configurations(group, names)
    complete = configs[configs["whole"].astype(bool)]
    values = {
        # Trials that no column distinguishes count once.
        label: group.loc[rows]
        .drop_duplicates("config/seed")
        .set_index("config/seed")[column.name]
        .astype("float64")
        .dropna()
        for label, rows in complete["rows"].items()
    }
    competitors = complete.loc[[label for label in complete.index if len(values[label])]]
    reference = _reference(competitors, baseline)
    rivals = [label for label in competitors.index if label != reference]
    at = level / max(1, len(rivals))
    rows = []
    for label, config in configs.iterrows():
        row: dict[str, Any] = {name: config[name] for name in names}
        row |= {"seeds": 0, "reference": label == reference}
        if label not in competitors.index or reference is None:
            why = _why(config) if label not in competitors.index else "no validation risk"
            rows.append(row | {"left_out": why})
            continue
        scores = values[label]
        row |= {"seeds": len(scores), "interquartile_mean": float(interquartile_mean(scores))}
        row |= estimate(scores, confidence=1.0 - level, rng=rng)
        if label in rivals:
            paired = contrast(scores, values[reference], confidence=1.0 - level, rng=rng)
            needed = more_seeds(paired.differences, power=power, level=at)
            least = least_seeds(len(rivals), level=level) - paired.pairs
            row |= {
                **paired.columns(),
                "seeds": paired.pairs,
                "more_seeds": None if needed is None else max(needed, least, 1),
            }
        rows.append(row)
    larger_is_better = column.direction == "higher"
    family = []
    for row in corrected(rows):
        if not math.isnan(row["p_holm"]):
            row["verdict"] = verdict(row, larger_is_better=larger_is_better, level=level)
            row |= {"more_seeds": 0} if row["verdict"] != OPEN else {}
        family.append(row)
    sign = -1.0 if larger_is_better else 1.0
    return sorted(family, key=lambda row: sign * row["mean"] if "mean" in row else math.inf)


def _reference(competitors: pd.DataFrame, baseline: Mapping[str, Any] | None) -> Any:
    if baseline is None:
        return schema.best(competitors, "val_loss")
    fits = competitors
    for name, value in baseline.items():
        fits = fits[fits[name].eq(value)]
    if len(fits) != 1:
        raise ValueError(
            f"baseline {dict(baseline)} fits {len(fits)} configurations that completed at every "
            "seed; give the parameters of one"
        )
    return fits.index[0]


def _why(config: pd.Series) -> str:
    for outcome in ("unfinished", "failed", "stopped"):
        if config[outcome]:
            return outcome
    return "not every seed"


_DTYPES = {
    "reference": "boolean",
    "left_out": "string",
    "seeds": "Int64",
    **dict.fromkeys(("mean", "interquartile_mean", "low", "high", *TESTED), "float64"),
    "verdict": "string",
    "more_seeds": "Int64",
}
