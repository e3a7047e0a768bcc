"""Every configuration against one of them on the same seeds: difference, interval, verdict."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.configurations import (
    check_parameters,
    configurations,
    groups,
    parameter_dtypes,
    parameters,
    prepared,
    problem_axes,
    typed,
)
from analysis.seeds import (
    Rng,
    holm,
    interquartile_mean,
    interval,
    least_seeds,
    more_seeds,
    signed_rank,
)

BETTER, WORSE, OPEN = "better", "worse", "not told apart"
_BY_SPEED = ("val_loss", "converged", "epochs_to_95pct")


@checked
def compare(
    trials: pd.DataFrame,
    metric: str = "cvar_05",
    *,
    baseline: Mapping[str, Any] | None = None,
    level: float = 0.05,
    power: float = 0.8,
    rng: Rng = 0,
) -> pd.DataFrame:
    """One row a configuration, best ``metric`` first: how it compares with the reference.

    The reference (``reference`` True) is ``baseline``, or the configuration with the lowest
    validation risk, so that a test metric judges a choice it did not make. Only configurations
    that completed at every seed take part. For the others ``left_out`` says why: "stopped" (early
    stopping censors them), "failed", "unfinished", or "not every seed". A parameter that changes
    the problem (say ``market.xi``) makes a reference and a comparison of its own.

    ``mean`` and ``interquartile_mean`` are over the seeds, with the bootstrap interval ``low`` to
    ``high`` of the mean. ``difference`` is the mean of its values less those of the reference at
    the same ``seeds``, with the interval ``difference_low`` to ``difference_high``; all in the
    unit of the metric. ``p`` is of Wilcoxon's signed-rank test and ``p_holm`` corrected for the
    number of configurations compared. ``verdict`` is "better" or "worse" in the direction of the
    metric where ``p_holm`` is at most ``level`` and the interval leaves zero out on that side,
    else "not told apart". ``more_seeds`` is how many more would tell the two apart with
    probability ``power``, and let that test reject however the others turn out; 0 where they are
    told apart, null where the difference is 0 or there are fewer than two seeds.

    Args:
        trials: the frame from :func:`analysis.load_trials`.
        metric: a column with a better end.
        baseline: parameters that fit one configuration alone, without ``config/``.
        level: of the tests, and 1 - ``level`` of the intervals.
        power: see ``more_seeds``.
        rng: of the bootstrap; a whole number gives every interval the same draws.
    Raises:
        schema.ColumnError: ``metric`` or a parameter of ``baseline`` unknown, or a column missing.
        ValueError: ``baseline`` fits no configuration that takes part, or several of them.
    """
    column = schema.column(metric, frame=trials)
    if column.direction is None:
        raise schema.ColumnError(f"column {metric!r} has no better end; choose one with one")
    frame = prepared(trials, [*_BY_SPEED, metric], purpose="compare")
    names = parameters(frame)
    check_parameters(baseline or {}, names)
    problem = problem_axes(names)
    rows: list[dict[str, Any]] = []
    for _, group in groups(frame, problem):
        rows += _compared(group, names, column, baseline, level=level, power=power, rng=rng)
    return typed(rows, {**parameter_dtypes(names), **_DTYPES})


def _compared(
    group: pd.DataFrame,
    names: list[str],
    column: schema.Column,
    baseline: Mapping[str, Any] | None,
    *,
    level: float,
    power: float,
    rng: Rng,
) -> list[dict[str, Any]]:
    configs = configurations(group, names)
    whole = configs[configs["whole"].astype(bool)]
    values = {
        # Trials that no column tells apart count once.
        label: group.loc[rows]
        .drop_duplicates("config/seed")
        .set_index("config/seed")[column.name]
        .astype("float64")
        .dropna()
        for label, rows in whole["rows"].items()
    }
    competitors = whole.loc[[label for label in whole.index if len(values[label])]]
    reference = _reference(competitors, baseline)
    rivals = [label for label in competitors.index if label != reference]
    at = level / max(1, len(rivals))
    rows = []
    for label, config in configs.iterrows():
        row: dict[str, Any] = {name: config[name] for name in names}
        row |= {"seeds": 0, "reference": label == reference}
        if label not in competitors.index:
            rows.append(row | {"left_out": _why(config)})
            continue
        scores = values[label]
        ends = interval(scores, confidence=1.0 - level, rng=rng)
        row |= {
            "seeds": len(scores),
            "mean": scores.mean(),
            "interquartile_mean": float(interquartile_mean(scores)),
            "low": ends.low,
            "high": ends.high,
        }
        if label in rivals:
            paired = (scores - values[reference]).dropna()
            ends = interval(paired, confidence=1.0 - level, rng=rng)
            needed = more_seeds(paired, power=power, level=at)
            least = least_seeds(len(rivals), level=level) - len(paired)
            row |= {
                "seeds": len(paired),
                "difference": paired.mean(),
                "difference_low": ends.low,
                "difference_high": ends.high,
                "p": signed_rank(paired),
                "more_seeds": None if needed is None else max(needed, least, 1),
            }
        rows.append(row)
    _judge([row for row in rows if "p" in row], column.direction, level)
    sign = -1.0 if column.direction == "higher" else 1.0
    return sorted(rows, key=lambda row: sign * row["mean"] if "mean" in row else math.inf)


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


def _judge(rows: list[dict[str, Any]], direction: schema.Direction | None, level: float) -> None:
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        sides = {"higher": row["difference_low"] > 0.0, "lower": row["difference_high"] < 0.0}
        row |= {"p_holm": p, "verdict": OPEN}
        if p <= level and any(sides.values()):
            row |= {"verdict": BETTER if sides[str(direction)] else WORSE, "more_seeds": 0}


def _why(config: pd.Series) -> str:
    for outcome in ("unfinished", "failed", "stopped"):
        if config[outcome]:
            return outcome
    return "not every seed"


_DTYPES = {
    "reference": "boolean",
    "left_out": "string",
    "seeds": "Int64",
    **dict.fromkeys(
        (
            "mean",
            "interquartile_mean",
            "low",
            "high",
            "difference",
            "difference_low",
            "difference_high",
            "p",
            "p_holm",
        ),
        "float64",
    ),
    "verdict": "string",
    "more_seeds": "Int64",
}
