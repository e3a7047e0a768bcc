"""Findings on an X-NN: cost and gain of explanation, and use of it by the network."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal, cast

import pandas as pd

from analysis.contrast import BETTER, EQUIVALENT, OPEN, WORSE, Verdict, bracketed, no_interval
from analysis.statistics import holm
from analysis.wording import amount, corrected_p, percent, plural
from analysis.xnn.cells import COST, GAIN
from analysis.xnn.pareto import HORIZON, Front
from analysis.xnn.selection import Choice, gain, pulled, whole
from analysis.xnn.verdicts import CLAIMS, IS_WITHIN, R2_OVER_PLAIN, RECOVERED, UPPER, WITHIN
from analysis.xnn.wording import NOT_FINITE, cell_name, explains, telling

CONTROLS = {
    "untrained": "the untrained network",
    "plain": "the plain network",
    "plain_random_points": "the plain network on random rows",
    "permuted": "permuted rows",
}
"""Controls for a network's R2 at the same number of centroids, in words."""

_LEVEL = 0.05
_CHANGES = ("accuracy_minus_plain", "kappa_minus_plain")


def choice(
    table: pd.DataFrame,
    chosen: Choice | None,
    names: Sequence[str],
    *,
    held_out: bool = True,
) -> list[str]:
    """Cost and gain of the chosen cell, each with its verdict.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
        chosen: from :func:`analysis.xnn.selection.choose`.
        held_out: True if test rows differ from validation rows.
    """
    if chosen is None:
        completed = bool(pulled(table)["seeds"].gt(0).any())
        return [f"No configuration is chosen: {NOT_FINITE}."] if completed else []
    cell, name = chosen.cell, cell_name(chosen.cell, telling(table, names))
    lines = [
        f"{'Chosen' if chosen.within else 'Cheapest'}: {name}, {chosen.criterion}, "
        f"{_over(cell, table)}.",
        _price(cell),
        _gained(cell),
    ]
    lines += [line for line in map(partial(_change, cell), _CHANGES) if line]
    number = len(pulled(table))
    lines.append(
        f"Verdicts: 5 % after Holm over {plural(number, 'configuration')}, as the choice is among "
        "them; those on gain, specificity and limit also hold for skewed noise, so they are "
        "stricter than intervals."
    )
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
    """Sentence on the size of the Pareto front and its knee; empty for fewer than two cells.

    It describes means and claims nothing of other seeds.
    """
    if len(bargains.rows) < 2:
        return []
    lines = [
        f"By their means, {len(bargains.rows):,} of {plural(len(whole(table)), 'cell')} are "
        f"Pareto-optimal in cost and gain; they hold {bargains.hypervolume:.4f} nat of the area "
        f"above gain 0 and below a cost of {HORIZON:g} nat."
    ]
    if bargains.knee is not None:
        knee = bargains.rows.loc[[bargains.knee]].iloc[0]
        lines.append(
            f"Their knee is {cell_name(knee, telling(table, names))}: "
            f"{bracketed(knee, COST, signed=True)} nat, gain {bracketed(knee, GAIN, signed=True)}."
        )
    return lines


