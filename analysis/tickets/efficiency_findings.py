"""Findings on the largest efficient sparsity: passes, fails, or undecided and why."""

import math

import pandas as pd

from analysis.intervals import MIN_SEEDS
from analysis.tickets.opponents import not_judged
from analysis.wording import percent, place, plural

_FEWEST_DIGITS, _MOST_DIGITS = 3, 8


def efficient(answer: pd.DataFrame, *, tolerance: float, confidence: float) -> list[str]:
    """A sentence per epsilon of :func:`analysis.max_efficient_sparsity`."""
    if answer.empty:
        return ["Sparsity was not swept, so there is no largest one."]
    lines = []
    for _, row in answer.iterrows():
        where = "" if (group := place(row)) == "all trials" else f"{group}: "
        most, limit = row["max_efficient_sparsity"], row["limit"]
        if row["limited_by"] == "not judged":
            text = not_judged(str(row["not_judged"]))
        elif math.isnan(most):
            text = f"none is shown: {percent(limit)}, the smallest swept, {_why(row)}"
        else:
            text = _shown(row)
            if math.isnan(limit):
                text += "; every sparsity that was swept passes, so the limit may lie higher"
            else:
                text += f"; {percent(limit)} {_why(row)}"
        lines.append(f"{where}{text}{' (provisional)' if row['provisional'] else ''}.")
    return [*lines, _rule(tolerance, confidence)]


def distinct(*numbers: float) -> list[str]:
    """``numbers`` with a sign and the fewest decimals, from three on, that keep them distinct."""
    for digits in range(_FEWEST_DIGITS, _MOST_DIGITS + 1):
        texts = [f"{x:+z.{digits}f}" for x in numbers]
        if len(set(texts)) == len(set(numbers)):
            break
    return texts


def _shown(row: pd.Series) -> str:
    bound, margin = distinct(row["lower_bound"], row["margin"])
    return (
        f"{percent(row['max_efficient_sparsity'])} ({row['remaining']:.4g} % of weights remain): "
        f"CVaR 5 % {row['cvar_05']:.3f}, {row['cvar_05_minus_dense']:+.3f} to dense, lower bound "
        f"{bound}, limit {margin}"
    )


def _why(row: pd.Series) -> str:
    low, high, margin = (row[f"limit_{end}"] for end in ("lower", "upper", "margin"))
    if row["limited_by"] == "fails":
        bound, limit = distinct(high, margin)
        return f"fails: upper bound {bound}, limit {limit}"
    return f"is undecided: {_undecided(row, low, high, margin)}"


def _undecided(row: pd.Series, low: float, high: float, margin: float) -> str:
    seeds, lacking, awaited = (
        0 if pd.isna(row[name]) else int(row[name])
        for name in ("limit_seeds", "limit_seeds_lacking", "limit_seeds_awaited")
    )
    if lacking:
        later = f", {awaited} of them not yet" if awaited else ""
        have = "has" if lacking == 1 else "have"
        return f"{lacking} of {plural(lacking + seeds, 'seed')} {have} no result{later}"
    if seeds < MIN_SEEDS:
        return f"{plural(seeds, 'seed')}, and {MIN_SEEDS} are the fewest"
    if math.isnan(low) or math.isnan(high):
        return "its standard error is unknown or zero"
    if math.isinf(low) or math.isinf(high):
        return (
            f"{plural(seeds, 'seed')} are too few for as many comparisons, or no learning rate "
            "completed at all of them"
        )
    lower, limit, upper = distinct(low, margin, high)
    return f"lower bound {lower} and upper bound {upper}, limit {limit}"


def _rule(tolerance: float, confidence: float) -> str:
    return (
        f"Rule: it and every smaller swept sparsity are shown to lose at most {percent(tolerance)}"
        f" of the dense network's CVaR 5 %, at {percent(confidence)} one-sided confidence for all"
        " epsilons together; it fails where it is shown to lose more. The learning rate is chosen"
        " on validation, for all seeds alike where one completed at all of them, and the bounds"
        " are as much wider as there were rates to choose from."
    )
