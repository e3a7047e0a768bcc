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

from sweeps import options, origin
from sweeps.errors import UsageError


@click.command("report")
@options.storage_argument
@click.option(
    "--out",
    type=click.Path(readable=False, path_type=Path),
    help="Folder for the files, made if missing; STORAGE/report by default.",
)
@click.option(
    "--live", is_flag=True, help="Serve the page on this machine; follow a running sweep."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port of the live page on 127.0.0.1; a free one by default.",
)
def report_command(storage: str | Path, out: Path | None, live: bool, port: int | None) -> None:
    """Print the tables of STORAGE and draw its figures.

    Example: hedgesweep report results/tickets --live
    """
    if port is not None and not live:
        raise UsageError("--port is that of the live page; add --live")
    with TemporaryDirectory() as folder:
        measured = Path(folder) / "latency.json"
        if live:
            _serve(storage, out, port or 0, measured)
        measured.write_text(json.dumps(_latencies(storage)), encoding="utf-8")
        _analyse(
            "report",
            *([f"--out={out}"] if out else []),
            f"--latency={measured}",
            *("--", str(storage)),
        )


def _serve(storage: str | Path, out: Path | None, port: int, measured: Path) -> None:
    from sweeps.monitoring.live_report import serve

    _check_analysis()
    # A URL is text, and its report is written here.
    remote = isinstance(storage, str)
    folder = out or (Path(f"{Path(storage).name}-report") if remote else Path(storage) / "report")

    def report(place: Path, state: str | None) -> list[str]:
        if state is None:
            measured.write_text(json.dumps(_latencies(storage)), encoding="utf-8")
        option = f"--latency={measured}" if state is None else f"--state={state}"
        return _command("report", f"--out={place}", option, "--", str(storage))

    serve(storage, report, folder=folder, port=port)


def _latencies(storage: str | Path) -> dict[str, Any]:
    from sweeps.inspection.latency import latencies  # imports torch

    return latencies(storage)


def _analyse(*arguments: str) -> NoReturn:
    """Run a command of the analysis, which needs neither Ray nor torch, in its own process."""
    _check_analysis()
    sys.exit(subprocess.run(_command(*arguments)).returncode)


def _command(*arguments: str) -> list[str]:
    return [*origin.PYTHON, "-m", "analysis", *arguments]


def _check_analysis() -> None:
    try:
        origin.check("analysis")
    except ImportError as error:
        raise UsageError(str(error)) from error


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
    plot_predictions_command,
)
