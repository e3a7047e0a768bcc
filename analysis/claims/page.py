"""Page of claims: one row per claim and problem, judged together at one level."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.claims import tickets, xnn
from analysis.claims.catalogue import CLAIMS, Claim
from analysis.claims.evidence import (
    CONTRADICTED,
    DECISIVE,
    NOT_ASKED,
    SUPPORTED,
    UNDECIDED,
    Evidence,
)
from analysis.configurations import typed
from analysis.intervals import MIN_SEEDS
from analysis.statistics import holm
from analysis.sweep import Problem, Sweep, Trials
from analysis.tickets.opponents import not_judged, problem_key, stronger_hedges
from analysis.tickets.robustness import measured_sweep
from analysis.wording import amount, percent, plural

_SOURCES: Mapping[str, Mapping[str, tickets.Source]] = {
    "tickets": tickets.SOURCES,
    "xnn": xnn.SOURCES,
}


@checked
def claims(
    trials: Trials,
    manifest: Mapping[str, Any] | None = None,
    *,
    tolerance: float = 0.05,
    level: float = 0.05,
) -> pd.DataFrame:
    """One row per claim of the catalogue and problem of the sweep, those of its experiment first.

    ``verdict`` is "supported" or "contradicted" if Holm's p over the whole page is at most
    ``level``; "undecided" with a ``reason``; or "not asked" with the axes that the sweep lacks.
    ``effect`` is a mean over ``seeds`` with its 95 % interval, in ``unit``; ``p`` is two-sided.
    ``e_supported`` and ``e_contradicted`` are e-values: they may be read after every seed, and
    exceed 1 / level with a probability of at most ``level``. ``more_seeds`` is the number of seeds
    still needed at the present effect with a power of 80 %.

    Args:
        trials: the frame of trials, or a sweep with files for the claims on weights and masks.
        tolerance: share of the dense network's CVaR that a ticket may lose.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = Sweep.of(trials, manifest)
    experiment = str(sweep.manifest.get("experiment", "tickets"))
    if experiment == "tickets":
        sweep = measured_sweep(sweep, purpose="claims")
    else:
        sweep = Sweep.of(sweep, needed=("status",), purpose="claims")
    stronger = stronger_hedges(sweep) if experiment == "tickets" else {}
    rows = []
    for problem in sweep.problems:
        hedge = stronger.get(problem_key(problem.values))
        for claim in CLAIMS.values():
            if claim.experiment == experiment:
                evidence = _SOURCES[experiment][claim.name](problem, tolerance)
                obstacle = not_judged(hedge) if hedge and claim.against_dense else ""
                rows.append(_row(claim, problem, evidence, tolerance, level, obstacle))
    if sequential := sweep.manifest.get("until_decided"):
        _judge_sequentially(rows, str(sequential))
    # Holm over the page; a claim errs in one direction at a time, hence the two-sided p.
    p = np.asarray([row["p"] for row in rows], dtype=float)
    tested = ~np.isnan(p)
    p[tested] = holm(p[tested])
    for row, corrected in zip(rows, p.tolist(), strict=True):
        row["p_holm"] = corrected
        if row["verdict"] == UNDECIDED and corrected <= level:
            row["verdict"] = SUPPORTED if row["direction"] > 0 else CONTRADICTED
            row |= {"reason": "", "more_seeds": 0}
    rows += [_other(claim) for claim in CLAIMS.values() if claim.experiment != experiment]
    return typed(rows, _DTYPES)


def sentences(page: pd.DataFrame, *, level: float = 0.05) -> list[str]:
    """Two lines per claim, decided ones first, and one on the level of the page.

    Args:
        page: from :func:`claims`.
    """
    lines = []
    for verdict in (SUPPORTED, CONTRADICTED, UNDECIDED):
        for _, row in page[page["verdict"].eq(verdict)].iterrows():
            lines.append(f"{_tag(verdict)}{_opening(row)}{row['statement']}.")
            lines.append(f"{_tag('')}{_numbers(row)}.")
    absent = page[page["verdict"].eq(NOT_ASKED) & page["reason"].ne("")]
    for statement, rows in absent.groupby("statement", sort=False):
        lines += [f"{_tag(NOT_ASKED)}{statement}.", f"{_tag('')}Needs {rows['reason'].iloc[0]}."]
    if page["p"].notna().any():
        number = int(page["p"].notna().sum())
        lines.append(
            f"Verdicts at {percent(level)} for the whole page: Holm over "
            f"{plural(number, 'claim')}; intervals of 95 % each. An e-value of {2 / level:g} "
            "decides a claim of its own, after any number of seeds."
        )
    return lines


