"""Comparison of configurations with a reference on the same seeds: difference and verdict."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.attacks import CLEAN
from analysis.configurations import check_parameters, configurations, parameter_dtypes, typed
from analysis.contrast import DIFFERENCE, OPEN, contrast, corrected, estimate, verdict
from analysis.intervals import MIN_SEEDS
from analysis.statistics import interquartile_mean, more_seeds
from analysis.sweep import SPEED, Problem, Sweep, Trials
from analysis.tickets.opponents import problem_key, stronger_hedges


@checked
def compare(
    trials: Trials,
    metric: str = "cvar_05",
    *,
    baseline: Mapping[str, Any] | None = None,
    level: float = 0.05,
    power: float = 0.8,
) -> pd.DataFrame:
    """One row per configuration, best ``metric`` first, compared with the reference.

    The reference (``reference`` True) is ``baseline``, or the configuration with the lowest
    validation risk, so that the test metric does not affect its choice. Only configurations that
    completed at every seed are compared. For the others ``left_out`` is the reason: "stopped"
    (early stopping censors them), "failed", "unfinished", or "not every seed". Every value of a
    parameter that changes the problem (such as ``market.xi``) has its own reference.

    ``mean`` and ``interquartile_mean`` are over the seeds, with the Student interval ``low`` to
    ``high`` of the mean. ``difference`` is the mean of its values less those of the reference at
    the same ``seeds``, with the interval ``difference_low`` to ``difference_high``, which is that
    of a reference fixed in advance; all in the unit of the metric. ``p`` is of no difference and
    ``p_holm`` corrected for all configurations of the table, or for all pairs of each problem
    (``comparisons``) without a ``baseline``: the best by validation owes its place to the luck of
    these seeds too. ``verdict`` is "better" or "worse" in the direction of the metric if
    ``p_holm`` is at most ``level``, else "not shown". ``more_seeds`` is the number of additional
    seeds that would distinguish the two with probability ``power``; 0 if they are distinguished,
    null if the difference is 0 or there are fewer than two seeds. Between the dense network
    retrained (sparsity 0) and others, CVaR has no p or verdict where the dense network is shown to
    be worse than a hedge without training, named by ``not_judged``.

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
    number, hedges = 0, stronger_hedges(sweep) if metric == CLEAN else {}
    for problem in sweep.problems:
        part = _compared(problem, column, baseline, level=level, power=power)
        # Any two configurations might have been compared if the data select the reference.
        rivals = sum("difference" in row for row in part)
        number += rivals if baseline is not None else rivals * (rivals + 1) // 2
        hedge = hedges.get(problem_key(problem.values))
        rows += _withheld(part, hedge) if hedge else part
    larger_is_better = column.direction == "higher"
    rows = _judged(rows, number, level=level, larger_is_better=larger_is_better)
    return typed(rows, {**parameter_dtypes(sweep.names), **_DTYPES})


def _compared(
    problem: Problem,
    column: schema.Column,
    baseline: Mapping[str, Any] | None,
    *,
    level: float,
    power: float,
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
        .replace([math.inf, -math.inf], math.nan)
        for label, rows in complete["rows"].items()
    }
    competitors = complete.loc[[label for label in complete.index if values[label].notna().any()]]
    reference = _reference(competitors, baseline)
    rivals = [label for label in competitors.index if label != reference]
    pairs = len(rivals) if baseline is not None else len(rivals) * (len(rivals) + 1) // 2
    at = level / max(1, pairs)
    rows = []
    for label, config in configs.iterrows():
        row: dict[str, Any] = {name: config[name] for name in names}
        row |= {"seeds": 0, "reference": label == reference}
        if label not in competitors.index or reference is None:
            why = _why(config) if label not in competitors.index else "no validation risk"
            rows.append(row | {"left_out": why})
            continue
        scores = values[label]
        row |= {"seeds": int(scores.count())}
        row |= {"interquartile_mean": float(interquartile_mean(scores.dropna()))}
        row |= estimate(scores, confidence=1.0 - level)
        if label in rivals:
            paired = contrast(scores, values[reference], confidence=1.0 - level)
            needed = more_seeds(paired.differences, power=power, level=at)
            least = MIN_SEEDS - paired.pairs
            row |= {
                **paired.columns(),
                "seeds": paired.pairs,
                "more_seeds": None if needed is None else max(needed, least, 1),
            }
        rows.append(row)
    sign = -1.0 if column.direction == "higher" else 1.0
    return sorted(rows, key=lambda row: sign * row["mean"] if "mean" in row else math.inf)


def _withheld(rows: list[dict[str, Any]], hedge: str) -> list[dict[str, Any]]:
    """Rows without p against the dense network retrained, if the reference or the row is."""
    reference = any(row["reference"] and row.get("sparsity") == 0.0 for row in rows)
    return [
        row | {"p": math.nan, "not_judged": hedge}
        if "difference" in row and (reference or row.get("sparsity") == 0.0)
        else row
        for row in rows
    ]


def _judged(
    rows: list[dict[str, Any]], number: int, *, level: float, larger_is_better: bool
) -> list[dict[str, Any]]:
    """Rows of all problems with Holm's p and the verdicts."""
    family = corrected(rows, number=number)
    for row in family:
        row["comparisons"] = number
        if "not_judged" not in row and "difference" in row:
            row["verdict"] = verdict(row, larger_is_better=larger_is_better, level=level)
            row |= {"more_seeds": 0} if row["verdict"] != OPEN else {}
    return family


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


_TESTED = (*DIFFERENCE, "p", "p_holm")
_DTYPES = {
    "reference": "boolean",
    "left_out": "string",
    "seeds": "Int64",
    **dict.fromkeys(("mean", "interquartile_mean", "low", "high", *_TESTED), "float64"),
    **dict.fromkeys(("verdict", "not_judged"), "string"),
    "more_seeds": "Int64",
    "comparisons": "Int64",
}
