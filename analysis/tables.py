"""The tables of a tickets sweep: the best learning rate, and the best of every group."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import pandas as pd

from analysis import schema
from analysis.configurations import (
    COUNTS,
    by_validation,
    configurations,
    contenders,
    counts,
    groups,
    parameter_dtypes,
    parameters,
    prepared,
    shared_paths,
    typed,
)
from analysis.statistics import over_seeds

GROUP = ("sparsity", "epsilon")

_SPEED = ("val_loss", "converged", "epochs_to_95pct")
_MEANS = (
    "epochs",
    "best_epoch",
    "sparsity_achieved",
    "weights_kept",
    "weights_total",
    "dead_units",
)
_PLAIN = ("pnl_mean", "pnl_std", "turnover", "cost_paid")
_WITH_SE = ("cvar_05", "cvar_05_minus_dense", "dense_cvar_05")
_WITH_RANGE = ("cvar_05", "sharpe_ratio", "dense_sharpe_ratio")


def best_lr(trials: pd.DataFrame, *, by: Sequence[str] = GROUP) -> pd.DataFrame:
    """One row a group: the learning rate that reaches the 95 % criterion in the fewest epochs.

    Only a configuration whose seeds have all completed and all converged is a candidate, by the
    mean of ``epochs_to_95pct`` over its seeds (ties: lower validation risk). Where there is none,
    the row gives the lowest mean ``val_loss`` instead and says ``converged`` False. "Not
    converged" is never a number of epochs. Where nothing has completed, the learning rate is null.

    Other parameters that vary (say a batch size) belong to the candidate and are reported with it.
    ``provisional`` marks groups with unfinished trials, or whose winner lacks a seed.

    Args:
        trials: the frame from :func:`analysis.load_trials`.
        by: the parameters that make a group, without ``config/``.
    Raises:
        schema.ColumnError: unknown parameter in ``by``, or a column is missing.
    """
    frame = prepared(trials, _SPEED, purpose="best_lr")
    names = parameters(frame)
    _check_by(by, names)
    rest = [n for n in names if n not in by]
    rows: list[dict[str, Any]] = []
    for key, group in groups(frame, by):
        configs = configurations(group, rest)
        winner = _fastest(configs)
        tally = counts(group)
        row: dict[str, Any] = {**key, **tally, "provisional": tally["unfinished"] > 0}
        if winner is not None:
            row |= {n: winner[n] for n in rest} | {
                "converged": bool(winner["converged"]),
                "epochs_to_95pct": winner["epochs_to_95pct"],
                "val_loss": winner["val_loss"],
                "seeds": int(winner["completed"]),
                "provisional": row["provisional"] or not winner["whole"],
                "dense_epochs_to_95pct": _dense_epochs(group.loc[winner["rows"]]),
            }
        rows.append(row)
    return typed(
        rows,
        {
            **parameter_dtypes([*by, *rest]),
            "converged": "boolean",
            "epochs_to_95pct": "float64",
            "dense_epochs_to_95pct": "float64",
            "val_loss": "float64",
            "seeds": "Int64",
            "provisional": "boolean",
            **dict.fromkeys(COUNTS, "Int64"),
        },
    )


def summary(trials: pd.DataFrame) -> pd.DataFrame:
    """One row a (sparsity, epsilon): its best configuration by validation risk, means over seeds.

    Selected on validation, so the test metrics beside it are an honest judgement. ``remaining`` is
    the share of prunable weights left, in %. ``x_se`` is the standard error of the mean ``x`` (see
    :func:`analysis.statistics.over_seeds`), ``x_low`` and ``x_high`` the range over seeds.

    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    attacked = [c for c in map(str, trials.columns) if c.startswith("attacked_")]
    frame = prepared(trials, [*_SPEED, *_WITH_SE, "cvar_05_se"], purpose="summary")
    rest = [n for n in parameters(frame) if n not in GROUP]
    metrics = [m for m in [*_MEANS, *_PLAIN, *attacked] if m in frame.columns]
    ranged = [m for m in _WITH_RANGE if m in frame.columns]
    rows: list[dict[str, Any]] = []
    for key, group in groups(frame, GROUP):
        winner = by_validation(configurations(group, rest))
        tally = counts(group)
        row: dict[str, Any] = {**key, **tally, "provisional": tally["unfinished"] > 0}
        if winner is not None:
            done = group.loc[winner["rows"]]
            row |= {n: winner[n] for n in rest} | _judged(done, metrics, ranged)
            row |= {n: winner[n] for n in ("converged", "epochs_to_95pct", "val_loss")}
            row["provisional"] |= not winner["whole"]
        kept = row.get("sparsity_achieved", float("nan"))
        row["remaining"] = 100.0 * (1.0 - (kept if kept == kept else row["sparsity"]))
        rows.append(row)
    floats = [
        "remaining",
        "epochs_to_95pct",
        "val_loss",
        *[f"{m}{end}" for m in _WITH_SE for end in ("", "_se")],
        *[f"{m}{end}" for m in ranged for end in ("", "_low", "_high")],
        *metrics,
    ]
    dtypes = {
        **parameter_dtypes([*GROUP, *rest]),
        **dict.fromkeys(COUNTS, "Int64"),
        "seeds": "Int64",
        "provisional": "boolean",
        "converged": "boolean",
        **dict.fromkeys(floats, "float64"),
    }
    return typed(rows, dtypes).sort_values(["epsilon", "sparsity"], ignore_index=True)


def _fastest(configs: pd.DataFrame) -> pd.Series | None:
    field = contenders(configs)
    met = field[field["converged"].astype(bool)]
    if len(met):
        return met.sort_values(["epochs_to_95pct", "val_loss"], kind="stable").iloc[0]
    return by_validation(configs)


def _judged(done: pd.DataFrame, metrics: list[str], ranged: list[str]) -> dict[str, Any]:
    shared = shared_paths(done)
    row: dict[str, Any] = {"seeds": len(done)}
    for metric in _WITH_SE:
        se = done[f"{metric}_se"].tolist() if f"{metric}_se" in done.columns else None
        estimate = over_seeds(done[metric].tolist(), se, shared_paths=shared)
        row |= {metric: estimate.mean, f"{metric}_se": estimate.se}
    for metric in ranged:
        estimate = over_seeds(done[metric].tolist(), shared_paths=shared)
        row |= {
            metric: estimate.mean,
            f"{metric}_low": estimate.low,
            f"{metric}_high": estimate.high,
        }
    for metric in metrics:
        values = done[metric].astype("Float64").dropna()
        row[metric] = float(values.mean()) if len(values) else float("nan")
    return row


def _dense_epochs(done: pd.DataFrame) -> float:
    if "dense_epochs_to_95pct" not in done.columns:
        return float("nan")
    met = done["dense_epochs_to_95pct"]
    return float("nan") if met.isna().any() else float(met.astype("float64").mean())


def _check_by(by: Sequence[str], names: list[str]) -> None:
    for name in by:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise schema.ColumnError(
                f"unknown parameter {name!r}; {hint}known: {', '.join(names)}"
            )
