"""Findings on robust training: its costs and gains."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.attacks import CLEAN, Attack, attacks, model, named, nearest, setting
from analysis.configurations import problem_parts
from analysis.contrast import BETTER, DIFFERENCE, EQUIVALENT, OPEN, WORSE, bracketed, no_interval
from analysis.metric_names import cvar_name
from analysis.sweep import GROUP
from analysis.tickets.robustness import RUNAWAY
from analysis.wording import amount, percent, plural
from analysis.wording import setting as in_words


def robustness(
    rows: pd.DataFrame,
    trials: pd.DataFrame,
    manifest: Mapping[str, Any],
    *,
    tolerance: float = 0.05,
) -> list[str]:
    """Sentences on the rows of :func:`analysis.robust_against_standard`, or on their absence.

    The attack closest to that of training comes first: by threat model, then budget.

    Args:
        rows: from :func:`analysis.robust_against_standard`.
        trials: from which ``rows`` were computed.
        manifest: from :func:`analysis.load_manifest`; names the attack of training.
        tolerance: that of the rows.
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
            lines += [opening + line for line in _ticket(rows_of, trained, tolerance)]
    return [*lines, *tested(rows)]


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


def _ticket(rows: Mapping[str, pd.Series], trained: str | None, tolerance: float) -> Iterator[str]:
    """Sentences on one sparsity and epsilon, its ``rows`` by metric, clean CVaR first."""
    attack_list, clean = named(rows), next(iter(rows.values()))
    metric = str(clean["metric"])
    cvar = "CVaR" if metric == CLEAN else cvar_name(metric)
    sparsity, epsilon = float(clean["sparsity"]), float(clean["epsilon"])
    where = "" if pd.isna(sparsity) else f"At sparsity {percent(sparsity)}, "
    who = f"tickets trained at epsilon {epsilon:g}"
    opening = where + who if where else who[0].upper() + who[1:]
    first = nearest(attack_list, trained=trained, epsilon=epsilon)
    if first is None:
        price = _change(clean, f"of {cvar} on clean paths", tolerance)
        yield f"{opening} {price}; no search attacked them."
        return
    attacked = rows[first.column]
    if _not_finite(attacked):
        yield f"{opening}: undecided, because {_unbounded(first, attacked)}."
        return
    seeds = int(min(clean["seeds"], attacked["seeds"]))
    over = f"over {plural(seeds, 'seed')}"
    if pd.isna(clean["difference_low"]) or pd.isna(attacked["difference_low"]):
        yield (
            f"{opening}: {amount(clean['difference'], signed=True)} of {cvar} on clean paths and "
            f"{amount(attacked['difference'], signed=True)} under {first}, {over}; no verdict: "
            f"{_absent(clean, attacked)}."
        )
        return
    price = _change(clean, f"of {cvar} on clean paths", tolerance)
    if _runaways(attacked):
        yield f"{opening} {price}, {over}."
    else:
        gain = _change(attacked, f"under {first}", tolerance)
        yield f"{opening} {price} and {gain}, {over}{_verdict(attacked)}."
    if trained and model(trained) != first.model:
        yield f"They were trained under {trained}, a threat that no test of them poses."
    for attack in attack_list:
        if _not_finite(rows[attack.column]):
            yield f"Under {attack} nothing is decided: {_unbounded(attack, rows[attack.column])}."
    attack_list = [a for a in attack_list if not _not_finite(rows[a.column])]
    tame = [attack for attack in attack_list if not _runaways(rows[attack.column])]
    others = [attack for attack in tame if attack != first and attack.hardness > 0]
    if others:
        yield _others(rows, others)
    if wild := [attack for attack in attack_list if attack not in tame]:
        yield _wild(rows, wild)


def _absent(*rows: pd.Series) -> str:
    lacking = max(int(row["lacking"]) for row in rows)
    seeds = min(int(row["seeds"]) for row in rows)
    return f"{plural(lacking, 'seed')} without a result" if lacking else no_interval(seeds)


def _change(row: pd.Series, what: str, tolerance: float) -> str:
    mean, low, high = (row[column] for column in DIFFERENCE)
    text = bracketed(row, "difference", signed=True)
    if pd.isna(low):
        return f"change by {text} {what} ({_absent(row)})"
    if row["verdict"] == BETTER:
        return f"gain {bracketed(row, 'difference')} {what}"
    if row["verdict"] == WORSE:
        return f"lose {amount(-mean)} [{amount(-high)}, {amount(-low)}] {what}"
    if row["verdict"] == EQUIVALENT:
        margin = f"{percent(tolerance)} of clean CVaR, {amount(row['margin'])}"
        return f"are equivalent within {margin} ({text}) {what}"
    return f"are not shown to gain or lose ({text}) {what}"


def _verdict(row: pd.Series) -> str:
    if row["verdict"] == WORSE:
        return ": robust training harms here"
    if row["verdict"] == EQUIVALENT:
        return ": robust training makes no difference beyond the margin here"
    if row["verdict"] == OPEN:
        return ": robust training is not shown to help here"
    if pd.isna(row["share"]):
        return ""
    share = percent(round(row["share"], 2))
    return f": about {share} of what that attack takes from standard tickets, a point estimate"


def _runaways(row: pd.Series) -> int:
    counts = (row["standard_runaways"], row["robust_runaways"])
    return sum(0 if pd.isna(count) else int(count) for count in counts)


def _not_finite(row: pd.Series) -> int:
    return int(row["standard_not_finite"] + row["robust_not_finite"])


def _unbounded(attack: Attack, row: pd.Series) -> str:
    return (
        f"CVaR under {attack} is not finite for {row['standard_not_finite']} standard and "
        f"{plural(int(row['robust_not_finite']), 'robust ticket')}"
    )


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
    phrases = {BETTER: "gain", WORSE: "lose", EQUIVALENT: "equivalent", OPEN: "not shown"}
    changes: dict[str, list[str]] = {phrase: [] for phrase in phrases.values()}
    for attack in others:
        row = rows[attack.column]
        change = amount(row["difference"], signed=True)
        changes[phrases[row["verdict"]]].append(f"{attack} ({change})")
    groups = [f"{change} under {', '.join(names)}" for change, names in changes.items() if names]
    return f"Other attacks on them: {'; '.join(groups)}."


def tested(rows: pd.DataFrame) -> Iterator[str]:
    """Sentence on the family of the verdicts of ``rows``; empty if none of them has a test."""
    number = int(rows["p_holm"].notna().sum())
    if not number:
        return
    tally = rows["verdict"].value_counts()
    counts = ", ".join(f"{tally[v]} {v}" for v in (BETTER, WORSE, EQUIVALENT, OPEN) if v in tally)
    yield (
        f"Verdicts hold at 5 % for all {plural(number, 'comparison')} together (Holm): "
        f"{counts}. Intervals are 95 % each, not corrected."
    )
