"""Findings on boosting tickets: epochs needed, and learning rates that need fewer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from analysis.attacks import CLEAN
from analysis.configurations import LOTTERY
from analysis.contrast import NO_INTERVAL, bounded, bracketed, side
from analysis.tickets.boosting import BUDGET, MASK_RATE, RATE, in_name, races, rates
from analysis.tickets.controls import RETRAINED
from analysis.wording import percent, plural, value

Field = Mapping[str, pd.DataFrame]
Claim = Literal["few seeds", "no dense network", "no boosting", "boosting"]
_CLAIMS: dict[Claim, str] = {
    "few seeds": f"No boosting ticket is claimed: {NO_INTERVAL}.",
    "no dense network": "No boosting ticket is claimed: no dense network was trained on these "
    "budgets; add 0 to space.sparsity.",
    "no boosting": "No boosting ticket: no mask found at a smaller rate than its ticket is "
    "trained at puts it ahead of every rival on the shortest budget.",
    "boosting": "Boosting, ahead of every rival on the shortest budget: {}.",
}
_SIDES = {1: "ahead of", 0: "not told apart from", -1: "behind", None: "not judged against"}


def sentences(curves: pd.DataFrame, *, tolerance: float) -> list[str]:
    """Sentences on the rows of :func:`analysis.budget_curves`; empty without rows.

    Args:
        curves: from :func:`analysis.budget_curves`.
    """
    contests = list(races(curves))
    if not contests:
        return []
    verdict = claim(curves)
    lines = [_CLAIMS[verdict[0]].format("; ".join(verdict[1]))] if verdict else []
    for values, field in contests:
        opening = f"{rates(values)}: " if values else ""
        lines.append(f"{opening}{_needs(field, tolerance)}{_ahead(values, field)}.")
    return [*lines, _rule(curves, tolerance)]


def enough(curve: pd.DataFrame, tolerance: float) -> pd.Series | None:
    """Row of the shortest budget that, like every longer one, is within ``tolerance`` of the
    whole dense training; None if there is not one.

    It must be within tolerance of the mask's network and, if there is one, of the dense network
    retrained at the rates of the ticket. The lower end of the paired interval decides, or the
    mean without an interval; a budget that lacks a seed is not enough.

    Args:
        curve: of one kind, from :func:`analysis.tickets.boosting.races`.
    """
    margin = -tolerance * curve[f"dense_{CLEAN}"].abs()
    dense, retrained = (
        curve[f"{less}_low"].fillna(curve[less]) for less in ("less_dense", "less_retrained")
    )
    passes = curve["whole"].astype(bool) & dense.ge(margin)
    passes &= retrained.ge(margin) | retrained.isna()
    successes = curve[passes[::-1].cummin()[::-1]]
    return None if successes.empty else successes.iloc[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Lead of the lottery ticket over a ``rival`` after as many epochs, in currency."""

    rival: str
    mean: float
    low: float
    high: float

    @property
    def side(self) -> str:
        """Side of 0 that its interval is on."""
        return _SIDES[side(self.low, self.high)]

    def __str__(self) -> str:
        row = {"x": self.mean, "x_low": self.low, "x_high": self.high}
        return f"{self.rival} ({bracketed(row, 'x', signed=True)})"


def leads(values: Mapping[str, Any], field: Field) -> Iterator[Lead]:
    """Leads on the shortest budget of the lottery ticket."""
    if LOTTERY not in field:
        return
    first = field[LOTTERY].iloc[0]
    for kind, curve in field.items():
        then = curve[curve[BUDGET].eq(first[BUDGET])]
        if (
            kind not in (LOTTERY, RETRAINED)
            and len(then)
            and pd.notna(then["less_lottery"].iloc[0])
        ):
            mean, high, low = (-then[c].iloc[0] for c in bounded("less_lottery"))
            yield Lead(rival=in_name(kind), mean=mean, low=low, high=high)
    rivals = {"retrained_as_long": in_name(RETRAINED)}
    if _boosts(values):
        rivals["same_rate"] = f"the mask found at {value(values[RATE])}"
    for column, rival in rivals.items():
        mean, low, high = (first[c] for c in bounded(f"less_{column}"))
        if pd.notna(mean):
            yield Lead(rival=rival, mean=mean, low=low, high=high)


def _boosts(values: Mapping[str, Any]) -> bool:
    """True if the mask was found at a smaller rate than the ticket is trained at."""
    return MASK_RATE in values and RATE in values and bool(values[MASK_RATE] < values[RATE])


def claim(curves: pd.DataFrame) -> tuple[Claim, list[str]] | None:
    """Claim that a mask found at a smaller rate than that of training puts the ticket ahead of
    every rival on the shortest budget, and the rates that do; None without such masks.
    """
    contests = [(values, list(leads(values, field))) for values, field in races(curves)]
    rising = [(values, of) for values, of in contests if _boosts(values) and of]
    if not rising:
        return None
    if all(pd.isna(lead.low) for _, of in rising for lead in of):
        return "few seeds", []
    if not any(lead.rival == in_name(RETRAINED) for _, of in rising for lead in of):
        return "no dense network", []
    ahead = [rates(values) for values, of in rising if all(lead.side == "ahead of" for lead in of)]
    return "boosting" if ahead else "no boosting", ahead


def _needs(field: Field, tolerance: float) -> str:
    kinds: dict[str, list[str]] = {}
    for kind, curve in field.items():
        kinds.setdefault(_budget(enough(curve, tolerance)), []).append(in_name(kind))
    return ", ".join(
        f"{' and '.join(names)} {'need' if len(names) > 1 else 'needs'} {budget}"
        for budget, names in kinds.items()
    )


def _budget(row: pd.Series | None) -> str:
    if row is None:
        return "more than any budget is shown to give"
    notes = [] if pd.isna(row["share"]) else [percent(round(row["share"], 3))]
    if row["total_epochs"] > row[BUDGET]:
        notes.append(f"{row['total_epochs']:.4g} with the mask's")
    return plural(int(row[BUDGET]), "epoch") + (f" ({'; '.join(notes)})" if notes else "")


def _ahead(values: Mapping[str, Any], field: Field) -> str:
    all_leads = list(leads(values, field))
    if not all_leads:
        return ""
    after = plural(int(field[LOTTERY][BUDGET].iloc[0]), "epoch")
    sides = {lead.side: [str(o) for o in all_leads if o.side == lead.side] for lead in all_leads}
    summary = ", ".join(f"{side} {' and '.join(rivals)}" for side, rivals in sides.items())
    return f"; after {after} lottery is {summary}"


def _rule(curves: pd.DataFrame, tolerance: float) -> str:
    seeds, epochs = int(curves["seeds"].max()), curves["dense_epochs"].max()
    bound = "the lower end of the paired 95 % interval (uncorrected)"
    if curves[f"{CLEAN}_low"].isna().all():
        bound = f"the mean ({NO_INTERVAL})"
    long = "" if pd.isna(epochs) else f" trained for {plural(int(epochs), 'epoch')}"
    retrained = curves["less_retrained"].notna().any()
    both = ", the one of the mask and the one retrained at the ticket's rate" if retrained else ""
    return (
        f"Needed, over {plural(seeds, 'seed')}: the shortest budget on which, as on every longer "
        f"one, {bound} loses at most {percent(tolerance)} of the CVaR of the dense network{long}"
        f"{both}."
    )
