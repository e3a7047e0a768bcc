"""Findings on significant differences between configurations over seeds."""

import pandas as pd

from analysis.configurations import problem_axes
from analysis.contrast import BETTER, NO_INTERVAL, OPEN, WORSE, side_of
from analysis.statistics import least_seeds
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


def configuration(row: pd.Series, names: list[str]) -> str:
    """Parameters ``names`` of a row without nulls: "sparsity 80 %, lr 0.001"."""
    parts = {n: percent(row[n]) if n == "sparsity" else value(row[n]) for n in names}
    return ", ".join(f"{n} {text}" for n, text in parts.items() if pd.notna(row[n]))


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
        tally = {v: int(rivals["verdict"].eq(v).sum()) for v in (BETTER, WORSE, OPEN)}
        verdicts = ", ".join(f"{n} {verdict}" for verdict, n in tally.items() if n)
        lines.append(
            f"Against {configuration(reference, names)}, on the same seeds: {verdicts} (at "
            f"{percent(level)}, corrected for {plural(len(rivals), 'comparison')})."
        )
        lines += _more(rivals, level)
    if len(omissions):
        kinds = ", ".join(f"{n} {_LEFT_OUT[str(why)]}" for why, n in omissions.items())
        lines.append(f"Left out of the comparison: {kinds}.")
    return lines


def _more(rivals: pd.DataFrame, level: float) -> list[str]:
    at_hand, least = int(rivals["seeds"].max()), least_seeds(len(rivals), level=level)
    if at_hand < least:
        sides = [side_of(row) for _, row in rivals.iterrows()]
        above, around, below = (sides.count(sign) for sign in (1, 0, -1))
        return [
            f"{plural(at_hand, 'seed')} cannot show any difference here, however large: the "
            f"signed-rank test corrected for {plural(len(rivals), 'comparison')} needs {least}.",
            f"By intervals alone, uncorrected: {above} above the reference, {below} below, "
            f"{around} around it."
            if any(sign is not None for sign in sides)
            else f"{NO_INTERVAL[0].upper()}{NO_INTERVAL[1:]}.",
        ]
    more = rivals.loc[rivals["verdict"].eq(OPEN), "more_seeds"].dropna()
    if more.empty:
        return []
    nearest = seeds_needed(int(more.min()))
    return [f"Of those not told apart, the easiest needs about {nearest} more."]
