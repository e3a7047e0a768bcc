"""Sections of a record on explanation and outcomes: 10 and 11."""

from typing import Any

import pandas as pd

from analysis.json_values import plain_value
from analysis.recommendations import heading, sentence
from analysis.record.document import (
    Entry,
    Question,
    RecordTable,
    Section,
    estimated,
    not_shown,
    table_of,
)
from analysis.record.material import MANIFEST, TRIALS, Material
from analysis.xnn.cells import GAIN, cells, of_problem, plain_of
from analysis.xnn.fairness import by_group
from analysis.xnn.fairness import sentences as of_groups
from analysis.xnn.fixed_settings import spelled_out
from analysis.xnn.selection import choose, held_out


def explanation(material: Material, questions: list[Question]) -> Section:
    """Section 10: explanation, and rates by group of insured."""
    entries: list[Entry] = []
    tables: list[RecordTable] = []
    findings: list[str] = []
    if material.experiment == "xnn" and len(material.completed):
        table = cells(material.sweep)
        for problem in material.sweep.problems:
            trials = spelled_out(problem)
            mine = of_problem(table, problem.values)
            choice = choose(mine, holdout=held_out(trials, material.manifest))
            if choice is None:
                continue
            where = f" ({problem.title})" if problem.title else ""
            for name, unit in _EXPLAINED.items():
                title = f"{name}{where}"
                source = f"{TRIALS}: {name}"
                entries.append(estimated(title, choice.cell, name, unit=unit, source=source))
            rates = by_group(trials, choice.cell, plain_of(mine, choice.cell))
            findings += of_groups(rates)
            tables.append(_groups(rates, where))
    else:
        reason = "no network was explained"
        if material.experiment == "tickets":
            reason = "inputs are prices, variance, time and position; there are no insured"
        entries.append(not_shown("Explanation and fairness", reason, source=MANIFEST))
    return Section(
        number="10",
        title="Explainability and fairness",
        purpose="What the explanation is worth beside its controls, and rates by group.",
        entries=entries,
        tables=[one for one in tables if one.rows],
        findings=findings,
        questions=questions,
    )


_EXPLAINED = {
    GAIN: "R2",
    "r2_mean": "R2",
    "specificity": "R2",
    "surrogate_agreement": "of 1",
    "cluster_stability": "of 1",
}


def outcomes(material: Material, questions: list[Question]) -> Section:
    """Section 11: test results of the recommended networks, and their distribution."""
    rows: list[list[Any]] = []
    findings = []
    for one in material.recommended:
        ends = [plain_value(end) for end in (one.interval.low, one.interval.high)]
        rows.append([heading(one), one.trial_id, one.metric, one.mean, *ends, one.unit, one.seeds])
        findings += [f"{heading(one)}: {sentence(one)}", f"Weak point: {one.weakness}"]
    recommended = RecordTable(
        title="Recommended networks",
        columns=["criterion", "trial", "metric", "mean", "low", "high", "unit", "seeds"],
        rows=rows,
        source=TRIALS,
        note="95 % Student intervals over seeds, not corrected for the choice.",
    )
    tables = [recommended, _distribution(material)]
    entries = [
        not_shown(
            "Times that test results were used",
            "a storage does not count who reads it; choices are on validation results",
            source=MANIFEST,
        )
    ]
    if not rows:
        reason = "no configuration has completed at every seed"
        entries.append(not_shown("Recommended network", reason, source=TRIALS))
    return Section(
        number="11",
        title="Outcomes analysis",
        purpose="Test results of the recommended networks, their worst cases and calibration.",
        entries=entries,
        tables=[one for one in tables if one.rows],
        findings=findings,
        questions=questions,
    )


_OUTCOMES = (
    *("pnl_mean", "pnl_std", "pnl_min", "var_05", "var_01", "cvar_05", "cvar_01", "turnover"),
    *("cost_paid", "hedging_error_rmse", "cross_entropy", "accuracy", "kappa", "macro_f1", "ece"),
)


def _distribution(material: Material) -> RecordTable:
    """Test metrics of the recommended trials, each of one seed."""
    ids = [one.trial_id for one in material.recommended]
    trials = material.trials
    names = [name for name in _OUTCOMES if name in trials and trials[name].notna().any()]
    rows = []
    for trial_id in dict.fromkeys(ids):
        row = trials[trials["trial_id"].eq(trial_id)].iloc[0]
        rows.append([trial_id, *(plain_value(row[name]) for name in names)])
    return RecordTable(
        title="Test results of the recommended trials",
        columns=["trial", *names],
        rows=rows,
        source=f"{TRIALS}: columns of the same names",
        note="Of the one seed that is loaded, without interval; the glossary has the units.",
    )


def _groups(rates: pd.DataFrame, where: str) -> RecordTable:
    names = {"network": "network", "column": "column", "group": "group", "seeds": "seeds"}
    for rate in ("selection_rate", "true_positive_rate", "false_positive_rate", "kappa"):
        words = rate.replace("_", " ")
        names |= {rate: words, f"{rate}_low": f"{words} low", f"{rate}_high": f"{words} high"}
    return table_of(
        rates[rates["group"].ne("all")] if len(rates) else rates,
        names,
        title=f"Rates by group{where}",
        source=f"{TRIALS}: selection_rate@ and others",
        note="Means over seeds with 95 % intervals; a report that claims no violation.",
    )
