"""Fairness of an X-NN by group of insured, compared with the plain network: rates and spread.

The study chooses the column of the groups. Age and sex can be lawful rating factors, so a
difference is a finding to explain, not a verdict.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import (
    BETTER,
    EQUIVALENT,
    OPEN,
    WORSE,
    bounded,
    bracketed,
    contrast,
    corrected,
    estimate,
    verdict,
)
from analysis.frames import Frame, frame_of
from analysis.intervals import MIN_SEEDS
from analysis.wording import amount, percent, plural
from analysis.xnn.cells import members

FOUR_FIFTHS = 0.8
"""Rule of thumb: lowest acceptable ratio of the selection rates of two groups."""
MARGIN = 0.05
"""Difference of a rate between groups that counts as none."""

CHOSEN, PLAIN = "X-NN", "plain network"
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy", "kappa")
ENDS = ("", "_low", "_high")
RATIO, RULE = "selection_rate_ratio", "four_fifths"
BELOW, NOT_BELOW = "below", "not below"

_COMPARED = tuple(rate for rate in RATES if rate != "accuracy")
RULES = {
    BELOW: "below the four-fifths rule",
    NOT_BELOW: "not below the four-fifths rule",
    OPEN: "not shown to be on either side of the four-fifths rule",
}
_WIDTH = 2.0 * 1.959964  # of a 95 % normal interval, in standard errors
_GROUPED = re.compile(r"(?P<rate>\w+?)@(?P<column>\w+):(?P<level>.+)")


@checked
def by_group(trials: Frame, cell: pd.Series | None, plain: pd.Series | None) -> pd.DataFrame:
    """One row per network and group: means over seeds of rates, with their intervals.

    Intervals are Student's over seeds, with the error over test rows that the bootstrap of each
    seed gives; below 3 seeds the means of the bootstrap's ends, which regard test rows alone.

    The row of ``group`` "all" has the ratio of the smallest mean selection rate to the largest,
    the verdict ``four_fifths`` ("below", "not below", "not shown"), and of every rate the largest
    difference between the means of two groups: its interval covers all pairs of groups at once,
    its ``_verdict`` is on any pair. Verdicts hold after Holm over both networks.

    Args:
        cell: row of :func:`analysis.xnn.cells.cells` to describe, if any.
        plain: row of the plain network paired with it, if the sweep has trials of it.
    """
    trials = frame_of(trials)
    rows: list[dict[str, Any]] = []
    for network, network_cell in ((CHOSEN, cell), (PLAIN, plain)):
        if network_cell is not None:
            seen = members(trials, network_cell)
            rows += _rows(network, seen, whole=not bool(network_cell.get("provisional", False)))
    rows = _judged(rows)
    rates = [f"{name}{end}" for name in RATES for end in ENDS]
    spread = [column for rate in _COMPARED for column in bounded(f"{rate}_difference")]
    texts = ("network", "column", "group", RULE, *(f"{rate}_verdict" for rate in _COMPARED))
    return typed(
        rows,
        {
            **dict.fromkeys(texts[:3], "string"),
            "seeds": "Int64",
            **dict.fromkeys((*rates, RATIO, *spread), "float64"),
            **dict.fromkeys(texts[3:], "string"),
        },
    )


def sentences(rows: pd.DataFrame) -> list[str]:
    """Sentences on :func:`by_group` for the X-NN, compared with the plain network."""
    spread, plain = (_between(rows, network) for network in (CHOSEN, PLAIN))
    if spread is None:
        return []
    lines = []
    if pd.notna(spread[RATIO]):
        comparison = ""
        if plain is not None and pd.notna(plain[RATIO]):
            comparison = f"; the plain network's is {amount(plain[RATIO])}, {RULES[plain[RULE]]}"
        lines.append(f"{_ratio(rows, spread)}{comparison}.")
    for rate in _COMPARED[1:]:
        if pd.notna(spread[f"{rate}_difference"]):
            claim = {BETTER: "differs", EQUIVALENT: f"is the same within {MARGIN:g}"}.get(
                spread[f"{rate}_verdict"], "is not shown to differ"
            )
            lines.append(
                f"{rate.replace('_', ' ').capitalize()} {claim} between the groups of "
                f"{spread['column']}; the largest difference of two means is "
                f"{bracketed(spread, f'{rate}_difference')}."
            )
    if lines:
        lines.append(
            "Verdicts: 5 % over all pairs of groups, rates and both networks; "
            "age and sex can be lawful rating factors: this is a report and claims no violation."
        )
    return lines


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
        f"{highest}, on average: a ratio of {amount(spread[RATIO])}, {RULES[spread[RULE]]}"
    )


def _rows(network: str, trials: pd.DataFrame, *, whole: bool) -> Iterator[dict[str, Any]]:
    """Rows of a network's groups, and the one between them with its raw tests.

    ``whole``: it has a result at every seed; without, there are no intervals and tests.
    """
    groups: dict[tuple[str, str], dict[str, pd.Series]] = {}
    for name in map(str, trials.columns):
        match = _GROUPED.fullmatch(name)
        rate = match["rate"] if match else ""
        if match and rate.removesuffix("_low").removesuffix("_high") in RATES:
            values = trials[name].astype("float64").set_axis(range(len(trials)))
            groups.setdefault((match["column"], match["level"]), {})[rate] = values
    finite = {key: of for key, of in groups.items() if any(v.notna().any() for v in of.values())}
    base = {"network": network, "seeds": len(trials)}
    for (column, level), of in finite.items():
        rates = [rate for rate in RATES if rate in of]
        ends = {name: v for rate in rates for name, v in _bounded(of, rate, whole=whole).items()}
        yield base | {"column": column, "group": level} | ends
    columns = list(dict.fromkeys(column for column, _ in finite))
    if len(columns) == 1 and len(finite) > 1:
        yield (
            base
            | {"column": columns[0], "group": "all"}
            | _spread(list(finite.values()), whole=whole)
        )


def _bounded(of: Mapping[str, pd.Series], rate: str, *, whole: bool) -> dict[str, float]:
    """Mean of a rate and the ends of its interval."""
    ends = [of.get(f"{rate}{end}", of[rate] * float("nan")).mean() for end in ENDS[1:]]
    if whole and len(of[rate]) < MIN_SEEDS:
        return dict(zip(bounded(rate), (of[rate].mean(), *ends), strict=True))
    values = of[rate] if whole else of[rate] * float("nan")
    row = estimate(values, bounded(rate), shared_error=_error(of, rate))
    return row | {rate: of[rate].mean()}


def _error(of: Mapping[str, pd.Series], rate: str) -> float:
    """Standard error of a rate over test rows, by the width of its bootstrap intervals."""
    ends = [of.get(f"{rate}{end}") for end in ENDS[1:]]
    if ends[0] is None or ends[1] is None:
        return 0.0
    width = float((ends[1] - ends[0]).mean())
    return width / _WIDTH if width > 0.0 else 0.0


def _spread(groups: list[Mapping[str, pd.Series]], *, whole: bool) -> dict[str, Any]:
    """Ratio and differences between groups, with the raw p of "tests"."""
    row: dict[str, Any] = {"tests": {}}
    for rate in _COMPARED:
        some = [of for of in groups if rate in of and of[rate].notna().any()]
        if len(some) < 2:
            continue
        pairs = list(combinations(some, 2))
        confidence = 1.0 - 0.05 / len(pairs)
        paired = [_less(a, b, rate, whole=whole, confidence=confidence) for a, b in pairs]
        means = [one.differences.mean() for one in paired]
        most = max(range(len(pairs)), key=lambda i: abs(means[i]))
        ends = paired[most].ends
        low, high = sorted((ends.low, ends.high)) if means[most] >= 0 else (-ends.high, -ends.low)
        values = (abs(means[most]), low, high)
        row |= dict(zip(bounded(f"{rate}_difference"), values, strict=True))
        p, p_equivalent = [one.p for one in paired], [one.p_equivalent for one in paired]
        row["tests"][rate] = {
            "p": min(1.0, len(pairs) * float(np.min(p))),
            "p_equivalent": float(np.max(p_equivalent)),
            "difference": 1.0,
        }
    rate = _COMPARED[0]
    if f"{rate}_difference" in row:
        some = [of for of in groups if rate in of and of[rate].notna().any()]
        means = [of[rate].mean() for of in some]
        row[RATIO] = min(means) / max(means) if max(means) > 0.0 else float("nan")
        row["tests"][RULE] = _rule(some, whole=whole)
    return row


def _rule(groups: list[Mapping[str, pd.Series]], *, whole: bool) -> dict[str, float]:
    """Two-sided p of a ratio of 0.8: one pair below it, or all above; its side as "difference"."""
    paired = [
        _less(a, b, "selection_rate", whole=whole, share=FOUR_FIFTHS)
        for a, b in permutations(groups, 2)
    ]
    below = [one.p / 2 if one.differences.mean() < 0.0 else 1.0 for one in paired]
    above = [one.p / 2 if one.differences.mean() > 0.0 else 1.0 for one in paired]
    sides = min(1.0, len(paired) * float(np.min(below))), float(np.max(above))
    return {
        "p": min(1.0, 2.0 * float(np.min(sides))),
        "difference": -1.0 if sides[0] < sides[1] else 1.0,
    }


def _less(
    of: Mapping[str, pd.Series],
    rival: Mapping[str, pd.Series],
    rate: str,
    *,
    whole: bool,
    share: float = 1.0,
    confidence: float = 0.95,
) -> Any:
    """Contrast of the rate of one group with a ``share`` of another's; their rows are disjoint."""
    values = of[rate] if whole else pd.concat([of[rate], pd.Series({-1: float("nan")})])
    theirs = rival[rate].reindex(values.index)
    return contrast(
        values,
        share * theirs,
        confidence=confidence,
        margin=MARGIN,
        symmetric=False,
        shared_error=(_error(of, rate) ** 2 + (share * _error(rival, rate)) ** 2) ** 0.5,
    )


def _judged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``rows`` with verdicts in place of raw tests; all of them are one family."""
    tests = [(row, name, test) for row in rows for name, test in row.pop("tests", {}).items()]
    for (row, name, _), test in zip(tests, corrected(t for _, _, t in tests), strict=True):
        named = verdict(test)
        if name == RULE:
            row[RULE] = {BETTER: NOT_BELOW, WORSE: BELOW}.get(named, OPEN)
        else:
            row[f"{name}_verdict"] = named
    return rows
