"""Leads of lottery tickets over their rivals on the shortest budget, and budgets that are enough.

The leads of a page are one family, corrected by Holm. A budget is enough if this budget and every
longer one are shown to lose at most the margin: tests in a fixed order, from the longest budget
down to the first that fails, so each curve is one claim at the level over the number of curves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.configurations import LOTTERY
from analysis.contrast import OPEN, Verdict, bounded, bracketed, corrected, verdict
from analysis.tickets.boosting import BUDGET, MASK_RATE, RATE, Field, in_name, races
from analysis.tickets.controls import RETRAINED
from analysis.wording import value


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Lead of the lottery ticket over a ``rival`` after as many epochs, in currency.

    ``verdict`` is on the ticket, after correction for all leads of the page. ``not_judged`` names
    the hedge without training that the dense network is worse than, if the rival is dense.
    """

    rival: str
    mean: float
    low: float
    high: float
    verdict: Verdict
    not_judged: str

    def __str__(self) -> str:
        row = {"x": self.mean, "x_low": self.low, "x_high": self.high}
        return f"{self.rival} ({bracketed(row, 'x', signed=True)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Competing curves with the values of their rates, and the leads of the lottery ticket."""

    values: Mapping[str, Any]
    field: Field
    leads: tuple[Lead, ...]

    @property
    def boosts(self) -> bool:
        """True if the mask was found at a smaller rate than the ticket is trained at."""
        return _boosts(self.values)


def judged_races(curves: pd.DataFrame, *, level: float = 0.05) -> list[Race]:
    """Races of :func:`analysis.budget_curves` with leads whose verdicts hold for the page."""
    contests = list(races(curves))
    rows = [
        {"race": i, **lead}
        for i, (values, field) in enumerate(contests)
        for lead in _leads(values, field)
    ]
    leads: dict[int, list[Lead]] = {}
    for row in corrected(rows):
        judgement = OPEN if row["not_judged"] else verdict(row, level=level)
        leads.setdefault(row["race"], []).append(
            Lead(
                rival=row["rival"],
                mean=row["difference"],
                low=row["low"],
                high=row["high"],
                verdict=judgement,
                not_judged=row["not_judged"],
            )
        )
    return [
        Race(values=values, field=field, leads=tuple(leads.get(i, ())))
        for i, (values, field) in enumerate(contests)
    ]


def enough(curve: pd.DataFrame, level: float) -> pd.Series | None:
    """Row of the shortest budget that, like every longer one, is shown to be enough, or None.

    It must be shown to be within the margin of the network of the mask and, if there is one, of
    the dense network retrained at the rates of the ticket, and have a result at every seed.

    Args:
        curve: of one kind, from :func:`analysis.tickets.boosting.races`.
        level: of the claim on this curve.
    """
    passes = curve["whole"].astype(bool) & curve["less_dense_p_inferior"].le(level)
    passes &= curve["less_retrained_p_inferior"].le(level) | curve["less_retrained"].isna()
    successes = curve[passes[::-1].cummin()[::-1]]
    return None if successes.empty else successes.iloc[0]


def _leads(values: Mapping[str, Any], field: Field) -> Iterator[dict[str, Any]]:
    """Differences on the shortest budget of the lottery ticket, with their tests."""
    if LOTTERY not in field:
        return
    first = field[LOTTERY].iloc[0]
    for kind, curve in field.items():
        then = curve[curve[BUDGET].eq(first[BUDGET])]
        if kind in (LOTTERY, RETRAINED) or then.empty:
            continue
        row = then.iloc[0]
        if pd.notna(row["less_lottery"]):
            mean, high, low = (-row[column] for column in bounded("less_lottery"))
            ends = {"difference": mean, "low": low, "high": high}
            yield {"rival": in_name(kind), **ends, **_tests(row, "lottery"), "not_judged": ""}
    rivals = {"retrained_as_long": in_name(RETRAINED)}
    if _boosts(values):
        rivals["same_rate"] = f"the mask found at {value(values[RATE])}"
    hedge = first["not_judged"]
    for column, rival in rivals.items():
        mean, low, high = (first[c] for c in bounded(f"less_{column}"))
        if pd.notna(mean):
            ends = {"difference": mean, "low": low, "high": high}
            dense = column == "retrained_as_long" and pd.notna(hedge)
            yield {
                "rival": rival,
                **ends,
                **_tests(first, column),
                "not_judged": str(hedge) if dense else "",
            }


def _boosts(values: Mapping[str, Any]) -> bool:
    return MASK_RATE in values and RATE in values and bool(values[MASK_RATE] < values[RATE])


def _tests(row: pd.Series, rival: str) -> dict[str, float]:
    return {name: row[f"less_{rival}_{name}"] for name in ("p", "p_equivalent")}
