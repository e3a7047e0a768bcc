"""Findings on an X-NN: cost and gain of explanation, and use of it by the network."""

from collections.abc import Iterator, Sequence
from typing import Literal

import pandas as pd

from analysis.contrast import NO_INTERVAL, bracketed, side_of
from analysis.wording import amount, percent, plural
from analysis.xnn.cells import COST, GAIN, of_problem
from analysis.xnn.pareto import HORIZON, Front
from analysis.xnn.selection import WITHIN, gain, pulled, whole
from analysis.xnn.wording import cell_name, telling

CONTROLS = {
    "untrained": "the untrained network",
    "plain": "the plain network",
    "plain_random_points": "the plain network on random rows",
    "permuted": "permuted rows",
}
"""Controls for a network's R2 at the same number of centroids, in words."""

_LEVEL = 0.05
_POOR = 0.65  # of the adjusted Rand index, Steinley (2004)


def choice(
    table: pd.DataFrame,
    cell: pd.Series | None,
    names: Sequence[str],
    *,
    held_out: bool = True,
    within: float = WITHIN,
) -> list[str]:
    """Cost and gain of the chosen ``cell``, or the reason why none was chosen.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
        cell: from :func:`analysis.xnn.selection.best`.
        held_out: True if test rows differ from validation rows.
        within: limit of the cost, in nats.
    """
    if cell is None:
        return list(_none(table, names, within))
    lines = [
        f"At a cost of at most {within:g} nat by validation loss, "
        f"{cell_name(cell, telling(table, names))} explains most: {_price(cell)}, "
        f"{_gained(cell)}, {_over(cell, table)}."
    ]
    if {"accuracy_minus_plain", "kappa_minus_plain"} <= set(cell.index):
        change = ", ".join(
            f"{name} {_change(cell, f'{name}_minus_plain')}" for name in ("accuracy", "kappa")
        )
        lines.append(f"Against the plain network of the same seed: {change}.")
    basis = chosen_on(table, held_out=held_out)
    if basis == "test rows":
        lines.append(
            "It was chosen on its test rows, which are the validation rows, so its cost and its "
            "gain are both a little too good."
        )
    elif basis == "gain on test rows":
        lines.append(
            "It was chosen by its gain on test rows, which is therefore a little too good."
        )
    return lines


def chosen_on(
    table: pd.DataFrame, *, held_out: bool
) -> Literal["validation rows", "gain on test rows", "test rows"]:
    """Rows on which the best cell of ``table`` is chosen; optimistic unless validation rows."""
    if not held_out:
        return "test rows"
    return "gain on test rows" if gain(table) == GAIN else "validation rows"


