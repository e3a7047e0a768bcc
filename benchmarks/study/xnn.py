"""Generated blocks on the X-NN: cells with intervals, and verdicts on the chosen one."""

import pandas as pd

from analysis.contrast import bracketed
from analysis.sweep import Problem
from analysis.xnn import findings, yardsticks
from analysis.xnn.baselines import against_trees, baselines
from analysis.xnn.baselines import sentences as of_baselines
from analysis.xnn.cells import COST, GAIN, axes, cells, members
from analysis.xnn.fixed_settings import spelled_out
from analysis.xnn.origin import origin
from analysis.xnn.selection import Choice, choose, held_out, pulled
from analysis.xnn.verdicts import IS_WITHIN, WITHIN
from benchmarks.study.pages import bullets, table
from benchmarks.study.sweeps import Published

_ACROSS = {"K": "clusters", "weight": "adj_weight"}
_MAIN = (
    *("Chosen", "Cheapest", "Cost:", "Gain:", "Verdicts:", "On distances to as many"),
    *("From distances alone, likeliest", "By cross-entropy paired"),
)
"""Openings of the sentences of docs/results.md."""
_METRICS = {"gain (R^2)": GAIN, "specificity": "specificity", "cost (nat)": COST}


def headline(published: Published) -> str:
    """Cost and gain of the chosen cell, and the main limits of this result, as a list."""
    lines = _sentences(published)
    return bullets([line for line in lines if line.startswith(_MAIN)])


def cell_table(published: Published) -> str:
    """Gain, specificity and cost of every cell, with interval and verdict."""
    _, rows, _ = _chosen(published)
    limit = f"< {WITHIN:g} nat"
    records = []
    for _, row in pulled(rows).sort_values(list(_ACROSS.values())).iterrows():
        record = {heading: f"{row[name]:g}" for heading, name in _ACROSS.items()}
        for heading, metric in _METRICS.items():
            verdict = row[f"{metric}_verdict"]
            record[heading] = f"{bracketed(row, metric, signed=True)}, {verdict}"
        record[limit] = "shown" if bool(row[IS_WITHIN]) else "not shown"
        records.append(record)
    return table(records, numbers=tuple(_ACROSS))


def evidence(published: Published) -> str:
    """Verdicts on the chosen cell, its controls and the boosted trees, as a list."""
    return bullets(_sentences(published))


def _sentences(published: Published) -> list[str]:
    trials, rows, choice = _chosen(published)
    sweep, cell = published.sweep, choice.cell
    holdout = held_out(trials, sweep.manifest)
    cell_trials = members(trials, cell)
    data = set(trials["data_sha256"].dropna())
    comparison = baselines(sweep.manifest, data=data, held_out=holdout)
    trees = against_trees(trials, rows, sweep.manifest, data=data)
    return [
        *origin(trials, sweep.manifest),
        *findings.choice(rows, choice, axes(trials), held_out=holdout),
        *findings.faithfulness(cell, cell_trials),
        *yardsticks.sentences(yardsticks.yardsticks(cell_trials)),
        *of_baselines(comparison, cell, trees),
    ]


def _chosen(published: Published) -> tuple[pd.DataFrame, pd.DataFrame, Choice]:
    """Trials, cells and the chosen cell."""
    problem: Problem
    (problem,) = published.sweep.problems
    trials = spelled_out(problem.trials, problem.manifest)
    rows = cells(trials)
    choice = choose(rows, holdout=held_out(trials, problem.manifest))
    assert choice is not None, "no cell of the study has a result"
    return trials, rows, choice
