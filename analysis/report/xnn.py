"""Report of an X-NN sweep: tables and findings in the terminal, and files."""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.claims import claims, sequential_sentence
from analysis.claims import sentences as claim_sentences
from analysis.page import Page, Results
from analysis.report.few_seeds import few_seeds
from analysis.report.stopping import early_stopping
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles, UnreadError
from analysis.terminal import write_tables
from analysis.wording import first_of
from analysis.xnn import findings, node_table, terminal_tables, yardsticks
from analysis.xnn.baselines import against_trees, baselines
from analysis.xnn.baselines import sentences as of_baselines
from analysis.xnn.cells import axes, cells, members, of_problem, plain_of
from analysis.xnn.fairness import by_group, uncompared
from analysis.xnn.fairness import sentences as of_groups
from analysis.xnn.fixed_settings import spelled_out
from analysis.xnn.growth import chance, growth
from analysis.xnn.growth import sentences as of_growth
from analysis.xnn.importance import column_importance
from analysis.xnn.methods import methods
from analysis.xnn.methods import sentences as of_methods
from analysis.xnn.origin import origin
from analysis.xnn.pareto import pareto
from analysis.xnn.rarities import cluster_sizes
from analysis.xnn.rarities import sentences as of_rarities
from analysis.xnn.selection import choose, held_out
from analysis.xnn.stability import sentences as of_stability
from analysis.xnn.stability import stability

_SAME_ROWS = (
    "Validation and test rows are the same rows (data.split: published): epochs and "
    "configurations were chosen on them, so figures on them flatter."
)


def report(
    files: SweepFiles,
    trials: pd.DataFrame,
    manifest: dict[str, Any],
    page: Page,
    *,
    folder: Path,
    with_figures: bool = True,
) -> Results:
    """Print tables and findings of an X-NN sweep; write CSV tables and figures; return them.

    ``with_figures``: draws them too.

    If the space varies the problem (the insured, or the evaluation), every problem has its own
    findings.
    """
    swept = Sweep(trials=trials, manifest=manifest, files=files)
    trials, table = spelled_out(swept), cells(swept)
    names = axes(trials)
    first = [*few_seeds(swept), *sequential_sentence(manifest)]
    page.opening(files.storage, swept.trials, manifest, first=first)
    if trials.empty:
        return Results()
    for line in origin(trials, manifest):
        page.say(line)
    if not held_out(trials, manifest):
        page.say(_SAME_ROWS)
    claim_rows = claims(swept)
    page.section("Claims", claim_sentences(claim_rows))
    page.fit(lambda width: [terminal_tables.overview(table, names, width=width)])
    stable, unread = stability(files, trials, table)
    problem_tables = defaultdict[str, list[pd.DataFrame]](list)
    for problem in Sweep.of(trials, manifest).problems:
        values, problem_trials = problem.values, problem.trials
        mine = of_problem(table, values)
        where = f" ({problem.title})" if values else ""
        holdout, against = held_out(problem_trials, manifest), methods(problem_trials)
        choice, front = choose(mine, holdout=holdout), pareto(mine)
        cell = None if choice is None else choice.cell
        lines = findings.choice(mine, choice, names, held_out=holdout)
        lines += findings.front(front, mine, names)
        page.section(f"What explanation costs and gains{where}", lines)
        page.section(f"Methods{where}", of_methods(against))
        grown = growth(problem_trials, mine, cell, names)
        lines = of_growth(grown) + chance(problem_trials, mine, cell, names)
        page.section(f"Raw R2 and chance{where}", lines)
        lines = _evidence(problem_trials, mine, cell, swept.epochs, stable)
        page.section(f"Is it used, and would another seed say the same?{where}", lines)
        sizes = cluster_sizes(problem_trials)
        rows, nodes = _controls(files, problem_trials, cell, unread)
        page.section(f"Beside its controls{where}", yardsticks.sentences(rows))
        if len(rows):
            page.show(yardsticks.table(rows))
        if len(nodes):
            page.show(node_table.table(nodes, subject="first seed"))
        page.section(f"Rare values and small clusters{where}", of_rarities(problem_trials, sizes))
        data = _data(problem_trials)
        comparison = baselines(manifest, data=data, held_out=holdout)
        trees = against_trees(problem_trials, mine, manifest, data=data)
        page.section(f"Beside boosted trees{where}", of_baselines(comparison, cell, trees))
        if len(comparison):
            page.show(terminal_tables.baselines(comparison))
        relied_on = _columns(files, problem_trials, mine, cell)
        if len(relied_on):
            page.show(terminal_tables.columns(relied_on))
        rates = by_group(problem_trials, cell, plain_of(mine, cell))
        lines = of_groups(rates) + _few_groups(problem_trials, cell, manifest)
        page.section(f"Groups of insured{where}", lines)
        if len(rates):
            page.fit(partial(terminal_tables.groups, rates))
        problem_tables["methods"].append(against.assign(**values))
        problem_tables["growth"].append(grown.assign(**values))
        problem_tables["yardsticks"].append(rows.assign(**values))
        problem_tables["node_coefficients"].append(nodes.assign(**values))
        problem_tables["cluster_sizes"].append(sizes.assign(**values))
        problem_tables["baselines"].append(comparison.assign(**values))
        problem_tables["column_importance"].append(relied_on.assign(**values))
        problem_tables["pareto"].append(front.rows.assign(knee=front.rows.index == front.knee))
        problem_tables["fairness"].append(rates.assign(**values))
    tables = {"claims": claim_rows, "cells": table, "stability": stable}
    tables |= {name: pd.concat(parts, ignore_index=True) for name, parts in problem_tables.items()}
    tables |= early_stopping(swept, page)
    page.section("Models that cannot be read", first_of(unread))
    written = write_tables(folder, {n: t for n, t in tables.items() if len(t)})
    pictures = _figures(folder, swept, page) if with_figures else ()
    page.section("Files", [str(path) for path in written])
    csv_files = tuple(path.name for path in written)
    return Results(claims=claim_rows, pictures=pictures, tables=csv_files, sweep=swept)


