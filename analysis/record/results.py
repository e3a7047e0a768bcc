"""Sections of a record on rivals and robustness: 8 and 9."""

import pandas as pd

from analysis.attacks import attacks
from analysis.configurations import problem_axes
from analysis.json_values import plain_value
from analysis.record.document import (
    Entry,
    Question,
    RecordTable,
    Section,
    not_shown,
    table_of,
)
from analysis.record.material import MANIFEST, TRIALS, Material
from analysis.tickets.controls import controls
from analysis.tickets.decisions import standings
from analysis.tickets.opponents import dense_against_hedges
from analysis.tickets.robustness import metrics, robust_against_standard, robustness_table
from analysis.xnn.baselines import against_trees, baselines
from analysis.xnn.cells import axes, cells, of_problem
from analysis.xnn.fixed_settings import spelled_out
from analysis.xnn.selection import held_out

_DIFFERENCE = {
    "difference": "difference",
    "difference_low": "low",
    "difference_high": "high",
    "p_holm": "p after Holm",
    "verdict": "verdict",
}
_CORRECTED = "95 % intervals each, verdicts at 5 % for the table (Holm)."


def challengers(material: Material, questions: list[Question]) -> Section:
    """Section 8: claims, and every rival with its difference and verdict."""
    names = {"problem": "problem", "statement": "claim", "verdict": "verdict", "reason": "reason"}
    names |= {"effect": "effect", "low": "low", "high": "high", "unit": "unit"}
    names |= {"seeds": "seeds", "p_holm": "p after Holm", "subject": "of", "controls": "against"}
    claims = material.claims
    claims = claims[claims["verdict"].ne("not asked")] if len(claims) else claims
    tables = [
        table_of(
            claims,
            names,
            title="Claims",
            source=f"{TRIALS}; {MANIFEST}: preparations",
            note="Verdicts at 5 % for all claims together (Holm); 95 % intervals each.",
        )
    ]
    findings: list[str] = []
    if material.experiment == "tickets" and len(material.completed):
        findings, more = _ticket_rivals(material)
        tables += more
    elif material.experiment == "xnn" and len(material.completed):
        tables += _xnn_rivals(material)
    return Section(
        number="8",
        title="Challengers",
        purpose="Rivals of the model on the same data: simple hedges or models, controls, trees.",
        tables=[one for one in tables if one.rows],
        findings=findings,
        questions=questions,
    )


def robustness(material: Material, questions: list[Question]) -> Section:
    """Section 9: losses under attacks and in other markets."""
    entries: list[Entry] = []
    tables: list[RecordTable] = []
    if material.experiment == "tickets" and attacks(material.completed):
        tables = _under_attack(material)
    else:
        reason = "no trial was tested under attacks or in other markets"
        if material.experiment == "xnn":
            reason = "an X-NN is tested neither on shifted data nor with missing values"
        entries.append(not_shown("Loss under stress", reason, source=TRIALS))
    return Section(
        number="9",
        title="Robustness",
        purpose="What the model loses if its inputs or its market differ from those of training.",
        entries=entries,
        tables=[one for one in tables if one.rows],
        questions=questions,
    )


def _ticket_rivals(material: Material) -> tuple[list[str], list[RecordTable]]:
    sweep = material.measured
    hedges, rivals = dense_against_hedges(sweep), controls(sweep, sweep.manifest)
    axis_names = {name: name for name in problem_axes(map(str, hedges.columns))}
    names = {
        **axis_names,
        "name": "hedge",
        "cvar_05": "CVaR 5 %",
        "dense_cvar_05": "dense network",
    }
    source = f"{MANIFEST}: preparations.*.baselines; {TRIALS}: dense_cvar_05"
    first = table_of(
        hedges,
        {**names, "seeds": "seeds", **_DIFFERENCE},
        title="Dense network against hedges without training",
        source=source,
        note=f"Dense network less the hedge. {_CORRECTED}",
    )
    names = {**{n: n for n in problem_axes(map(str, rivals.columns))}, "sparsity": "sparsity"}
    names |= {"epsilon": "epsilon", "metric": "metric", "kind": "network", "mean": "mean"}
    second = table_of(
        rivals,
        {**names, "pairs": "seeds", **_DIFFERENCE},
        title="Tickets against controls",
        source=TRIALS,
        note=f"Ticket less the control. {_CORRECTED}",
    )
    return standings(hedges), [first, second]


def _xnn_rivals(material: Material) -> list[RecordTable]:
    manifest = material.manifest
    table = cells(material.sweep)
    tables = []
    for problem in material.sweep.problems:
        where = f" ({problem.title})" if problem.title else ""
        own = spelled_out(problem)
        data = set(own["data_sha256"].dropna()) if "data_sha256" in own else set()
        mine = of_problem(table, problem.values)
        models = baselines(manifest, data=data, held_out=held_out(own, manifest))
        names = {"name": "model", "rows": "rows", "seeds": "seeds"}
        names |= {"cross_entropy": "cross-entropy, nat", "accuracy": "accuracy"}
        names |= {"kappa": "kappa", "kappa_low": "low", "kappa_high": "high"}
        tables.append(
            table_of(
                models,
                names,
                title=f"Other models{where}",
                source=f"{MANIFEST}: preparations.*.baselines",
                note="Means over seeds; 95 % Student interval of kappa.",
            )
        )
        trees = against_trees(own, mine, manifest, data=data)
        if len(trees):
            joined = mine[axes(own)].join(trees, how="inner")
            tables.append(
                table_of(
                    joined,
                    {**{n: n for n in axes(own)}, **_DIFFERENCE},
                    title=f"Cross-entropy less that of XGBoost{where}",
                    source=f"{TRIALS}: cross_entropy; {MANIFEST}: preparations.*.baselines",
                    note=f"In nats, lower is better. {_CORRECTED}",
                )
            )
    return tables


def _under_attack(material: Material) -> list[RecordTable]:
    table = robustness_table(material.measured)
    measured = [name for name in metrics(material.measured.trials) if name in table.columns]
    axis_names = [*problem_axes(map(str, table.columns)), "network", "sparsity", "epsilon"]
    rows = [
        [
            *(plain_value(row[name]) for name in axis_names),
            int(row["seeds"]),
            metric,
            *(plain_value(row[f"{metric}{end}"]) for end in ("", "_low", "_high")),
        ]
        for _, row in table.iterrows()
        for metric in measured
        if pd.notna(row[metric])
    ]
    first = RecordTable(
        title="CVaR on clean paths, under attacks and in other markets",
        columns=[*axis_names, "seeds", "metric", "mean", "low", "high"],
        rows=rows,
        source=f"{TRIALS}: columns named under metric",
        note="Means over seeds with 95 % Student intervals, in currency per option.",
    )
    contrast = robust_against_standard(material.measured)
    names = {**{n: n for n in problem_axes(map(str, contrast.columns))}, "sparsity": "sparsity"}
    names |= {"epsilon": "epsilon", "metric": "metric", "seeds": "seeds"}
    names |= {"standard": "standard", "robust": "robust"}
    second = table_of(
        contrast,
        {**names, **_DIFFERENCE},
        title="Robust less standard tickets",
        source=TRIALS,
        note=_CORRECTED,
    )
    return [first, second]
