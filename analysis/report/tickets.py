"""Report of a tickets sweep: tables and findings in the terminal, and files."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis import wording
from analysis.attacks import attacks
from analysis.configurations import seed_count
from analysis.report.stopping import early_stopping
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles
from analysis.terminal import MOST_ROWS, opening, say, section, show, write_tables
from analysis.tickets import (
    boosting_findings,
    control_findings,
    network_comparison,
    robustness_findings,
    seed_findings,
    terminal_tables,
)
from analysis.tickets.attack_checks import attack_checks
from analysis.tickets.baselines import baselines
from analysis.tickets.boosting import budget_curves
from analysis.tickets.comparison import compare
from analysis.tickets.controls import controls
from analysis.tickets.efficiency import max_efficient_sparsity, sparsity_passes
from analysis.tickets.efficiency_findings import efficient
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
) -> None:
    """Print tables and findings of a tickets sweep; write tables and figures.

    Args: see :func:`analysis.report.report`; ``trials`` and ``manifest`` are those of ``files``.
    """
    sweep = Sweep(trials=trials, manifest=manifest, files=files)
    rows = summary(sweep)
    best = best_lr(sweep)
    levels = {"tolerance": tolerance, "confidence": confidence}
    passes = sparsity_passes(sweep, **levels)
    answer = max_efficient_sparsity(sweep, **levels)

    opening(files.storage, trials, manifest, console)
    if trials.empty:
        return
    _first_rows(
        console, partial(terminal_tables.overview, width=console.width), rows, file="summary.csv"
    )
    for line in wording.selections(rows):
        say(console, line)
    hedges = baselines(sweep, manifest)
    _first_rows(console, terminal_tables.untrained, hedges, file="baselines.csv")
    if sweep.tickets["status"].eq("completed").any():
        heading = "Best learning rate (fewest epochs to 95 % of dense)"
        section(console, heading, wording.learning_rates(best))
        section(console, "Max efficient sparsity", efficient(answer, **levels))
    tables = {"summary": rows, "best_lr": best, "sparsity_passes": passes}
    tables |= {"baselines": hedges} if len(hedges) else {}
    if (seeds := seed_count(sweep.tickets)) > 1:
        tables["seeds"] = compare(sweep)
        section(console, f"Seeds ({seeds})", seed_findings.seeds(tables["seeds"]))
        if tables["seeds"]["difference"].notna().any():
            show(console, terminal_tables.compared(tables["seeds"]))
    tables |= early_stopping(sweep, console)
    compared_tickets = network_comparison.tickets(files, sweep, **levels)
    sentences = network_comparison.sentences(compared_tickets)
    section(console, "Dense network, standard and robust tickets", sentences)
    tables |= network_comparison.tables(compared_tickets)
    if "ticket_weights" in tables:
        show(console, terminal_tables.kept_weights(tables["ticket_weights"]))
    tables |= beside_controls(sweep, console)
    tables |= robustly(sweep, console)
    budgets = budget_curves(sweep, manifest, tolerance=tolerance)
    tables |= {"budget_curves": budgets} if len(budgets) else {}
    sentences = boosting_findings.sentences(budgets, tolerance=tolerance)
    section(console, "Boosting tickets: how few epochs are enough", sentences)

    written = write_tables(folder, tables)
    from analysis import figures  # lazily, because matplotlib takes a second to load

    saved = figures.save(folder, sweep, audited=tables.get("audit"), budgets=budgets, **levels)
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


def beside_controls(sweep: Sweep, console: Console) -> dict[str, pd.DataFrame]:
    """Print the comparison with controls; returns its table, empty if no control was run."""
    rows = controls(sweep, sweep.manifest)
    if rows.empty:
        return {}
    section(console, "The ticket beside its controls", control_findings.controls(rows))
    show(console, terminal_tables.controls(rows, width=console.width))
    return {"controls": rows}


def robustly(sweep: Sweep, console: Console) -> dict[str, pd.DataFrame]:
    """Print the findings on robustness; returns their tables, empty without attacks."""
    tickets = sweep.tickets
    if not tickets["status"].eq("completed").any():
        return {}
    contrast = robust_against_standard(sweep)
    tables = {"robust_against_standard": contrast} if len(contrast) else {}
    if attacks(tickets):
        tables["robustness"] = robustness_table(sweep)
        console.print()
        for table in terminal_tables.robustness(tables["robustness"], width=console.width):
            show(console, table)
    lines = robustness_findings.robustness(contrast, tickets, sweep.manifest)
    section(console, "What robust training costs and buys", lines)
    checks = [str(check) for check in attack_checks(sweep, sweep.manifest)]
    section(console, "Can the attacks be trusted?", checks)
    return tables