def _data(trials: pd.DataFrame) -> set[str]:
    return set(trials["data_sha256"].dropna()) if "data_sha256" in trials else set()


def _columns(
    files: SweepFiles, trials: pd.DataFrame, table: pd.DataFrame, cell: pd.Series | None
) -> pd.DataFrame:
    """Importance of columns in the chosen ``cell``, its plain network and the boosted trees."""
    plain = plain_of(table, cell)
    cells_trials = [trials.iloc[:0] if c is None else members(trials, c) for c in (cell, plain)]
    return column_importance(files, *cells_trials)[0]


def _evidence(
    trials: pd.DataFrame,
    table: pd.DataFrame,
    cell: pd.Series | None,
    epochs: pd.DataFrame,
    steady: pd.DataFrame,
) -> list[str]:
    """Findings on the chosen ``cell`` in addition to cost and gain."""
    if cell is None:
        return []
    cell_trials, plain = members(trials, cell), plain_of(table, cell)
    lines = [*findings.faithfulness(cell, cell_trials), *of_stability(steady, cell)]
    if plain is not None:
        lines += findings.duration(epochs, cell_trials, members(trials, plain))
    return lines


def _controls(
    files: SweepFiles, trials: pd.DataFrame, cell: pd.Series | None, unread: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Yardsticks of the chosen ``cell``, and node coefficients of its first seed."""
    if cell is None:
        return yardsticks.yardsticks(trials.iloc[:0]), pd.DataFrame()
    cell_trials = members(trials, cell)
    rows, nodes = yardsticks.yardsticks(cell_trials), pd.DataFrame()
    if len(cell_trials):
        try:
            model = files.model(str(cell_trials["trial_id"].iloc[0]), "xnn")
            nodes = node_table.node_table(model)
        except UnreadError as error:
            unread += [str(error)] * (str(error) not in unread)
    return rows, nodes


def _few_groups(
    trials: pd.DataFrame, cell: pd.Series | None, manifest: Mapping[str, Any]
) -> list[str]:
    """Sentence if groups are too small to compare in the chosen ``cell``."""
    if cell is None:
        return []
    swept = trials.get("config/evaluation.group")
    fixed = ((manifest.get("study") or {}).get("evaluation") or {}).get("group")
    column = fixed if swept is None else swept.iloc[0]
    return uncompared(members(trials, cell), None if pd.isna(column) else column)


def _figures(folder: Path, sweep: Sweep, page: Page) -> tuple[Any, ...]:
    from analysis.figures.xnn import save_xnn  # lazily: matplotlib takes a second to load

    assert sweep.files is not None
    saved = save_xnn(folder, sweep.files, sweep, sweep.epochs, sweep.manifest)
    page.section("Skipped figures", list(saved.skipped))
    pictures = [str(path) for path in saved.written if path.suffix == ".png"]
    page.section("Figures (PNG, and PDF of the same name)", pictures)
    return saved.pictures
