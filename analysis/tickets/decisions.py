"""Opening of a tickets report: decisions of the sweep, their opponents, and open questions."""

from collections.abc import Iterator

import pandas as pd

from analysis.configurations import counts
from analysis.contrast import BETTER, EQUIVALENT, OPEN, WORSE
from analysis.sweep import Sweep
from analysis.tickets import opponents
from analysis.tickets.boosting_findings import claim
from analysis.tickets.boosting_leads import judged_races
from analysis.tickets.network_comparison import Tickets
from analysis.wording import percent, place, plural

_MOST_PROBLEMS = 2
_MOST_LADDERS = 4
_ORDER = (BETTER, WORSE, EQUIVALENT, OPEN)


def state(sweep: Sweep) -> list[str]:
    """Sentence on a sweep that can decide nothing, because no trial has completed."""
    tally = counts(sweep.trials)
    if not tally["completed"]:
        whole = next((s for s in ("stopped", "failed") if tally[s] == tally["trials"]), "")
        reasons = {
            "stopped": "every trial was stopped early and is censored",
            "failed": "every trial failed",
            "": "no trial has completed",
        }
        return [f"Nothing is decided: {reasons[whole]}."]
    return []


def standings(rows: pd.DataFrame) -> list[str]:
    """Sentences of :func:`analysis.tickets.opponents.sentences`, at most two, and their number."""
    lines = opponents.sentences(rows)
    if not lines:
        return [
            "Whether the dense network beats a hedge without training is not known: the manifest "
            "has no baselines, or no dense network has a result."
        ]
    more = len(lines) - _MOST_PROBLEMS
    rest = [f"{plural(more, 'more problem')}: see dense_against_hedges.csv."] if more > 0 else []
    return [*lines[:_MOST_PROBLEMS], *rest]


def decisions(
    *,
    answer: pd.DataFrame,
    seeds: pd.DataFrame | None,
    controls: pd.DataFrame,
    robust: pd.DataFrame,
    budgets: pd.DataFrame,
    networks: list[Tickets],
) -> list[str]:
    """A line per question that the sweep asked: what is decided, and against whom.

    Args:
        answer: from :func:`analysis.max_efficient_sparsity`.
        seeds: from :func:`analysis.compare`, None for a single seed.
        controls: from :func:`analysis.controls`.
        robust: from :func:`analysis.robust_against_standard`.
        budgets: from :func:`analysis.budget_curves`.
        networks: from :func:`analysis.tickets.network_comparison.tickets`.
    """
    lines = []
    if len(answer):
        ladders = [_ladder(row) for _, row in answer.head(_MOST_LADDERS).iterrows()]
        if (more := len(answer) - _MOST_LADDERS) > 0:
            ladders.append(f"{more} more below")
        lines.append(f"Max efficient sparsity, against the dense network: {'; '.join(ladders)}.")
    if len(controls) and controls["difference"].notna().any():
        lines.append(f"Tickets against their controls: {_tally(controls)}.")
    if len(robust):
        lines.append(f"Robust training, against standard tickets: {_tally(robust)}.")
    contests = judged_races(budgets) if len(budgets) else []
    if verdict := claim(contests) if contests else None:
        lines.append(f"Boosting tickets, against every rival: {verdict[0]}.")
    shifts = [one.shifts for one in networks if len(one.shifts)]
    if shifts:
        shifted = sum(int(table["shifted"].fillna(False).sum()) for table in shifts)
        number = sum(map(len, shifts))
        lines.append(
            f"Importance in robust tickets, against standard ones: {shifted} of "
            f"{plural(number, 'shift')} shown."
        )
    if seeds is not None and seeds["difference"].notna().any():
        lines.append(f"Configurations against the best by validation: {_tally(seeds)}.")
    return lines


def _ladder(row: pd.Series) -> str:
    where = "" if (group := place(row)) == "all trials" else f"{group}: "
    if row["limited_by"] == "not judged":
        return f"{where}not judged (worse than {row['not_judged']})"
    most = row["max_efficient_sparsity"]
    if pd.notna(most):
        return f"{where}{percent(most)}"
    return f"{where}none ({row['limited_by']} at {percent(row['limit'])})"


def _tally(rows: pd.DataFrame) -> str:
    return ", ".join(_counted(rows[rows["difference"].notna()]))


def _counted(rows: pd.DataFrame) -> Iterator[str]:
    verdicts = rows["verdict"].value_counts()
    yield from (f"{verdicts[v]} {v}" for v in _ORDER if v in verdicts)
    if missing := int(rows["verdict"].isna().sum()):
        yield f"{missing} not judged"
