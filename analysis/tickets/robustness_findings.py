"""Findings on robust training: its costs and gains."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.attacks import CLEAN, Attack, attacks, label, model, named, nearest, setting
from analysis.configurations import problem_parts
from analysis.contrast import DIFFERENCE, NO_INTERVAL, bracketed, side, side_of
from analysis.intervals import MIN_SEEDS
from analysis.tickets.robustness import RUNAWAY
from analysis.sweep import GROUP
from analysis.wording import amount, percent, plural
from analysis.wording import setting as in_words


def robustness(rows: pd.DataFrame, trials: pd.DataFrame, manifest: Mapping[str, Any]) -> list[str]:
    """Sentences on the rows of :func:`analysis.robust_against_standard`, or on their absence.

    The attack closest to that of training comes first: by threat model, then budget.

    Args:
        rows: from :func:`analysis.robust_against_standard`.
        trials: from which ``rows`` were computed.
        manifest: from :func:`analysis.load_manifest`; names the attack of training.
    """
    if not attacks(trials):
        return [
            "No network was attacked, so nothing is known of their robustness; add "
            "study.evaluation.path_pgd: [0.1] to the space."
        ]
    if rows.empty:
        return [_nothing(trials)]
    lines = []
    for values, part_rows in problem_parts(rows):
        opening = f"{in_words(values)}: " if values else ""
        for _, ticket in part_rows.groupby(list(GROUP), dropna=False, sort=True):
            trained = trained_under(trials, manifest, float(ticket["epsilon"].iloc[0]))
            rows_of = {str(row["metric"]): row for _, row in ticket.iterrows()}
            lines += [opening + line for line in _ticket(rows_of, trained)]
        lines += [opening + line for line in tested(part_rows)]
    return lines


def _nothing(trials: pd.DataFrame) -> str:
    if "config/epsilon" not in trials.columns or trials["config/epsilon"].isna().all():
        return (
            "No ticket was trained under attack, so what that costs and buys is not known; train "
            "some at a budget above 0."
        )
    epsilon = trials["config/epsilon"]
    if not epsilon.gt(0.0).any():
        return (
            "No ticket was trained under attack, so what that costs and buys is not known; add a "
            "value above 0 to space.epsilon."
        )
    if not epsilon.eq(0.0).any():
        return (
            "Every ticket was trained under attack, so none is standard to compare with; add 0 to "
            "space.epsilon."
        )
    return "No sparsity has both a standard and a robust ticket of one seed yet."


def trained_under(trials: pd.DataFrame, manifest: Mapping[str, Any], epsilon: float) -> str | None:
    """Attack that tickets of ``epsilon`` were trained under; None if there are several."""
    subset = trials[trials["config/epsilon"].eq(epsilon)]
    names = setting(subset, manifest, "attack.name").dropna().unique()
    return str(names[0]) if len(names) == 1 else None


def _ticket(rows: Mapping[str, pd.Series], trained: str | None) -> Iterator[str]:
    """Sentences on one sparsity and epsilon, its ``rows`` by metric, clean CVaR first."""
    attack_list, clean = named(rows), next(iter(rows.values()))
    metric = str(clean["metric"])
    cvar = "CVaR" if metric == CLEAN else label(metric)
    sparsity, epsilon = float(clean["sparsity"]), float(clean["epsilon"])
    where = "" if pd.isna(sparsity) else f"At sparsity {percent(sparsity)}, "
    who = f"tickets trained at epsilon {epsilon:g}"
    opening = where + who if where else who[0].upper() + who[1:]
    first = nearest(attack_list, trained=trained, epsilon=epsilon)
    if first is None:
        yield f"{opening} {_change(clean, f'of {cvar} on clean paths')}; no search attacked them."
        return
    attacked = rows[first.column]
    seeds = int(min(clean["seeds"], attacked["seeds"]))
    over = f"over {plural(seeds, 'seed')}"
    if pd.isna(clean["difference_low"]) or pd.isna(attacked["difference_low"]):
        yield (
            f"{opening}: {amount(clean['difference'], signed=True)} of {cvar} on clean paths and "
            f"{amount(attacked['difference'], signed=True)} under {first}, {over}; "
            f"{NO_INTERVAL}."
        )
        return
    price = _change(clean, f"of {cvar} on clean paths")
    if _runaways(attacked):
        yield f"{opening} {price}, {over}."
    else:
        gain = _change(attacked, f"under {first}")
        yield f"{opening} {price} and {gain}, {over}{_verdict(attacked)}."
    if trained and model(trained) != first.model:
        yield f"They were trained under {trained}, a threat that no test of them poses."
    tame = [attack for attack in attack_list if not _runaways(rows[attack.column])]
    others = [attack for attack in tame if attack != first and attack.hardness > 0]
    if others:
        yield _others(rows, others)
    if wild := [attack for attack in attack_list if attack not in tame]:
        yield _wild(rows, wild)


def _change(row: pd.Series, what: str) -> str:
    mean, low, high = (row[column] for column in DIFFERENCE)
    text = bracketed(row, "difference", signed=True)
    match side(low, high):
        case None:
            return f"change by {text} {what}; {NO_INTERVAL}"
        case 0:
            return f"show no clear change {what} ({text}: the interval covers 0)"
        case 1:
            return f"gain {bracketed(row, 'difference')} {what}"
        case _:
            return f"lose {amount(-mean)} [{amount(-high)}, {amount(-low)}] {what}"


def _verdict(row: pd.Series) -> str:
    if side_of(row) == -1:
        return ": robust training does not help here"
    if side_of(row) != 1:
        return ": robust training is not shown to help here"
    if pd.isna(row["share"]):
        return ""
    return f": {percent(round(row['share'], 2))} of what that attack takes from standard tickets"


def _runaways(row: pd.Series) -> int:
    return int(row["standard_runaways"] + row["robust_runaways"])


def _wild(rows: Mapping[str, pd.Series], wild: Sequence[Attack]) -> str:
    phrases = []
    for attack in wild:
        row = rows[attack.column]
        phrases.append(
            f"{attack} ({row['standard_runaways']} standard and {row['robust_runaways']} robust "
            f"of {row['seeds']}; {amount(row['standard_median'])} and "
            f"{amount(row['robust_median'])})"
        )
    return (
        f"Hedges run away, losing over {RUNAWAY:g} times what they lose on clean paths, so "
        f"that medians say more than means, under {', '.join(phrases)}."
    )


def _others(rows: Mapping[str, pd.Series], others: Sequence[Attack]) -> str:
    changes: dict[str, list[str]] = {"gain": [], "lose": [], "no clear change": []}
    for attack in others:
        row = rows[attack.column]
        change = {1: "gain", -1: "lose"}.get(side_of(row) or 0, "no clear change")
        changes[change].append(f"{attack} ({amount(row['difference'], signed=True)})")
    phrases = [f"{change} under {', '.join(names)}" for change, names in changes.items() if names]
    return f"Other attacks on them: {'; '.join(phrases)}."


def tested(rows: pd.DataFrame) -> Iterator[str]:
    """Sentences on the ``p_holm`` of ``rows``: enough ``seeds`` or not, significant differences.

    Empty if none of the rows has an interval.
    """
    seeds, number = int(rows["seeds"].max()), len(rows)
    if rows["difference_low"].isna().all():
        return
    test = f"Student's test corrected for {plural(number, 'comparison')}"
    if seeds < MIN_SEEDS:
        return
    discoveries = int(rows["p_holm"].le(0.05).sum())
    yield f"By {test}, {discoveries} of the {number} differences are shown at 5 %."
