"""Findings on controls: the parts of a ticket's result due to its mask and its weights."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from analysis.configurations import LOTTERY, problem_parts
from analysis.contrast import BETTER, EQUIVALENT, OPEN, WORSE, Verdict, bracketed, no_interval
from analysis.metric_names import cvar_name
from analysis.tickets.controls import RETRAINED
from analysis.tickets.opponents import not_judged
from analysis.tickets.robustness_findings import tested
from analysis.wording import amount, percent, place, plural

_MASKS = {"shuffled_mask", "random_mask"}

_LESSONS = {
    "any mask": "any mask of this sparsity does as well",
    "better any mask": "any mask of this sparsity does better",
    "layer sizes": "what counts is how many weights each layer keeps, not which",
    "mask, not weights": "the mask matters, its initial weights do not",
    "no weights": "the ticket's initial weights do not matter",
    "worse weights": "other initial weights do better",
    "small network": "a small dense network does as well",
    "better small network": "a small dense network does better",
    "ticket": "no control that was run does as well",
}
_VERDICTS: dict[Verdict, str] = {
    BETTER: "beat",
    EQUIVALENT: "are equivalent, within {}, to",
    WORSE: "fall behind",
    OPEN: "are not shown to differ from",
}


def controls(rows: pd.DataFrame, *, tolerance: float = 0.05) -> list[str]:
    """Sentences on the rows of :func:`analysis.controls`; empty if no control was run.

    They state which controls the ticket beats, falls behind or equals, and what that means.

    Args:
        tolerance: that of the rows.
    """
    lines: list[str] = []
    for _, part in problem_parts(rows):
        for _, cell_rows in part.groupby(["epsilon", "sparsity"], dropna=False, sort=True):
            lines += _ticket(cell_rows, tolerance)
    paired = rows[rows["difference"].notna()]
    if len(paired):
        lines += tested(paired.assign(seeds=paired["pairs"]))
    return lines


def _ticket(cell_rows: pd.DataFrame, tolerance: float) -> Iterator[str]:
    """Sentences on one sparsity and epsilon, whose rows of clean CVaR come first."""
    at = f"At {place(cell_rows.iloc[0])}"
    metric = str(cell_rows["metric"].iloc[0])
    clean = cell_rows[cell_rows["metric"].eq(metric)]
    rivals = clean[clean["difference"].notna()]
    if rivals.empty:
        names = _listed([_name(kind) for kind in clean["kind"] if kind != LOTTERY])
        yield f"{at}, no lottery ticket has completed at a seed of {names}."
        return
    fewest, most = int(rivals["pairs"].min()), int(rivals["pairs"].max())
    over = f"over {plural(most, 'seed')}" if fewest == most else f"over {fewest} to {most} seeds"
    if rivals["difference_low"].isna().all():
        lacking = int(rivals["lacking"].max())
        why = f"{plural(lacking, 'seed')} without a result" if lacking else no_interval(most)
        yield (
            f"{at}, {cvar_name(metric)} of lottery tickets {over}, less that of "
            f"{_listed([_with_amount(row) for _, row in rivals.iterrows()])}; no verdict: {why}."
        )
        return
    phrases = _verdicts(rivals, _with_interval, tolerance)
    yield f"{at}, by {cvar_name(metric)} {over}, lottery tickets {phrases}."
    if taught := "; ".join(_LESSONS[lesson] for lesson in lessons(rivals)):
        yield f"Shown by these verdicts: {taught}."
    attacked = cell_rows[cell_rows["metric"].ne(metric) & cell_rows["difference"].notna()]
    if attacked["difference_low"].notna().any():
        attack = str(attacked["metric"].iloc[0]).partition("@")[2]
        yield f"Under {attack} they {_verdicts(attacked, _with_amount, tolerance)}."


def _verdicts(rows: pd.DataFrame, control: Callable[[pd.Series], str], tolerance: float) -> str:
    """Sentence on the verdicts of ``rows``; ``control`` formats each."""
    judged = rows["difference_low"].notna() & rows["not_judged"].isna()
    phrases = []
    for verdict, text in _VERDICTS.items():
        group = rows[judged & rows["verdict"].eq(verdict)]
        if len(group):
            names = _listed([control(row) for _, row in group.iterrows()])
            margin = amount(float(group["margin"].max()))
            phrases.append(f"{text.format(f'{percent(tolerance)} of CVaR ({margin})')} {names}")
    if len(few := rows[rows["difference_low"].isna() & rows["not_judged"].isna()]):
        names = _listed([_name(kind) for kind in few["kind"]])
        phrases.append(
            f"have no verdict against {names}, for lack of a result at every seed or of a spread"
        )
    for hedge, group in rows[rows["not_judged"].notna()].groupby("not_judged"):
        names = _listed([control(row) for _, row in group.iterrows()])
        phrases.append(f"against {names} are {not_judged(str(hedge))}")
    return "; ".join(phrases)


def lessons(rows: pd.DataFrame) -> list[str]:
    """Keys of ``_LESSONS``: interpretations of the verdicts "better", "worse" and "equivalent".

    A difference that is not shown teaches nothing.

    Args:
        rows: of clean CVaR at one sparsity and epsilon, from :func:`analysis.controls`.
    """
    beaten, level, ahead = (
        set(rows.loc[rows["verdict"].eq(verdict), "kind"])
        for verdict in (BETTER, EQUIVALENT, WORSE)
    )
    taught: list[str] = []
    if "random_mask" in ahead:
        taught.append("better any mask")
    elif "random_mask" in level:
        taught.append("any mask")
    elif "shuffled_mask" in level and "random_mask" in beaten:
        taught.append("layer sizes")
    if "random_reinit" in ahead:
        taught.append("worse weights")
    elif "random_reinit" in level:
        masks = set(rows["kind"]) & _MASKS
        taught.append("mask, not weights" if masks and masks <= beaten else "no weights")
    if "small_dense" in ahead | level:
        taught.append("better small network" if "small_dense" in ahead else "small network")
    if (run := set(rows["kind"]) - {RETRAINED}) and run <= beaten:
        taught.append("ticket")
    return taught


def _with_interval(row: pd.Series) -> str:
    return f"{_name(row['kind'])} ({bracketed(row, 'difference', signed=True)})"


def _with_amount(row: pd.Series) -> str:
    return f"{_name(row['kind'])} ({amount(row['difference'], signed=True)})"


def _name(kind: str) -> str:
    return "the dense network retrained" if kind == RETRAINED else kind


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
