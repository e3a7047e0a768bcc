"""Findings on controls: the parts of a ticket's result due to its mask and its weights."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from analysis.attacks import label
from analysis.configurations import LOTTERY, problem_parts
from analysis.contrast import NO_INTERVAL, bracketed, side_of
from analysis.tickets.controls import RETRAINED
from analysis.tickets.robustness_findings import tested
from analysis.wording import amount, place, plural

_MASKS = {"shuffled_mask", "random_mask"}

_LESSONS = {
    "any mask": "any mask of this sparsity does as well",
    "better any mask": "any mask of this sparsity does better",
    "layer sizes": "what counts is how many weights each layer keeps, not which",
    "mask, not weights": "the mask matters, its initial weights do not",
    "no weights": "the ticket's initial weights do not matter",
    "small network": "a small dense network does as well",
    "better small network": "a small dense network does better",
    "ticket": "no control that was run does as well",
}


def controls(rows: pd.DataFrame) -> list[str]:
    """Sentences on the rows of :func:`analysis.controls`; empty if no control was run.

    They state which controls the ticket beats, which it does not, and what that means.
    """
    lines: list[str] = []
    for _, part in problem_parts(rows):
        for _, cell_rows in part.groupby(["epsilon", "sparsity"], dropna=False, sort=True):
            lines += _ticket(cell_rows)
        paired = part[part["difference"].notna()]
        if len(paired):
            lines += tested(paired.assign(seeds=paired["pairs"]))
    return lines


def _ticket(cell_rows: pd.DataFrame) -> Iterator[str]:
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
        yield (
            f"{at}, {label(metric)} of lottery tickets {over}, less that of "
            f"{_listed([_with_amount(row) for _, row in rivals.iterrows()])}; {NO_INTERVAL}."
        )
        return
    yield f"{at}, by {label(metric)} {over}, lottery tickets {_verdicts(rivals, _with_interval)}."
    if taught := "; ".join(_LESSONS[lesson] for lesson in lessons(rivals)):
        yield f"As far as these seeds show, {taught}."
    attacked = cell_rows[cell_rows["metric"].ne(metric) & cell_rows["difference"].notna()]
    if attacked["difference_low"].notna().any():
        attack = str(attacked["metric"].iloc[0]).partition("@")[2]
        yield f"Under {attack} they {_verdicts(attacked, _with_amount)}."


def _sides(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Controls among ``rows`` by the side of 0 of the interval of their difference."""
    sides = [side_of(row) for _, row in rows.iterrows()]
    verdicts = {"beat": 1, "cannot be told apart from": 0, "fall behind": -1}
    return {text: rows[[s == sign for s in sides]] for text, sign in verdicts.items()}


def _verdicts(rows: pd.DataFrame, control: Callable[[pd.Series], str]) -> str:
    """Sentence on the verdicts of ``rows``; ``control`` formats each."""
    phrases = [
        f"{verdict} {_listed([control(row) for _, row in side.iterrows()])}"
        for verdict, side in _sides(rows).items()
        if len(side)
    ]
    if len(few := rows.loc[rows["difference_low"].isna(), "kind"]):
        phrases.append(f"share too few seeds with {_listed(list(map(_name, few)))}")
    return "; ".join(phrases)


def lessons(rows: pd.DataFrame) -> list[str]:
    """Keys of ``_LESSONS``: interpretations of the controls that are as good as the ticket.

    Args:
        rows: of clean CVaR at one sparsity and epsilon, from :func:`analysis.controls`.
    """
    beaten, level, ahead = (set(side["kind"]) for side in _sides(rows).values())
    rivals = level | ahead
    taught: list[str] = []
    if "random_mask" in rivals:
        taught.append("better any mask" if "random_mask" in ahead else "any mask")
    elif "shuffled_mask" in rivals:
        taught.append("layer sizes")
    if "random_reinit" in rivals:
        masks = beaten & _MASKS and not rivals & _MASKS
        taught.append("mask, not weights" if masks else "no weights")
    if "small_dense" in rivals:
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
