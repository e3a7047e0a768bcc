"""Report of a tickets sweep: tables and findings in the terminal, and the files they leave."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analysis import audit_findings, wording
from analysis.attacks import attacks
from analysis.audit import audit, soundness
from analysis.configurations import of_kind, seed_count
from analysis.load import load_epochs
from analysis.tensors import SweepFiles
from analysis.terminal import opening, say, section, show, write_tables
from analysis.tickets import (
    boosting_findings,
    comparison_table,
    control_findings,
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
from analysis.tickets.robustness import robust_against_standard, robustness_table
from analysis.tickets.summary import best_lr, summary
from analysis.tickets.terminal_tables import (
    MOST_ROWS,
    compared,
    kept_weights,
    overview,
    robustness,
    untrained,
)


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
    """Prints tables and findings of a tickets sweep, and writes tables and figures.

    Args: see :func:`analysis.report.report`; ``trials`` and ``manifest`` are those of ``files``.
    """
    rows = summary(trials)
    best = best_lr(trials)
    passes = sparsity_passes(trials, tolerance=tolerance, confidence=confidence)
    answer = max_efficient_sparsity(trials, tolerance=tolerance, confidence=confidence)

    opening(files.storage, trials, manifest, console)
    if trials.empty:
        return
    if len(rows):
        console.print()
        show(console, overview(rows.head(MOST_ROWS), width=console.width))
        if len(rows) > MOST_ROWS:
            say(console, f"{wording.plural(len(rows) - MOST_ROWS, 'more row')} in summary.csv")
        for line in wording.selections(rows):
            say(console, line)
    hedges = baselines(trials, manifest)
    if len(hedges):
        console.print()
        show(console, untrained(hedges.head(MOST_ROWS)))
        if len(hedges) > MOST_ROWS:
            more = wording.plural(len(hedges) - MOST_ROWS, "more row")
            say(console, f"{more} in baselines.csv")
    proper = of_kind(trials)
    if (proper["status"] == "completed").any():
        section(
            console,
            "Best learning rate (fewest epochs to 95 % of dense)",
            wording.learning_rates(best),
        )
        sentences = wording.efficient(answer, tolerance=tolerance, confidence=confidence)
        section(console, "Max efficient sparsity", sentences)
    tables = {"summary": rows, "best_lr": best, "sparsity_passes": passes}
    tables |= {"baselines": hedges} if len(hedges) else {}
    if seed_count(proper) > 1:
        tables["seeds"] = compare(trials)
        section(console, f"Seeds ({seed_count(proper)})", seed_findings.seeds(tables["seeds"]))
        if tables["seeds"]["difference"].notna().any():
            show(console, compared(tables["seeds"]))
    ends = audited(files.storage, trials, manifest)
    sound = soundness(ends) if len(ends) else ends
    section(console, "Early stopping, audited", audit_findings.stopping(sound, trials, manifest))
    tables |= {"audit": ends, "early_stopping": sound} if len(ends) else {}
    compared_tickets = comparison_table.tickets(
        files, trials, tolerance=tolerance, confidence=confidence
    )
    section(
        console,
        "Dense network, standard and robust tickets",
        comparison_table.sentences(compared_tickets),
    )
    tables |= comparison_table.tables(compared_tickets)
    if "ticket_weights" in tables:
        show(console, kept_weights(tables["ticket_weights"]))
    tables |= beside_controls(trials, manifest, console)
    tables |= robustly(proper, manifest, console)
    budgets = budget_curves(trials, manifest)
    tables |= {"budget_curves": budgets} if len(budgets) else {}
    section(
        console,
        "Boosting tickets: how few epochs are enough",
        boosting_findings.sentences(budgets, tolerance=tolerance),
    )

    written = write_tables(folder, tables)
    from analysis import figures  # matplotlib takes a second to load: not for status

    saved = figures.save(
        folder,
        trials,
        audited=ends,
        budgets=budgets,
        tolerance=tolerance,
        confidence=confidence,
    )
    networks = figures.save_ticket_figures(folder, compared_tickets)
    section(console, "Skipped figures", [*saved.skipped, *networks.skipped])
    drawn = [p for p in (*saved.written, *networks.written) if p.suffix == ".png"]
    pictures = [str(p) for p in drawn if p.parent.name != "convergence_speed"]
    pair_counts = Counter(p.parent for p in drawn if p.parent.name == "convergence_speed")
    for where, number in pair_counts.items():
        pairs = wording.plural(number, "other pair")
        pictures.append(f"{where}/ ({pairs} of sparsity and epsilon)")
    section(console, "Files", [str(p) for p in written])
    if pictures:
        section(console, "Figures (PNG, and PDF of the same name)", pictures)


def audited(storage: Path, trials: pd.DataFrame, manifest: dict[str, Any]) -> pd.DataFrame:
    """The frame of :func:`analysis.audit`; the epochs are read only where a trial was audited."""
    if "audited" not in trials.columns or not trials["audited"].fillna(False).any():
        return pd.DataFrame()
    return audit(trials, load_epochs(storage), manifest)


def beside_controls(
    trials: pd.DataFrame, manifest: dict[str, Any], console: Console
) -> dict[str, pd.DataFrame]:
    """Prints what the ticket is worth beside its controls; the table, none where none was run."""
    rows = controls(trials, manifest)
    if rows.empty:
        return {}
    section(console, "The ticket beside its controls", control_findings.controls(rows))
    show(console, terminal_tables.controls(rows, width=console.width))
    return {"controls": rows}


def robustly(
    trials: pd.DataFrame, manifest: dict[str, Any], console: Console
) -> dict[str, pd.DataFrame]:
    """Prints what is known of robustness; the tables of it, none where nothing was attacked."""
    if not trials["status"].eq("completed").any():
        return {}
    contrast = robust_against_standard(trials)
    tables = {"robust_against_standard": contrast} if len(contrast) else {}
    if attacks(trials):
        tables["robustness"] = robustness_table(trials)
        console.print()
        for table in robustness(tables["robustness"], width=console.width):
            show(console, table)
    lines = robustness_findings.robustness(contrast, trials, manifest)
    section(console, "What robust training costs and buys", lines)
    checks = [str(check) for check in attack_checks(trials, manifest)]
    section(console, "Can the attacks be trusted?", checks)
    return tables