def faithfulness(cell: pd.Series, trials: pd.DataFrame) -> list[str]:
    """Sentences on the stability of clusters, and on use of the explained nodes by the network.

    Args:
        cell: the row of :func:`analysis.xnn.cells.cells`.
        trials: its trials, from :func:`analysis.xnn.cells.members`.
    """
    lines = []
    if pd.notna(cell.get("cluster_stability")):
        states = {BETTER: "above", WORSE: "below", EQUIVALENT: "close to"}
        state = states.get(_verdict(cell, "cluster_stability"), "on neither side shown of")
        lines.append(
            "Clusters of bootstrap samples have a mean adjusted Rand index of "
            f"{bracketed(cell, 'cluster_stability')} with those of all rows: {state} "
            f"{RECOVERED:g}, below which recovery is poor."
        )
    if pd.notna(cell.get("specificity")) and pd.notna(cell.get("r2_random_points")):
        lines.append(
            "On distances to as many random rows its nodes have an R2 of "
            f"{amount(cell['r2_random_points'])}; specificity, what they tell of these centroids "
            f"beyond it, is {_difference(cell, trials, 'specificity')}: "
            f"{_judged(cell, 'specificity', 'above 0', 'below 0', '0')}."
        )
    if pd.notna(cell.get("selectivity")):
        lines.append(
            "Without the nodes of a centroid, the change of cross-entropy on its own rows, less "
            f"that on others, is {_difference(cell, trials, 'selectivity', ' nat')} "
            "(interval over seeds alone; not tested)."
        )
    surrogate = ("surrogate_agreement", "surrogate_cross_entropy")
    if all(pd.notna(cell.get(name)) for name in surrogate):
        rise = cell["surrogate_cross_entropy"] - cell["cross_entropy"]
        lines.append(
            "With its nodes replaced by what distances imply, "
            f"{percent(round(cell['surrogate_agreement'], 3))} of rows keep their likeliest class "
            f"and cross-entropy changes by {amount(rise, signed=True)} nat, as means (not tested)."
        )
    p = trials["concept_p"].astype("float64").dropna() if "concept_p" in trials else pd.Series()
    if len(p):
        lines.append(
            "A centroid's direction moves class 8 more than random directions do at "
            f"{int((holm(p.clip(0.0, 1.0)) <= _LEVEL).sum())} of {plural(len(p), 'seed')} "
            "(TCAV, 5 % after Holm over centroids and seeds)."
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


def _price(cell: pd.Series) -> str:
    text = _judged(cell, COST, "it costs less", "it costs more", "0")
    limit_verb = "costs" if bool(cell.get(IS_WITHIN, False)) else "is not shown to cost"
    upper = cell.get(UPPER, float("nan"))
    bound = (
        f" (95 % upper bound, not corrected: {amount(upper, signed=True)})"
        if pd.notna(upper)
        else ""
    )
    return (
        f"Cost: {bracketed(cell, COST, signed=True)} nat of test cross-entropy over the plain "
        f"network of its seed, {text}; it {limit_verb} less than {WITHIN:g} nat{bound}."
    )


def _gained(cell: pd.Series) -> str:
    rivals = {name: cell.get(f"r2_{name}") for name in CONTROLS}
    finite = {name: float(r2) for name, r2 in rivals.items() if r2 is not None and pd.notna(r2)}
    largest = ""
    if finite:
        name = max(finite, key=finite.__getitem__)
        largest = f" (largest mean of a control: {amount(finite[name])}, {CONTROLS[name]})"
    r2_text = f" of {amount(cell['r2_mean'])}" if pd.notna(cell.get("r2_mean")) else ""
    over_plain = ""
    if pd.notna(cell.get(R2_OVER_PLAIN)):
        over_plain = (
            f" Over the plain network: {bracketed(cell, R2_OVER_PLAIN, signed=True)}; it "
            f"{explains(_verdict(cell, R2_OVER_PLAIN))}."
        )
    verdicts = {
        BETTER: "it explains more than every control",
        WORSE: "a control explains more",
        EQUIVALENT: f"it explains as much as the best control, within {CLAIMS[GAIN].margin:g}",
    }
    unproven = f"not shown to explain more than every control{_why_open(cell, GAIN)}"
    # The best control may differ between seeds, so no two means differ by the gain.
    return (
        f"Gain: {bracketed(cell, GAIN, signed=True)}, its nodes' R2{r2_text} less that of the "
        f"best control of its seed{largest}; "
        f"{verdicts.get(_verdict(cell, GAIN), unproven)}."
        f"{over_plain}"
    )


def _over(cell: pd.Series, table: pd.DataFrame) -> str:
    seeds, most_trials = int(cell["seeds"]), int(table["trials"].max())
    missing = f" of {most_trials}" if seeds < most_trials else ""
    reason = ""
    if pd.isna(cell[f"{GAIN}_low"]):
        reason = f"; {no_interval(seeds, gaps=max(0, most_trials - seeds))}"
    return f"over {seeds}{missing} {'seed' if max(seeds, most_trials) == 1 else 'seeds'}{reason}"


def _difference(cell: pd.Series, trials: pd.DataFrame, metric: str, unit: str = "") -> str:
    """A difference, and its number of seeds if it lacks some."""
    seeds = int(trials[metric].notna().sum())
    note = f" (known at {seeds} of {plural(len(trials), 'seed')})" if seeds < len(trials) else ""
    return f"{bracketed(cell, metric, signed=True)}{unit}{note}"


def _change(cell: pd.Series, metric: str) -> str:
    if pd.isna(cell.get(metric)):
        return ""
    name = metric.removesuffix("_minus_plain").capitalize()
    return (
        f"{name} over the plain network: {bracketed(cell, metric, signed=True)}, "
        f"{_judged(cell, metric, 'above 0', 'below 0', '0')}."
    )


def _verdict(cell: pd.Series, metric: str) -> Verdict:
    """Verdict on ``metric``; "not shown" if it was not tested."""
    verdict = cell.get(f"{metric}_verdict")
    return OPEN if verdict is None or pd.isna(verdict) else cast("Verdict", verdict)


def _judged(cell: pd.Series, metric: str, above: str, below: str, null: str) -> str:
    """Verdict on ``metric`` in words, with the margin of an equivalence."""
    words = {BETTER: above, WORSE: below}
    words[EQUIVALENT] = f"within {CLAIMS[metric].margin:g} of {null}"
    return words.get(
        _verdict(cell, metric), f"not shown to differ from {null}{_why_open(cell, metric)}"
    )


def _why_open(cell: pd.Series, metric: str) -> str:
    """p of a verdict that is open although the interval of its mean excludes the null."""
    ends = (f"{metric}_{name}" for name in ("low", "high", "p_holm"))
    low, high, p = (float(cell.get(name, math.nan)) for name in ends)
    claim = CLAIMS[metric]
    if math.isnan(low + high + p) or low <= claim.null <= high:
        return ""
    return f" ({corrected_p(p, symmetric=claim.symmetric)})"
