"""Findings on significant differences between configurations over seeds."""

from collections.abc import Callable

import pandas as pd

from analysis.configurations import problem_axes
from analysis.contrast import BETTER, OPEN, WORSE
from analysis.intervals import MIN_SEEDS
from analysis.wording import percent, plural, value

_MOST_SEEDS = 999
_LEFT_OUT = {
    "stopped": "stopped early",
    "failed": "failed",
    "unfinished": "unfinished",
    "not every seed": "without a trial at every seed",
    "no validation risk": "without a validation risk to choose the reference by",
}


def compared_parameters(rows: pd.DataFrame) -> list[str]:
    """Parameters in which the rows of :func:`analysis.compare` differ."""
    names = map(str, rows.columns[: list(rows.columns).index("reference")])
    return [name for name in names if rows[name].nunique(dropna=False) > 1]


def configuration(row: pd.Series, names: list[str], *, spoken: Callable[[str], str] = str) -> str:
    """Parameters ``names`` of a row without nulls: "sparsity 80 %, lr 0.001".

    Args:
        spoken: name of a parameter as it is to be printed.
    """
    parts = {n: percent(row[n]) if n == "sparsity" else value(row[n]) for n in names}
    return ", ".join(f"{spoken(n)} {text}" for n, text in parts.items() if pd.notna(row[n]))


def seeds_needed(number: int) -> str:
    """Number of additional seeds in words, "over 999" above that, to avoid false precision."""
    return str(number) if number <= _MOST_SEEDS else f"over {_MOST_SEEDS}"


def seeds(rows: pd.DataFrame, *, level: float = 0.05) -> list[str]:
    """Sentences on the rows of :func:`analysis.compare`, problem by problem."""
    names = compared_parameters(rows)
    problem, lines = problem_axes(names), []
    parts = [part for _, part in rows.groupby(problem, dropna=False)] if problem else [rows]
    for part in parts:
        opening = f"{configuration(part.iloc[0], problem)}: " if problem else ""
        other_names = [name for name in names if name not in problem]
        lines += [opening + line for line in _seeds(part, other_names, level)]
    return lines


def _seeds(rows: pd.DataFrame, names: list[str], level: float) -> list[str]:
    complete, omissions = rows[rows["left_out"].isna()], rows["left_out"].value_counts()
    rivals = complete[~complete["reference"]]
    lines = []
    if rivals.empty:
        lines.append("No two configurations completed at every seed, so none can be compared.")
    else:
        reference = complete[complete["reference"]].iloc[0]
        tally: dict[str, int] = {
            v: int(rivals["verdict"].eq(v).sum()) for v in (BETTER, WORSE, OPEN)
        }
        tally["not judged"] = int(rivals["not_judged"].notna().sum())
        verdicts = ", ".join(f"{n:,} {verdict}" for verdict, n in tally.items() if n)
        lines.append(
            f"Against {configuration(reference, names)}, on the same seeds: {verdicts} (at "
            f"{percent(level)}, corrected for {plural(int(rivals['comparisons'].max()), 'pair')})."
        )
        lines += _more(rivals, level)
    if len(omissions):
        kinds = ", ".join(f"{n:,} {_LEFT_OUT[str(why)]}" for why, n in omissions.items())
        lines.append(f"Left out of the comparison: {kinds}.")
    return lines


def _more(rivals: pd.DataFrame, level: float) -> list[str]:
    at_hand = int(rivals["seeds"].max())
    if at_hand < MIN_SEEDS:
        return [f"{plural(at_hand, 'seed')} cannot show a difference; {MIN_SEEDS} are the fewest."]
    more = rivals.loc[rivals["verdict"].eq(OPEN), "more_seeds"].dropna()
    if more.empty:
        return []
    nearest = seeds_needed(int(more.min()))
    return [f"Of those not shown to differ, the nearest needs about {nearest} more."]
