"""Table of every learning rate at every sparsity and epsilon: speed, CVaR, Sharpe ratio, and mark.

The mark of a configuration states its outcome. Means are over seeds, and only of a configuration
that completed at every seed of its group: one that lacks a seed is not comparable.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import COUNTS, configurations, groups, parameter_dtypes, typed
from analysis.contrast import bounded, estimate
from analysis.selection import by_speed
from analysis.sweep import GROUP, SPEED, Sweep, Trials

BEST, OK, NOT_CONVERGED = "BEST", "OK", "NC"
STOPPED, FAILED, UNFINISHED = "stopped", "failed", "unfinished"
MARKS: Mapping[str, str] = {
    BEST: "fewest epochs of its group (not a test)",
    OK: "every seed meets the criterion",
    NOT_CONVERGED: "a seed does not meet the criterion",
    STOPPED: "a seed is censored, so no mean",
    FAILED: "a seed failed",
    UNFINISHED: "a seed has yet to finish, or to start",
}
"""Meaning of every mark."""

METRICS = ("epochs_to_95pct", "cvar_05", "sharpe_ratio")


@checked
def learning_rates(trials: Trials, *, confidence: float = 0.95) -> pd.DataFrame:
    """One row per sparsity, epsilon and learning rate (and any other axis), by group.

    ``mark`` is one of :data:`MARKS`. ``cvar_05`` and ``sharpe_ratio`` are means over ``seeds``
    with interval ``_low`` to ``_high`` if the configuration completed at every seed, otherwise
    NaN; ``epochs_to_95pct`` in addition only if all of them met the criterion, as a mean over the
    others would have survivorship bias. ``converged`` is the number of seeds that met it.

    Within a group, rows are in descending order of the learning rate. Controls are excluded.

    Args:
        confidence: of the intervals, which exist from
            :data:`~analysis.intervals.MIN_SEEDS` seeds on.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = Sweep.of(trials, needed=(*SPEED, "cvar_05"), purpose="learning_rates")
    keys = [*GROUP, *sweep.problem_axes]
    metrics = [name for name in METRICS if name in sweep.trials.columns]
    rows: list[dict[str, Any]] = []
    for values, group in groups(sweep.tickets, keys):
        choice = by_speed(group, sweep.other_names)
        fastest = choice.rows if choice is not None and choice.converged else []
        table = configurations(group, sweep.other_names)
        if "lr" in table:
            table = table.sort_values("lr", ascending=False, kind="stable")
        met = group["converged"].fillna(False).astype(bool).to_numpy()
        measurements = {name: group[name].astype("float64").to_numpy() for name in metrics}
        for config in table.to_dict("records"):
            runs = group.index.get_indexer(config["rows"])
            row = {**values, **{name: config[name] for name in (*sweep.other_names, *COUNTS)}}
            row["mark"] = _mark(config, fastest)
            row["seeds"] = len(runs)
            row["converged"] = int(met[runs].sum())
            for name in metrics:
                measured = pd.Series(measurements[name][runs])
                comparable = config["converged"] if name in SPEED else config["whole"]
                if comparable and measured.notna().all():
                    row |= estimate(measured, bounded(name), confidence=confidence)
            rows.append(row)
    floats = [column for name in METRICS for column in bounded(name)]
    return typed(
        rows,
        {
            **parameter_dtypes([*keys, *sweep.other_names]),
            "mark": "string",
            **dict.fromkeys(("seeds", "converged"), "Int64"),
            **dict.fromkeys(floats, "float64"),
            **dict.fromkeys(COUNTS, "Int64"),
        },
    )


def _mark(config: Mapping[Hashable, Any], fastest: list[Any]) -> str:
    if config["whole"]:
        if not config["converged"]:
            return NOT_CONVERGED
        return BEST if config["rows"] == fastest else OK
    for mark in (STOPPED, FAILED):
        if config[mark]:
            return mark
    return UNFINISHED
