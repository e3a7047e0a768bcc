"""Selection of the trials that represent a group: one configuration, or the best of each seed.

Early stopping may judge the seeds of a configuration together (``replicates: seed``) or
independently. Independently, a configuration may complete at an easy seed only; its mean is then
not comparable with others, so such configurations do not compete by their means, and the best
trial of each seed is selected instead.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from analysis import schema
from analysis.configurations import configurations


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Selected completed trials, one per seed, and their common parameters.

    ``parameters`` that differ between seeds are NaN. ``converged``: every seed of the group met
    the criterion; otherwise ``epochs_to_95pct`` is NaN. ``competitors`` is the number of
    configurations that the chosen one was selected from by the results of all seeds; 1 for a
    choice per seed, which has no verdict because every configuration in it is censored.
    """

    selection: Literal["one configuration", "per seed"]
    parameters: dict[str, Any]
    converged: bool
    epochs_to_95pct: float
    val_loss: float
    rows: list[Hashable]
    competitors: int = 1


def by_validation(group: pd.DataFrame, names: Sequence[str]) -> Choice | None:
    """Choice by lowest validation risk; None if no trial has completed.

    Configurations that completed at every seed of the group compete by their mean over the seeds.
    Without any, the completed trial with the lowest risk is chosen at every seed, so that seeds
    with more completed trials do not weigh more.
    """
    configs = configurations(group, names)
    complete = configs[configs["whole"].astype(bool)]
    label = schema.best(complete, "val_loss")
    if label is not None:
        return _of_configuration(complete.loc[[label]].iloc[0], names, competitors=len(configs))
    return _per_seed(group, names)


def by_speed(group: pd.DataFrame, names: Sequence[str]) -> Choice | None:
    """Choice by fewest epochs to the criterion; by validation risk if none converged.

    Only configurations that completed and converged at every seed compete (ties: lower validation
    risk), so a choice per seed never counts as converged.
    """
    configs = configurations(group, names)
    met = configs[configs["converged"].astype(bool)]
    if len(met):
        fastest = met.sort_values(["epochs_to_95pct", "val_loss"], kind="stable").iloc[0]
        return _of_configuration(fastest, names, competitors=len(configs))
    choice = by_validation(group, names)
    if choice is None or choice.selection == "one configuration":
        return choice
    return replace(choice, converged=False, epochs_to_95pct=float("nan"))


def lacking(group: pd.DataFrame, seeds: int = 0) -> tuple[int, int]:
    """Number of seeds without a completed trial, and of those that may still get one.

    A running, interrupted or failed trial may still complete, and one that is not in the table
    may start; a stopped one will not.

    Args:
        seeds: number of seeds of the problem, if it may have more than the ``group``.
    """
    missing = awaited = max(0, seeds - group["config/seed"].nunique(dropna=False))
    for _, seed in group.groupby("config/seed", dropna=False):
        if not (seed["status"] == "completed").any():
            missing += 1
            awaited += int((seed["status"] != "stopped").any())
    return missing, awaited


def _of_configuration(config: pd.Series, names: Sequence[str], *, competitors: int) -> Choice:
    return Choice(
        selection="one configuration",
        parameters={name: config[name] for name in names},
        converged=bool(config["converged"]),
        epochs_to_95pct=float(config["epochs_to_95pct"]),
        val_loss=float(config["val_loss"]),
        rows=list(config["rows"]),
        competitors=competitors,
    )


def _per_seed(group: pd.DataFrame, names: Sequence[str]) -> Choice | None:
    runs = group[group["status"] == "completed"]
    best = [schema.best(seed, "val_loss") for _, seed in runs.groupby("config/seed", dropna=False)]
    rows = [label for label in best if label is not None]
    if not rows:
        return None
    chosen = group.loc[rows]
    met = chosen["converged"].fillna(False).astype(bool) & chosen["epochs_to_95pct"].notna()
    complete = len(rows) == group["config/seed"].nunique(dropna=False)
    converged = complete and bool(met.all())
    epochs = chosen["epochs_to_95pct"].astype("float64").mean() if converged else float("nan")
    return Choice(
        selection="per seed",
        parameters={name: _common(chosen[f"config/{name}"]) for name in names},
        converged=converged,
        epochs_to_95pct=float(epochs),
        val_loss=float(chosen["val_loss"].mean()),
        rows=rows,
    )


def _common(values: pd.Series) -> Any:
    return values.iloc[0] if values.nunique(dropna=False) == 1 else float("nan")
