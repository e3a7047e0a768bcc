"""Commands of the analysis, which needs neither Ray nor torch and runs in its own process.

The report gets the latency of hedges, which only the kernel can measure, as a file.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import click

from sweeps import analysis_process, options
from sweeps.errors import UsageError


@click.command("report")
@options.storage_argument
@click.option(
    "--out",
    type=click.Path(readable=False, path_type=Path),
    help="Folder for the files, made if missing; STORAGE/report by default.",
)
def report_command(storage: Path, out: Path | None) -> None:
    """Print the tables of STORAGE and draw its figures."""
    with TemporaryDirectory() as folder:
        measured = Path(folder) / "latency.json"
        measured.write_text(json.dumps(_latencies(storage)), encoding="utf-8")
        _analyse(
            "report",
            *([f"--out={out}"] if out else []),
            f"--latency={measured}",
            *("--", str(storage)),
        )


def _latencies(storage: Path) -> dict[str, Any]:
    from sweeps.inspection.latency import latencies  # imports torch

    return latencies(storage)


def _analyse(*arguments: str) -> NoReturn:
    """Run a command of the analysis in its own process, and exit as it does."""
    sys.exit(subprocess.run(analysis_process.command(*arguments)).returncode)


@click.command("claims")
@options.storage_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of lines.")
def claims_command(storage: Path, as_json: bool) -> None:
    """Print the claims that STORAGE supports, contradicts or leaves undecided."""
    _analyse("claims", *(["--json"] if as_json else []), "--", str(storage))


@click.command("trials")
@options.storage_argument
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Only trials with, for example, 'sparsity>=0.9' or 'status=failed'. Repeatable.",
)
@click.option("--sort", metavar="COLUMN", help="Best first by this column.")
@click.option("--reverse", is_flag=True, help="Worst first.")
@click.option("--columns", metavar="A,B,..", help="Columns to print; all in csv and json.")
@click.option("--limit", type=click.IntRange(min=1), help="Most trials; 40 in a table.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="Table for reading, csv or json for further work.",
)
def trials_command(
    storage: Path,
    where: tuple[str, ...],
    sort: str | None,
    reverse: bool,
    columns: str | None,
    limit: int | None,
    form: str,
) -> None:
    """List the trials of STORAGE.

    Example: hedgesweep trials results/tickets --sort cvar_05 --where 'sparsity>=0.9'
    """
    settings = {"sort": sort, "columns": columns, "limit": limit, "format": form}
    _analyse(
        "trials",
        *(f"--where={condition}" for condition in where),
        *(f"--{name}={value}" for name, value in settings.items() if value is not None),
        *(["--reverse"] if reverse else []),
        *("--", str(storage)),
    )


@click.command("best")
@options.storage_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of lines.")
def best_command(storage: Path, as_json: bool) -> None:
    """Print the networks that STORAGE recommends, with interval, weak point and code to load them.

    Example: hedgesweep best results/tickets
    """
    _analyse("best", *(["--json"] if as_json else []), "--", str(storage))


@click.command("show")
@options.storage_argument
@click.argument("trial_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def show_command(storage: Path, trial_id: str, as_json: bool) -> None:
    """Print the metrics of a trial with its baselines; a prefix of its id suffices."""
    flags = ["--json"] if as_json else []
    _analyse("show", *flags, "--", str(storage), trial_id)


@click.command("record")
@options.storage_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option("--check", is_flag=True, help="List the texts that a human must still write.")
@click.option("--template", is_flag=True, help="Write the file of these texts, or complete it.")
@click.option(
    "--text",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="File of the texts; STORAGE/record.yaml by default.",
)
@click.option(
    "--previous",
    type=click.Path(readable=False, path_type=Path),
    metavar="STORAGE",
    help="Earlier sweep, for the log of changes.",
)
def record_command(
    storage: Path,
    as_json: bool,
    check: bool,
    template: bool,
    text: Path | None,
    previous: Path | None,
) -> None:
    """Print the model-risk record of STORAGE, which claims no compliance.

    Exit status of --check: 0 if every text is there, 3 if some are missing.

    Example: hedgesweep record results/tickets --check
    """
    flags = {"--json": as_json, "--check": check, "--template": template}
    modes = [name for name, chosen in flags.items() if chosen]
    if len(modes) > 1:
        raise UsageError(f"{' and '.join(modes)} exclude each other; give one of them")
    if previous and (check or template):
        raise UsageError(f"--previous has no effect with {modes[0]}; leave it out")
    files = {"text": text, "previous": previous}
    _analyse(
        "record",
        *modes,
        *(f"--{name}={path}" for name, path in files.items() if path),
        *("--", str(storage)),
    )


@click.command("plot-predictions")
@click.argument("tables", nargs=-1, required=True, type=click.Path(readable=False))
@click.option(
    "--out",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    help="Folder for the figure, made if missing.",
)
def plot_predictions_command(tables: tuple[str, ...], out: Path) -> None:
    """Draw the class probabilities in TABLES (Parquet), a row of panels per table."""
    _analyse("predictions", f"--out={out}", "--", *tables)


COMMANDS = (
    report_command,
    claims_command,
    trials_command,
    best_command,
    show_command,
    record_command,
    plot_predictions_command,
)
