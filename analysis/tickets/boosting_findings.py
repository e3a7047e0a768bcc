"""Findings on boosting tickets: epochs that are enough, and learning rates that need fewer."""

from typing import Literal

import pandas as pd

from analysis.contrast import BETTER, EQUIVALENT, OPEN, WORSE, Verdict, no_interval
from analysis.tickets.boosting import BUDGET, in_name, rates
from analysis.tickets.boosting_leads import Field, Race, enough, judged_races
from analysis.tickets.controls import RETRAINED
from analysis.tickets.opponents import not_judged
from analysis.wording import percent, plural

Claim = Literal["no interval", "no dense network", "not judged", "not shown", "behind", "boosting"]
_CLAIMS: dict[Claim, str] = {
    "no interval": "No claim on boosting: {}.",
    "no dense network": "No claim on boosting: no dense network was trained on these "
    "budgets; add 0 to space.sparsity.",
    "not judged": "Boosting is {}.",
    "not shown": "A boosting ticket is not shown: no mask found at a smaller rate than its ticket "
    "is trained at is shown to put it ahead of every rival on the shortest budget, nor are all "
    "shown to leave it behind one.",
    "behind": "No boosting ticket: with every mask found at a smaller rate than its ticket is "
    "trained at, the ticket is shown to be behind a rival on the shortest budget.",
    "boosting": "Boosting, ahead of every rival on the shortest budget: {}.",
}
_SIDES: dict[Verdict, str] = {
    BETTER: "ahead of",
    EQUIVALENT: "equivalent to",
    OPEN: "not shown to differ from",
    WORSE: "behind",
}


def sentences(curves: pd.DataFrame, *, tolerance: float, level: float = 0.05) -> list[str]:
    """Sentences on the rows of :func:`analysis.budget_curves`; empty without rows.

    Args:
        curves: from :func:`analysis.budget_curves`.
        tolerance: that of the curves.
        level: of all leads together, and of all budgets that are called enough together.
    """
    contests = judged_races(curves, level=level)
    if not contests:
        return []
    verdict = claim(contests)
    lines = [_CLAIMS[verdict[0]].format("; ".join(verdict[1]))] if verdict else []
    share = level / sum(len(race.field) for race in contests)
    for race in contests:
        opening = f"{rates(race.values)}: " if race.values else ""
        lines.append(f"{opening}{_budgets(race.field, share)}{_ahead(race)}.")
    return [*lines, _rule(curves, tolerance, level)]


def claim(contests: list[Race]) -> tuple[Claim, list[str]] | None:
    """Claim on tickets whose mask was found at a smaller rate than they are trained at.

    "boosting" with the rates at which the ticket is ahead of every rival on the shortest budget;
    "behind" if the ticket of every such mask is shown to be behind a rival; else "not shown", or
    the reason why nothing is claimed. None without such masks.

    Args:
        contests: from :func:`analysis.tickets.boosting_leads.judged_races`.
    """
    rising = [race for race in contests if race.boosts and race.leads]
    if not rising:
        return None
    if all(pd.isna(lead.low) for race in rising for lead in race.leads):
        curves = [curve for race in rising for curve in race.field.values()]
        return "no interval", [no_interval(max(int(curve["seeds"].max()) for curve in curves))]
    if not any(lead.rival == in_name(RETRAINED) for race in rising for lead in race.leads):
        return "no dense network", []
    ahead = [
        rates(race.values) for race in rising if all(one.verdict == BETTER for one in race.leads)
    ]
    if ahead:
        return "boosting", ahead
    if all(any(lead.verdict == WORSE for lead in race.leads) for race in rising):
        return "behind", []
    hedges = [lead.not_judged for race in rising for lead in race.leads if lead.not_judged]
    if hedges:
        return "not judged", [not_judged(hedges[0])]
    return "not shown", []


def _budgets(field: Field, level: float) -> str:
    hedges = [curve["not_judged"].iloc[0] for curve in field.values()]
    if pd.notna(hedges[0]):
        return f"epochs that are enough are {not_judged(str(hedges[0]))}"
    kinds: dict[str, list[str]] = {}
    for kind, curve in field.items():
        kinds.setdefault(_budget(enough(curve, level)), []).append(in_name(kind))
    return ", ".join(f"{budget} for {' and '.join(names)}" for budget, names in kinds.items())


def _budget(row: pd.Series | None) -> str:
    if row is None:
        return "no budget is shown to be enough"
    notes = [] if pd.isna(row["share"]) else [percent(round(row["share"], 3))]
    if row["total_epochs"] > row[BUDGET]:
        notes.append(f"{row['total_epochs']:.4g} with the mask's")
    number = plural(int(row[BUDGET]), "epoch") + (f" ({'; '.join(notes)})" if notes else "")
    return f"{number} are shown to be enough"


def _ahead(race: Race) -> str:
    if not race.leads:
        return ""
    after = plural(int(next(iter(race.field.values()))[BUDGET].iloc[0]), "epoch")
    groups = {
        text: [str(o) for o in race.leads if not o.not_judged and o.verdict == verdict]
        for verdict, text in _SIDES.items()
    }
    parts = [f"{text} {' and '.join(rivals)}" for text, rivals in groups.items() if rivals]
    parts += [f"not judged against {one}" for one in race.leads if one.not_judged]
    return f"; after {after} lottery is {', '.join(parts)}"


def _rule(curves: pd.DataFrame, tolerance: float, level: float) -> str:
    seeds, epochs = int(curves["seeds"].max()), curves["dense_epochs"].max()
    long = "" if pd.isna(epochs) else f" trained for {plural(int(epochs), 'epoch')}"
    retrained = curves["less_retrained"].notna().any()
    both = ", the one of the mask and the one retrained at the ticket's rate" if retrained else ""
    return (
        f"Enough, over {plural(seeds, 'seed')}: the shortest budget that, as every longer one, is "
        f"shown to lose at most {percent(tolerance)} of the CVaR of the dense network{long}{both}."
        f" Wrong with a probability of at most {percent(level)} for all curves together, and so "
        "are the leads (Holm)."
    )
