"""Report of a tickets sweep: tables and findings in the terminal, and files."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import wording
from analysis.attacks import attacks
from analysis.claims import claims, sequential_sentence
from analysis.claims import sentences as claim_sentences
from analysis.configurations import seed_count
from analysis.page import Page, Results
from analysis.report.few_seeds import few_seeds
from analysis.report.stopping import early_stopping
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles
from analysis.terminal import write_tables
from analysis.text_table import MOST_ROWS, TextTable
from analysis.tickets import (
    boosting_findings,
    control_findings,
    decisions,
    network_comparison,
    robustness_findings,
    seed_findings,
    terminal_tables,
)
from analysis.tickets.attack_checks import check_lines
from analysis.tickets.baselines import baselines
from analysis.tickets.boosting import budget_curves
from analysis.tickets.comparison import compare
from analysis.tickets.controls import controls
from analysis.tickets.efficiency import max_efficient_sparsity, sparsity_passes
from analysis.tickets.efficiency_findings import efficient
from analysis.tickets.latency import latency, latency_table
from analysis.tickets.learning_rate_table import learning_rates as learning_rate_table
from analysis.tickets.learning_rates import learning_rates
from analysis.tickets.opponents import dense_against_hedges, stronger_hedges
from analysis.tickets.robustness import robust_against_standard, robustness_table
from analysis.tickets.summary import best_lr, summary


def report(
    files: SweepFiles,
    trials: pd.DataFrame,
    manifest: dict[str, Any],
    page: Page,
    *,
    tolerance: float,
    confidence: float,
    folder: Path,
    measured: Mapping[str, Any] | None = None,
    profiled: Mapping[str, Any] | None = None,
    with_figures: bool = True,
) -> Results:
    """Print tables and findings of a tickets sweep; write tables and figures; return them.

    Args: see :func:`analysis.report.report`; ``trials`` and ``manifest`` are those of ``files``.
        ``with_figures``: draws them too.
    """
    sweep = Sweep(trials=trials, manifest=manifest, files=files)
    if trials.empty:
        page.opening(files.storage, trials, manifest)
        return Results()
    rows, best = summary(sweep), best_lr(sweep)
    levels = {"tolerance": tolerance, "confidence": confidence}
    passes = sparsity_passes(sweep, **levels)
    answer = max_efficient_sparsity(sweep, **levels)
    hedges, beaten = baselines(sweep, manifest), dense_against_hedges(sweep)
    seeds = seed_count(sweep.tickets)
    compared = compare(sweep) if seeds > 1 else None
    compared_tickets = network_comparison.tickets(files, sweep, **levels)
    control_rows = controls(sweep, manifest, tolerance=tolerance)
    robust = robust_against_standard(sweep, tolerance=tolerance)
    budgets = budget_curves(sweep, manifest, tolerance=tolerance)

    first = [
        *decisions.state(sweep),
        *decisions.standings(beaten),
    ]
    beatable = len(stronger_hedges(sweep)) < len(sweep.problems)
    first += few_seeds(sweep, judged=beatable)
    first += sequential_sentence(manifest)
    page.opening(files.storage, trials, manifest, first=first)
    decided = decisions.decisions(
        answer=answer,
        seeds=compared,
        controls=control_rows,
        robust=robust,
        budgets=budgets,
        networks=compared_tickets,
    )
    claim_rows = claims(sweep, tolerance=tolerance)
    page.section("Claims", claim_sentences(claim_rows))
    page.section("Verdicts of the tables below", decided)
    _first_rows(page, terminal_tables.overview, rows, file="summary.csv")
    for line in wording.selections(rows):
        page.say(line)
    _first_rows(
        page, lambda rows, width: terminal_tables.untrained(rows), hedges, file="baselines.csv"
    )
    if not sweep.problem_axes:  # of several problems, baselines.csv has the rows
        page.fit(partial(terminal_tables.threatened, hedges))
    if sweep.tickets["status"].eq("completed").any():
        heading = "Best learning rate (fewest epochs to 95 % of dense)"
        page.section(heading, wording.learning_rates(best))
        page.section("Max efficient sparsity", efficient(answer, **levels))
    rates = learning_rates(sweep)
    if len(rates) > len(best):
        _first_rows(page, learning_rate_table, rates, file="learning_rates.csv")
    tables = {"claims": claim_rows, "summary": rows, "best_lr": best, "learning_rates": rates}
    tables["sparsity_passes"] = passes
    tables |= {"baselines": hedges} if len(hedges) else {}
    tables |= {"dense_against_hedges": beaten} if len(beaten) else {}
    if compared is not None:
        tables["seeds"] = compared
        page.section(f"Seeds ({seeds})", seed_findings.seeds(compared))
        if compared["difference"].notna().any():
            page.show(terminal_tables.compared(compared))
    tables |= early_stopping(sweep, page)
    sentences = network_comparison.sentences(compared_tickets)
    page.section("Dense network, standard and robust tickets", sentences)
    tables |= network_comparison.tables(compared_tickets)
    if "ticket_weights" in tables:
        page.show(terminal_tables.kept_weights(tables["ticket_weights"]))
    tables |= beside_controls(control_rows, page, tolerance=tolerance)
    tables |= robustly(sweep, robust, page, tolerance=tolerance)
    tables |= hedge_latency(sweep, measured, page) if measured else {}
    tables |= {"budget_curves": budgets} if len(budgets) else {}
    sentences = boosting_findings.sentences(budgets, tolerance=tolerance)
    page.section("Boosting tickets: how few epochs are enough", sentences)

    written = write_tables(folder, tables)
    if not with_figures:
        return Results(claims=claim_rows)
    from analysis import figures  # lazily, because matplotlib takes a second to load

    saved = figures.save(
        folder,
        sweep,
        audited=tables.get("audit"),
        budgets=budgets,
        control_rows=control_rows,
        profiled=profiled,
        networks=compared_tickets,
        **levels,
    )
    page.section("Skipped figures", list(saved.skipped))
    paths = [str(path) for path in saved.written if path.suffix == ".png"]
    page.section("Files", [str(p) for p in written])
    page.section("Figures (PNG, and PDF of the same name)", paths)
    return Results(
        claims=claim_rows,
        pictures=saved.pictures,
        tables=tuple(path.name for path in written),
        sweep=sweep,
    )


def _first_rows(
    page: Page, table: Callable[..., TextTable], rows: pd.DataFrame, *, file: str
) -> None:
    """Print the ``table`` of the first ``rows``, and the number of others in its ``file``."""
    if rows.empty:
        return
    page.fit(lambda width: [table(rows.head(MOST_ROWS), width=width)])
    if (more := len(rows) - MOST_ROWS) > 0:
        page.say(f"{wording.plural(more, 'more row')} in {file}")


def beside_controls(
    rows: pd.DataFrame, page: Page, *, tolerance: float
) -> dict[str, pd.DataFrame]:
    """Print the comparison with controls; returns its table, empty if no control was run.

    Args:
        rows: from :func:`analysis.controls`.
    """
    if rows.empty:
        return {}
    lines = control_findings.controls(rows, tolerance=tolerance)
    page.section("The ticket beside its controls", lines)
    page.fit(lambda width: [terminal_tables.controls(rows, width=width)])
    return {"controls": rows}


def hedge_latency(
    sweep: Sweep, measured: Mapping[str, Any], page: Page
) -> dict[str, pd.DataFrame]:
    """Print the latency of a hedge by sparsity; returns its table, empty if not measured.

    Args:
        measured: see :func:`analysis.report.report`.
    """
    if reason := measured.get("reason"):
        page.section("Latency of one hedge", [f"not measured: {reason}"])
        return {}
    rows = latency(sweep, measured["rows"])
    if rows.empty:
        return {}
    page.show(latency_table(rows))
    return {"latency": rows}


def robustly(
    sweep: Sweep, contrast: pd.DataFrame, page: Page, *, tolerance: float
) -> dict[str, pd.DataFrame]:
    """Print the findings on robustness; returns their tables, empty without attacks.

    Args:
        contrast: from :func:`analysis.robust_against_standard`.
    """
    tickets = sweep.tickets
    if not tickets["status"].eq("completed").any():
        return {}
    tables = {"robust_against_standard": contrast} if len(contrast) else {}
    if attacks(tickets):
        tables["robustness"] = robustness_table(sweep)
        page.fit(partial(terminal_tables.robustness, tables["robustness"]))
    lines = robustness_findings.robustness(contrast, tickets, sweep.manifest, tolerance=tolerance)
    page.section("What robust training costs and buys", lines)
    page.section("Can the attacks be trusted?", check_lines(sweep))
    return tables