def front(bargains: Front, table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Sentence on the size of the Pareto front and its knee; empty for fewer than two cells."""
    if len(bargains.rows) < 2:
        return []
    lines = [
        f"{len(bargains.rows)} of {plural(len(whole(table)), 'cell')} cannot be beaten in both "
        f"cost and gain; they hold {bargains.hypervolume:.4f} nat of the area above gain 0 and "
        f"below a cost of {HORIZON:g} nat."
    ]
    if bargains.knee is not None:
        knee = bargains.rows.loc[[bargains.knee]].iloc[0]
        lines.append(
            f"Their knee is {cell_name(knee, telling(table, names))}: "
            f"{bracketed(knee, COST, signed=True)} nat, gain {bracketed(knee, GAIN, signed=True)}."
        )
    return lines


def growth(table: pd.DataFrame, cell: pd.Series | None, names: Sequence[str]) -> list[str]:
    """Sentences on the growth of raw R2 with the number of centroids, even by chance.

    Arguments as for :func:`chance_by_clusters`.
    """
    by = chance_by_clusters(table, cell, names)
    if len(by) < 2:
        return []
    (few, first), (many, last) = ((by.index[i], by.iloc[i]) for i in (0, -1))
    levels = (
        f"the untrained network reaches {amount(first['r2_untrained'])} at K = {few} and "
        f"{amount(last['r2_untrained'])} at K = {many}"
    )
    lines = [f"Raw R2 is no larger at the most centroids than at the fewest: {levels}."]
    if last["r2_untrained"] > first["r2_untrained"]:
        lines = [
            "Raw R2 is larger at the most centroids than at the fewest whatever was learnt: "
            f"{levels}; only the gain over controls says something."
        ]
    chance = by["r2_permuted"].abs().max()
    lines.append(
        f"With permuted rows its mean is {amount(chance)} at most in absolute value, at any K."
    )
    return lines


def chance_by_clusters(
    table: pd.DataFrame, cell: pd.Series | None, names: Sequence[str]
) -> pd.DataFrame:
    """Mean R2 of the untrained network and with permuted rows, a row per number of centroids.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
        cell: fixes all parameters but method, weight and clusters; None takes the first of the
            table.
        names: the axes of the table.
    """
    rows, columns = table[table["seeds"].gt(0)], ["r2_untrained", "r2_permuted"]
    if rows.empty or not {"clusters", *columns} <= set(rows):
        return pd.DataFrame(columns=columns)
    one = rows.iloc[0] if cell is None else cell
    fixed = {n: one[n] for n in names if n not in ("method", "adj_weight", "clusters")}
    return of_problem(rows, fixed).groupby("clusters")[columns].mean().dropna()


def faithfulness(cell: pd.Series, trials: pd.DataFrame) -> list[str]:
    """Sentences on the stability of clusters, and on use of the explained nodes by the network.

    Args:
        cell: the row of :func:`analysis.xnn.cells.cells`.
        trials: its trials, from :func:`analysis.xnn.cells.members`.
    """
    lines = []
    if pd.notna(index := cell.get("cluster_stability")):
        verdict = "come out again" if index >= _POOR else "do not come out again"
        lines.append(
            f"Its clusters {verdict} under resampling: those of bootstrap samples have a mean "
            f"adjusted Rand index of {amount(index)} with those of all rows."
        )
    if pd.notna(cell.get("specificity")) and pd.notna(cell.get("r2_random_points")):
        lines.append(
            "On distances to as many random rows its nodes have an R2 of "
            f"{amount(cell['r2_random_points'])}; what they tell of these centroids beyond it is "
            f"{_difference(cell, trials, 'specificity')}."
        )
    if pd.notna(cell.get("selectivity")):
        lines.append(
            "Without the nodes of a centroid, the change of cross-entropy on its own rows, less "
            f"that on others, is {_difference(cell, trials, 'selectivity', ' nat')}."
        )
    surrogate = ("surrogate_agreement", "surrogate_cross_entropy")
    if all(pd.notna(cell.get(name)) for name in surrogate):
        rise = cell["surrogate_cross_entropy"] - cell["cross_entropy"]
        lines.append(
            "With its nodes replaced by what distances imply, "
            f"{percent(round(cell['surrogate_agreement'], 3))} of rows keep their likeliest class "
            f"and cross-entropy changes by {amount(rise, signed=True)} nat."
        )
    p = trials["concept_p"].astype("float64").dropna() if "concept_p" in trials else pd.Series()
    if len(p):
        lines.append(
            "A centroid's direction moves class 8 more than random directions do at "
            f"{int(p.le(_LEVEL).sum())} of {plural(len(p), 'seed')} (TCAV, 5 % after Bonferroni)."
        )
    return lines


def duration(epochs: pd.DataFrame, trials: pd.DataFrame, plain: pd.DataFrame) -> list[str]:
    """Duration of an epoch compared with that of the plain network, by the median trial.

    Args:
        trials: the trials of a cell, from :func:`analysis.xnn.cells.members`.
        plain: trials of the plain network.
    """
    if not {"trial_id", "seconds"} <= set(epochs.columns):
        return []
    # Time since the start of the trial; the first epoch also reads its data.
    by = epochs.groupby("trial_id")["seconds"].agg(lambda s: s.sort_values().diff().median())
    seconds, plain_seconds = (
        by.reindex(frame["trial_id"]).dropna().median() for frame in (trials, plain)
    )
    if not (seconds > 0.0 and plain_seconds > 0.0):
        return []
    return [
        f"An epoch of it takes {seconds / plain_seconds:.2f} times as long as one of the plain "
        f"network ({seconds:.3g} s against {plain_seconds:.3g} s; this depends on the machine)."
    ]


def _none(table: pd.DataFrame, names: Sequence[str], within: float) -> Iterator[str]:
    rivals = pulled(whole(table))
    if rivals.empty or COST not in rivals or rivals[COST].isna().all():
        return
    cheapest = rivals.loc[[rivals[COST].idxmin()]].iloc[0]
    yield (
        f"No cell costs at most {within:g} nat by validation loss; the cheapest is "
        f"{cell_name(cheapest, telling(table, names))}: {_price(cheapest)}, {_gained(cheapest)}, "
        f"{_over(cheapest, table)}."
    )


def _price(cell: pd.Series) -> str:
    level = side_of(cell, COST) == 0
    clear = ", which cannot be told apart from 0," if level else ""
    return f"it costs {bracketed(cell, COST, signed=True)} nat of test cross-entropy{clear}"


def _gained(cell: pd.Series) -> str:
    level: dict[int | None, str]
    level = {0: ", which cannot be told apart from 0", -1: ", so controls explain more"}
    side = "above" if cell[GAIN] >= 0.0 else "below"
    rivals = {name: cell.get(f"r2_{name}") for name in CONTROLS}
    finite = {name: float(r2) for name, r2 in rivals.items() if r2 is not None and pd.notna(r2)}
    largest = ""
    if finite:
        name = max(finite, key=finite.__getitem__)
        largest = f" (largest mean of a control: {amount(finite[name])}, {CONTROLS[name]})"
    r2_text = f" of {amount(cell['r2_mean'])}" if pd.notna(cell.get("r2_mean")) else ""
    # The best control may differ between seeds, so no two means differ by the gain.
    return (
        f"and its nodes' R2{r2_text} lies on average {side} the best control "
        f"of its seed, a gain of {bracketed(cell, GAIN, signed=True)}"
        f"{level.get(side_of(cell, GAIN), '')}{largest}"
    )


def _over(cell: pd.Series, table: pd.DataFrame) -> str:
    seeds, most_trials = int(cell["seeds"]), int(table["trials"].max())
    missing = f" of {most_trials}" if seeds < most_trials else ""
    few = f"; {NO_INTERVAL}" if pd.isna(cell[f"{GAIN}_low"]) else ""
    return f"over {seeds}{missing} {'seed' if max(seeds, most_trials) == 1 else 'seeds'}{few}"


def _difference(cell: pd.Series, trials: pd.DataFrame, metric: str, unit: str = "") -> str:
    """A difference, and its number of seeds if it lacks some."""
    seeds, level = int(trials[metric].notna().sum()), side_of(cell, metric) == 0
    notes = [f"known at {seeds} of {plural(len(trials), 'seed')}"] if seeds < len(trials) else []
    notes += ["cannot be told apart from 0"] if level else []
    note = f" ({'; '.join(notes)})" if notes else ""
    return f"{bracketed(cell, metric, signed=True)}{unit}{note}"


def _change(cell: pd.Series, metric: str) -> str:
    level = side_of(cell, metric) == 0
    return bracketed(cell, metric, signed=True) + (" (cannot be told apart)" if level else "")
