"""Report of a sweep, by experiment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.files import write
from analysis.load import load_manifest, load_trials
from analysis.page import Page, Results
from analysis.recommendations import recommendations
from analysis.record import Material, record
from analysis.report.risk_record import NAME as RECORD
from analysis.report.risk_record import answers_of
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles


def report(
    storage: Path,
    console: Console,
    *,
    tolerance: float,
    confidence: float,
    folder: Path,
    measured: Mapping[str, Any] | None = None,
    profiled: Mapping[str, Any] | None = None,
    state: str | None = None,
) -> None:
    """Print tables and findings of a sweep; write CSV tables and figures.

    Args:
        storage: the directory of a sweep of any experiment.
        console: from :func:`analysis.terminal.console`.
        tolerance: share of the dense network's CVaR that a sparse ticket may lose.
        confidence: one-sided confidence level of that loss, in [0.5, 1).
        folder: output folder.
        measured: latencies of tickets as ``rows``, or the ``reason`` for none; see
            :func:`analysis.tickets.latency.latency`. None to leave them out.
        profiled: profiles of the recommended tickets, in the same form; see
            :mod:`analysis.tickets.profiles`.
        state: of a running sweep in words; the page then has it, follows its server, and lacks
            the figures, which take most of a report's time. None for the report of a sweep.
    Raises:
        StorageError: the storage cannot be read, or ``folder`` cannot be written.
        schema.ColumnError: a column is missing.
        AnswersError: the texts of humans in the storage cannot be used.
    """
    if state is not None:
        from analysis.html.live import has_trials, write_notice

        if not has_trials(storage):
            write_notice(folder, storage, state)
            return
    trials, manifest = load_trials(storage), load_manifest(storage)
    files = SweepFiles.of(storage, trials, manifest)
    answers = answers_of(storage, Sweep(trials=trials, manifest=manifest, files=files))
    experiment, page = manifest.get("experiment", "tickets"), Page(console)
    results, with_figures = Results(), state is None
    if experiment == "xnn":
        from analysis.report import xnn  # not needed for tickets

        results = xnn.report(
            files, trials, manifest, page, folder=folder, with_figures=with_figures
        )
    elif experiment == "tickets":
        from analysis.report import tickets

        results = tickets.report(
            files,
            trials,
            manifest,
            page,
            folder=folder,
            measured=measured,
            profiled=profiled,
            with_figures=with_figures,
            tolerance=tolerance,
            confidence=confidence,
        )
    else:
        from analysis.report import plain

        plain.report(storage, trials, manifest, page, folder=folder)
    if trials.empty:
        return
    from analysis.html.importances import importances  # Optuna
    from analysis.html.report_page import write_page  # Jinja2

    sweep = results.sweep or Sweep(trials=trials, manifest=manifest, files=files)
    recommended = recommendations(sweep)
    content = record(
        Material(
            sweep=sweep,
            claims=results.claims,
            recommended=recommended,
            importance=importances(trials),
            answers=answers,
        )
    )
    written = write_page(
        folder,
        sweep,
        blocks=page.blocks,
        claims=results.claims,
        recommended=recommended,
        pictures=results.pictures,
        tables=results.tables,
        record=content,
        state=state,
    )
    record_file = write(folder, RECORD, content.json().encode())
    page.section("Report", [str(written), str(record_file)])
