"""Report of a tickets sweep: tables and findings in the terminal, and files."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis import wording
from analysis.attacks import attacks
from analysis.claims import claims, sequential_sentence
from analysis.claims import sentences as claim_sentences
from analysis.configurations import seed_count
from analysis.report.few_seeds import few_seeds
from analysis.report.stopping import early_stopping
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles
from analysis.terminal import MOST_ROWS, opening, say, section, show, write_tables
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
    console: Console,
    *,
    tolerance: float,
    confidence: float,
    folder: Path,
    measured: Mapping[str, Any] | None = None,
) -> None:
    """Print tables and findings of a tickets sweep; write tables and figures.

    Args: see :func:`analysis.report.report`; ``trials`` and ``manifest`` are those of ``files``.
    """
    sweep = Sweep(trials=trials, manifest=manifest, files=files)
    if trials.empty:
        opening(files.storage, trials, manifest, console)
        return
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
    opening(files.storage, trials, manifest, console, first=first)
    decided = decisions.decisions(
        answer=answer,
        seeds=compared,
        controls=control_rows,
        robust=robust,
        budgets=budgets,
        networks=compared_tickets,
    )
    page = claims(sweep, tolerance=tolerance)
    section(console, "Claims", claim_sentences(page))
    section(console, "Verdicts of the tables below", decided)
    _first_rows(
        console, partial(terminal_tables.overview, width=console.width), rows, file="summary.csv"
    )
    for line in wording.selections(rows):
        say(console, line)
    _first_rows(console, terminal_tables.untrained, hedges, file="baselines.csv")
    # Of several problems, baselines.csv has the rows.
    threats = terminal_tables.threatened(hedges, width=console.width)
    if threats is not None and not sweep.problem_axes:
        console.print()
        show(console, threats)
    if sweep.tickets["status"].eq("completed").any():
        heading = "Best learning rate (fewest epochs to 95 % of dense)"
        section(console, heading, wording.learning_rates(best))
        section(console, "Max efficient sparsity", efficient(answer, **levels))
    rates = learning_rates(sweep)
    if len(rates) > len(best):
        _first_rows(
            console,
            partial(learning_rate_table, width=console.width),
            rates,
            file="learning_rates.csv",
        )
    tables = {"claims": page, "summary": rows, "best_lr": best, "learning_rates": rates}
    tables["sparsity_passes"] = passes
    tables |= {"baselines": hedges} if len(hedges) else {}
    tables |= {"dense_against_hedges": beaten} if len(beaten) else {}
    if compared is not None:
        tables["seeds"] = compared
        section(console, f"Seeds ({seeds})", seed_findings.seeds(compared))
        if compared["difference"].notna().any():
            show(console, terminal_tables.compared(compared))
    tables |= early_stopping(sweep, console)
    sentences = network_comparison.sentences(compared_tickets)
    section(console, "Dense network, standard and robust tickets", sentences)
    tables |= network_comparison.tables(compared_tickets)
    if "ticket_weights" in tables:
        show(console, terminal_tables.kept_weights(tables["ticket_weights"]))
    tables |= beside_controls(control_rows, console, tolerance=tolerance)
    tables |= robustly(sweep, robust, console, tolerance=tolerance)
    tables |= hedge_latency(sweep, measured, console) if measured else {}
    tables |= {"budget_curves": budgets} if len(budgets) else {}
    sentences = boosting_findings.sentences(budgets, tolerance=tolerance)
    section(console, "Boosting tickets: how few epochs are enough", sentences)

    written = write_tables(folder, tables)
    from analysis import figures  # lazily, because matplotlib takes a second to load

    saved = figures.save(
        folder,
        sweep,
        audited=tables.get("audit"),
        budgets=budgets,
        control_rows=control_rows,
        **levels,
    )
    networks = figures.save_ticket_figures(folder, compared_tickets)
    section(console, "Skipped figures", [*saved.skipped, *networks.skipped])
    paths = [p for p in (*saved.written, *networks.written) if p.suffix == ".png"]
    pictures = [str(p) for p in paths if p.parent.name != "convergence_speed"]
    pair_counts = Counter(p.parent for p in paths if p.parent.name == "convergence_speed")
    for where, number in pair_counts.items():
        pairs = wording.plural(number, "other pair")
        pictures.append(f"{where}/ ({pairs} of sparsity and epsilon)")
    section(console, "Files", [str(p) for p in written])
    section(console, "Figures (PNG, and PDF of the same name)", pictures)


def _first_rows(
    console: Console, table: Callable[[pd.DataFrame], Table], rows: pd.DataFrame, *, file: str
) -> None:
    """Print the ``table`` of the first ``rows``, and the number of others in its ``file``."""
    if rows.empty:
        return
    console.print()
    show(console, table(rows.head(MOST_ROWS)))
    if (more := len(rows) - MOST_ROWS) > 0:
        say(console, f"{wording.plural(more, 'more row')} in {file}")


def beside_controls(
    rows: pd.DataFrame, console: Console, *, tolerance: float
) -> dict[str, pd.DataFrame]:
    """Print the comparison with controls; returns its table, empty if no control was run.

    Args:
        rows: from :func:`analysis.controls`.
    """
    if rows.empty:
        return {}
    lines = control_findings.controls(rows, tolerance=tolerance)
    section(console, "The ticket beside its controls", lines)
    show(console, terminal_tables.controls(rows, width=console.width))
    return {"controls": rows}


def hedge_latency(
    sweep: Sweep, measured: Mapping[str, Any], console: Console
) -> dict[str, pd.DataFrame]:
    """Print the latency of a hedge by sparsity; returns its table, empty if not measured.

    Args:
        measured: see :func:`analysis.report.report`.
    """
    if reason := measured.get("reason"):
        section(console, "Latency of one hedge", [f"not measured: {reason}"])
        return {}
    rows = latency(sweep, measured["rows"])
    if rows.empty:
        return {}
    console.print()
    show(console, latency_table(rows))
    return {"latency": rows}


def robustly(
    sweep: Sweep, contrast: pd.DataFrame, console: Console, *, tolerance: float
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
        console.print()
        for table in terminal_tables.robustness(tables["robustness"], width=console.width):
            show(console, table)
    lines = robustness_findings.robustness(contrast, tickets, sweep.manifest, tolerance=tolerance)
    section(console, "What robust training costs and buys", lines)
    section(console, "Can the attacks be trusted?", check_lines(sweep))
    return tables