def _row(
    claim: Claim,
    problem: Problem,
    evidence: Evidence | None,
    tolerance: float,
    level: float,
    obstacle: str,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "claim": claim.name,
        "statement": claim.statement.format(tolerance=percent(tolerance)),
        "problem": problem.title,
        "verdict": UNDECIDED,
        "unit": claim.unit,
        "p": math.nan,
        "direction": 0,
    }
    if evidence is None:
        return row | {"verdict": NOT_ASKED, "reason": claim.axes}
    effect, ends = evidence.effect.dropna(), evidence.interval
    row |= {
        "subject": evidence.subject,
        "effect": effect.mean() if evidence.mean is None else evidence.mean,
        "low": ends.low,
        "high": ends.high,
        "seeds": len(effect),
        "controls": ", ".join(evidence.controls),
        "controls_missing": ", ".join(evidence.missing),
        "reason": obstacle or _reason(evidence),
    }
    if obstacle:
        return row
    e_supported, e_contradicted = evidence.e_values
    row |= {"e_supported": e_supported, "e_contradicted": e_contradicted}
    if evidence.judged:
        support, against = evidence.p
        row |= {"p": min(1.0, 2.0 * min(support, against))}
        row |= {"direction": 1 if support <= against else -1}
        row |= {"more_seeds": evidence.more_seeds(level=level / 2)}
    return row


def _reason(evidence: Evidence) -> str:
    """Reason why evidence decides nothing, as far as it can be told before the test."""
    if evidence.obstacle:
        return evidence.obstacle
    if evidence.missing:
        return f"the sweep lacks {', '.join(evidence.missing)}"
    if gaps := evidence.gaps:
        return f"{plural(gaps, 'seed')} without a result"
    if not evidence.judged:
        seeds = len(evidence.effect.dropna())
        if seeds < MIN_SEEDS:
            return f"{MIN_SEEDS} seeds are the fewest"
        if any(math.isnan(part.error) for part in evidence.parts):
            return "some seeds lack the error over test rows"
        return "no spread between the seeds"
    return ""


def sequential_sentence(manifest: Mapping[str, Any]) -> list[str]:
    """Sentence on seeds that were added until a claim was decided; empty for a fixed number."""
    claim = manifest.get("until_decided")
    if not claim:
        return []
    return [
        f"Seeds were added until the claim {claim} was decided: its e-value alone has a known "
        "error rate; intervals and p-values assume a number of seeds fixed in advance."
    ]


def _judge_sequentially(rows: list[dict[str, Any]], claim: str) -> None:
    """Verdict of the e-value on the ``claim`` for which seeds were added, and none on others."""
    undecided = [row for row in rows if row["verdict"] == UNDECIDED]
    for row in undecided:
        row |= {"p": math.nan, "more_seeds": None}
        if row["claim"] != claim:
            row["reason"] = row["reason"] or f"seeds were added until {claim} was decided"
    judged = [row for row in undecided if row["claim"] == claim and "e_supported" in row]
    for verdict, column in ((SUPPORTED, "e_supported"), (CONTRADICTED, "e_contradicted")):
        # All problems together, or each at its share of the level.
        whole = bool(judged) and min(row[column] for row in judged) >= DECISIVE
        for row in judged:
            if row[column] >= DECISIVE * (1 if whole else len(judged)):
                row |= {"verdict": verdict, "reason": ""}


def _tag(verdict: str) -> str:
    return f"{verdict.upper():<14}"


def _opening(row: pd.Series) -> str:
    return f"{row['problem']}: " if row["problem"] else ""


def _numbers(row: pd.Series) -> str:
    parts = [str(row["subject"])] if row["subject"] else []
    if row["seeds"]:
        text = f"{amount(row['effect'], signed=True)}"
        if pd.notna(row["low"]):
            text += f" [{amount(row['low'], signed=True)}, {amount(row['high'], signed=True)}]"
        parts.append(f"{text} {row['unit']}, {plural(int(row['seeds']), 'seed')}")
    if pd.notna(row["p_holm"]):
        parts.append(f"p {row['p_holm']:.2g} after Holm")
    if pd.notna(row["e_supported"]) and not row["e_supported"] == row["e_contradicted"] == 1.0:
        parts.append(f"e {max(row['e_supported'], row['e_contradicted']):.3g}")
    if row["reason"] and row["verdict"] == UNDECIDED:
        parts.append(str(row["reason"]))
    if pd.notna(row["more_seeds"]) and row["more_seeds"] > 0:
        parts.append(f"about {plural(int(row['more_seeds']), 'more seed')} at this effect")
    text = "; ".join(parts)
    return text[0].upper() + text[1:]


def _other(claim: Claim) -> dict[str, Any]:
    return {
        "claim": claim.name,
        "statement": claim.statement,
        "verdict": NOT_ASKED,
        "unit": claim.unit,
        "reason": "",
        "p": math.nan,
    }


_DTYPES = {
    **dict.fromkeys(("claim", "statement", "problem", "verdict", "subject"), "string"),
    **dict.fromkeys(("effect", "low", "high"), "float64"),
    "unit": "string",
    "seeds": "Int64",
    **dict.fromkeys(("p", "p_holm", "e_supported", "e_contradicted"), "float64"),
    "more_seeds": "Int64",
    **dict.fromkeys(("controls", "controls_missing", "reason"), "string"),
}
