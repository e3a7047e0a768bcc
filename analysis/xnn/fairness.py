"""Fairness of an X-NN by group of insured, compared with the plain network: rates and spread.

The study chooses the column of the groups. Age and sex can be lawful rating factors, so a
difference is a finding to explain, not a verdict.
"""

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.configurations import typed
from analysis.wording import amount, percent, plural
from analysis.xnn.cells import members

FOUR_FIFTHS = 0.8
"""Rule of thumb: lowest acceptable ratio of the selection rates of two groups."""

CHOSEN, PLAIN = "X-NN", "plain network"
SPREADS = (
    "selection_rate_ratio",
    "selection_rate_difference",
    "true_positive_rate_difference",
    "false_positive_rate_difference",
    "kappa_difference",
)
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy", "kappa")
ENDS = ("", "_low", "_high")

_JUDGEMENTS = {
    (True, True): "below the four-fifths rule",
    (True, False): "below the four-fifths rule, which its interval reaches",
    (False, True): "not below the four-fifths rule",
    (False, False): "not below the four-fifths rule, though part of its interval is",
}
_GROUPED = re.compile(r"(?P<rate>\w+?)@(?P<column>\w+):(?P<level>.+)")


@checked
def by_group(
    trials: pd.DataFrame, cell: pd.Series | None, plain: pd.Series | None
) -> pd.DataFrame:
    """One row per network and group: means over seeds of rates and of the ends of intervals.

    Intervals are bootstrapped over the test rows. The row of ``group`` "all" has the ratio and the
    differences between groups, and ``below_four_fifths`` if the ratio of selection rates is below
    0.8.

    Args:
        cell: row of :func:`analysis.xnn.cells.cells` to describe, if any.
        plain: row of the plain network paired with it, if the sweep has trials of it.
    """
    rows: list[dict[str, Any]] = []
    for network, network_cell in ((CHOSEN, cell), (PLAIN, plain)):
        if network_cell is not None:
            rows += _rows(network, members(trials, network_cell))
    spread = [f"{name}{end}" for name in SPREADS for end in ENDS]
    rates = [f"{name}{end}" for name in RATES for end in ENDS]
    texts = dict.fromkeys(("network", "column", "group"), "string")
    return typed(
        rows,
        {
            **texts,
            "seeds": "Int64",
            **dict.fromkeys((*rates, *spread), "float64"),
            "below_four_fifths": "boolean",
        },
    )


def sentences(rows: pd.DataFrame) -> list[str]:
    """Sentences on :func:`by_group` for the X-NN, compared with the plain network."""
    spread, plain = (_between(rows, network) for network in (CHOSEN, PLAIN))
    if spread is None:
        return []
    lines = []
    if pd.notna(spread["selection_rate_ratio"]):
        comparison = ""
        if plain is not None and pd.notna(plain["selection_rate_ratio"]):
            comparison = f"; the plain network's is {_with_ends(plain, 'selection_rate_ratio')}"
        lines.append(f"{_ratio(rows, spread)}{comparison}.")
    for rate in ("true_positive_rate", "false_positive_rate", "kappa"):
        if pd.notna(spread[f"{rate}_difference"]):
            words = rate.replace("_", " ").capitalize()
            between = _with_ends(spread, f"{rate}_difference")
            lines.append(f"{words} differs by {between} between the groups of {spread['column']}.")
    if lines:
        lines.append(
            "Differences cannot be negative, so compare them with the width of their interval; "
            "age and sex can be lawful rating factors: this is a report and claims no violation."
        )
    return lines


def four_fifths(spread: pd.Series) -> tuple[bool, bool]:
    """If the ratio of selection rates is below 0.8, and if its whole interval is on that side."""
    ratio, low, high = (spread[f"selection_rate_ratio{end}"] for end in ENDS)
    below = bool(ratio < FOUR_FIFTHS)
    return below, not (high >= FOUR_FIFTHS if below else low < FOUR_FIFTHS)


def uncompared(trials: pd.DataFrame, column: object) -> list[str]:
    """Sentence if, at any seed, no two groups of ``column`` are large enough to compare.

    Args:
        trials: the trials of a cell, from :func:`analysis.xnn.cells.members`.
        column: the study's ``evaluation.group``; None if groups are not compared.
    """
    if column is None or "groups" not in trials:
        return []
    few, total = int(trials["groups"].lt(2).sum()), int(trials["groups"].notna().sum())
    if not few:
        return []
    where = "" if few == total else f" at {few} of {plural(total, 'seed')}"
    return [f"No two groups of {column} have 30 rows each{where}, so none are compared."]


def _between(rows: pd.DataFrame, network: str) -> pd.Series | None:
    matches = rows[rows["network"].eq(network) & rows["group"].eq("all")]
    return matches.iloc[0] if len(matches) else None


def _ratio(rows: pd.DataFrame, spread: pd.Series) -> str:
    group_rows = rows[rows["network"].eq(CHOSEN) & rows["group"].ne("all")]
    ascending = group_rows.dropna(subset="selection_rate").sort_values(
        "selection_rate", kind="stable"
    )
    lowest, highest = (
        f"{row['group']} ({percent(round(row['selection_rate'], 3))})"
        for row in (ascending.iloc[0], ascending.iloc[-1])
    )
    return (
        f"By {spread['column']}, class 8 is predicted least often of {lowest} and most often of "
        f"{highest}: a ratio of {_with_ends(spread, 'selection_rate_ratio')}, "
        f"{_JUDGEMENTS[four_fifths(spread)]}"
    )


def _with_ends(row: pd.Series, name: str) -> str:
    mean, low, high = (amount(float(row[f"{name}{end}"])) for end in ("", "_low", "_high"))
    return f"{mean} [{low}, {high}]"


def _rows(network: str, trials: pd.DataFrame) -> Iterator[dict[str, Any]]:
    groups: dict[tuple[str, str], dict[str, float]] = {}
    for name in map(str, trials.columns):
        match = _GROUPED.fullmatch(name)
        rate = match["rate"] if match else ""
        if match and rate.removesuffix("_low").removesuffix("_high") in RATES:
            value = trials[name].astype("float64").mean()
            groups.setdefault((match["column"], match["level"]), {})[rate] = value
    finite = {key: of for key, of in groups.items() if any(pd.notna(v) for v in of.values())}
    for (column, level), of in finite.items():
        yield {"network": network, "column": column, "group": level, "seeds": len(trials), **of}
    columns = list(dict.fromkeys(column for column, _ in finite))
    spread = {
        f"{name}{end}": trials[f"{name}{end}"].astype("float64").mean()
        for name in SPREADS
        for end in ENDS
        if f"{name}{end}" in trials
    }
    if len(columns) == 1 and spread:
        ratio = spread.get("selection_rate_ratio")
        below = None if ratio is None or pd.isna(ratio) else ratio < FOUR_FIFTHS
        row = {"network": network, "column": columns[0], "group": "all", "seeds": len(trials)}
        yield row | spread | {"below_four_fifths": below}
