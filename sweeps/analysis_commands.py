"""Commands of the analysis, which needs neither Ray nor torch and runs in its own process.

The report gets what needs trained models as JSON: the latency of hedges, which only the kernel
can measure, and profiles of the recommended ones. It runs while they are computed.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
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
@click.option(
    "--live", is_flag=True, help="Serve the page on this machine; follow a running sweep."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port of the live page on 127.0.0.1; a free one by default.",
)
def report_command(storage: str | Path, out: Path | None, live: bool, port: int | None) -> None:
    """Print the tables of STORAGE, draw its figures, and write both as report.html.

    Example: hedgesweep report results/tickets

    Example: hedgesweep report results/tickets --live
    """
    if port is not None and not live:
        raise UsageError("--port is that of the live page; add --live")
    if live:
        with TemporaryDirectory() as folder:
            _serve(storage, out, port or 0, Path(folder))
        return
    arguments = [*([f"--out={out}"] if out else []), "--", str(storage)]
    sys.exit(analysis_process.exit_status("report", *arguments, inputs=_of_models(storage)))


def _serve(storage: str | Path, out: Path | None, port: int, folder: Path) -> None:
    from sweeps.monitoring.live_report import serve

    # A URL is text, and its report is written here.
    remote = isinstance(storage, str)
    place = out or (Path(f"{Path(storage).name}-report") if remote else Path(storage) / "report")

    def report(target: Path, state: str | None) -> list[str]:
        options_ = [f"--state={state}"] if state is not None else _model_options(storage, folder)
        arguments = ("report", f"--out={target}", *options_, "--", str(storage))
        return analysis_process.command(*arguments)

    serve(storage, report, folder=place, port=port)


def _model_options(storage: str | Path, folder: Path) -> list[str]:
    """Options of a report with what needs the models of ``storage``, as files in ``folder``."""
    inputs = _of_models(storage)
    for name, compute in inputs.items():
        (folder / f"{name}.json").write_text(json.dumps(compute()), encoding="utf-8")
    return [f"--{name}={folder / name}.json" for name in inputs]


def _of_models(storage: str | Path) -> dict[str, Callable[[], dict[str, Any]]]:
    """Computations with the models of ``storage``, by the option of a report for their result."""
    return {"latency": partial(_latencies, storage), "profiles": partial(_profiles, storage)}


def _latencies(storage: str | Path) -> dict[str, Any]:
    from sweeps.inspection.latency import latencies  # imports torch

    return latencies(storage)


def _profiles(storage: str | Path) -> dict[str, Any]:
    from sweeps.inspection.profiles import profiles  # imports torch

    return profiles(storage, lambda: _recommended(storage))


def _recommended(storage: str | Path) -> list[str]:
    """Ids of the recommended trials, empty if the storage cannot be read."""
    command = analysis_process.command("best", "--json", "--", str(storage))
    done = subprocess.run(command, capture_output=True, text=True)
    return [one["trial_id"] for one in json.loads(done.stdout)] if not done.returncode else []


def _analyse(*arguments: str) -> NoReturn:
    """Run a command of the analysis in its own process, and exit as it does."""
    sys.exit(subprocess.run(analysis_process.command(*arguments)).returncode)


@click.command("claims")
@options.storage_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of lines.")
def claims_command(storage: Path, as_json: bool) -> None:
    """Print the claims that STORAGE supports, contradicts or leaves undecided.

    Example: hedgesweep claims results/tickets
    """
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
@options.trial_argument()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def show_command(storage: Path, trial_id: str, as_json: bool) -> None:
    """Print one trial: metrics with baselines, learning curve, files, and how to load it.

    A prefix of its id suffices.

    Example: hedgesweep show results/tickets 1f3a
    """
    flags = ["--json"] if as_json else []
    _analyse("show", *flags, "--", str(storage), trial_id)


@click.command("compare")
@options.storage_argument
@click.argument("others", nargs=-1, required=True, metavar="OTHER_STORAGE | TRIAL_ID TRIAL_ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def compare_command(storage: Path, others: tuple[str, ...], as_json: bool) -> None:
    """Compare two trials of STORAGE, or the sweeps of two storages.

    Differences are paired by seed, with intervals and verdicts over the seeds that both have.

    Example: hedgesweep compare results/tickets 1f3a 9c04

    Example: hedgesweep compare results/tickets results/robust
    """
    _analyse("compare", *(["--json"] if as_json else []), "--", str(storage), *others)


@click.command("query")
@options.storage_argument
@click.argument("statement")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="Table for reading, csv or json for further work.",
)
def query_command(storage: Path, statement: str, form: str) -> None:
    """Print the result of an SQL STATEMENT on the tables trials and epochs of STORAGE.

    An axis of the space is a column, such as sparsity. Needs duckdb: pip install
    'hedgesweep[query]'.

    Example: hedgesweep query results/tickets "select status, count(*) from trials group by status"
    """
    _analyse("query", f"--format={form}", "--", str(storage), statement)


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
    """Draw the class probabilities in TABLES (Parquet), a row of panels per table.

    Example: hedgesweep plot-predictions predictions.parquet --out figures
    """
    _analyse("predictions", f"--out={out}", "--", *tables)


COMMANDS = (
    report_command,
    claims_command,
    trials_command,
    best_command,
    show_command,
    compare_command,
    query_command,
    record_command,
    plot_predictions_command,
)
