"""``python -m analysis report STORAGE``."""

import errno
import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from analysis import object_stores
from analysis.errors import AnalysisError
from analysis.escapes import LINE, printable
from analysis.json_values import JsonFile
from analysis.terminal import console

_INCOMPLETE = 3  # exit status of a record without all texts
_NICE = 10
"""Priority of a report beside its running sweep, which needs the processors more."""


@click.group()
def main() -> None:
    """Tables and figures of a sweep, finished or still running."""


@main.command()
@click.argument("storage", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0.0),
    default=0.05,
    show_default=True,
    help="Share of the dense network's CVaR 5 % that a sparse one may lose.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(min=0.5, max=1.0, max_open=True),
    default=0.95,
    show_default=True,
    help="One-sided confidence level at which the loss must be within the tolerance.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Output folder, created if missing.  [default: STORAGE/report, of a URL NAME-report]",
)
@click.option(
    "--latency",
    "measured",
    type=click.Path(path_type=Path, exists=True),
    help="Latencies of its hedges (JSON), which `hedgesweep report` measures.",
)
@click.option(
    "--profiles",
    "profiled",
    type=click.Path(path_type=Path, exists=True),
    help="Profiles of its recommended hedges (JSON), which `hedgesweep report` computes.",
)
@click.option("--state", help="State of a running sweep, for its page, without figures.")
def report(
    storage: Path,
    tolerance: float,
    confidence: float,
    out: Path | None,
    measured: Path | None,
    profiled: Path | None,
    state: str | None,
) -> None:
    """Print tables and findings of STORAGE; write tables and figures to STORAGE/report."""
    from analysis.report import report as show

    if state is not None:
        os.nice(_NICE)
    _run(
        lambda to: show(
            storage,
            to,
            tolerance=tolerance,
            confidence=confidence,
            folder=out or _report_folder(storage),
            measured=JsonFile(measured) if measured else None,
            profiled=JsonFile(profiled) if profiled else None,
            state=state,
        )
    )


@main.command("claims")
@click.argument("storage", type=click.Path(path_type=Path, readable=False), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of lines.")
@click.option("--names", is_flag=True, help="The names of all claims, as a JSON list.")
def claims_command(storage: Path | None, as_json: bool, names: bool) -> None:
    """Print the claims that STORAGE supports, contradicts or leaves undecided."""
    if names:
        from analysis.claims import CLAIMS

        click.echo(json.dumps(list(CLAIMS)))
        return
    if storage is None:
        raise click.UsageError("Missing argument 'STORAGE'.")
    from analysis.report.claims import claims_of

    _run(lambda to: claims_of(storage, to, as_json=as_json))


@main.command("trials")
@click.argument("storage", type=click.Path(path_type=Path, readable=False))
@click.option("--where", multiple=True)
@click.option("--sort")
@click.option("--reverse", is_flag=True)
@click.option("--columns", default="")
@click.option("--limit", type=click.IntRange(min=1))
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def trials_command(storage: Path, columns: str, **arguments: Any) -> None:
    """Print the trials of STORAGE that meet conditions."""
    from analysis.report.trial_table import show_trials

    names = [name.strip() for name in columns.split(",") if name.strip()]
    _run(lambda to: show_trials(storage, to, columns=names, **arguments))


@main.command()
@click.argument("storage", type=click.Path(path_type=Path, readable=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of lines.")
def best(storage: Path, as_json: bool) -> None:
    """Print the networks that STORAGE recommends."""
    from analysis.report.best import show_best

    _run(lambda to: show_best(storage, to, as_json=as_json))


@main.command()
@click.argument("storage", type=click.Path(path_type=Path, readable=False))
@click.argument("trial_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def show(storage: Path, trial_id: str, as_json: bool) -> None:
    """Print the metrics card of a trial, by its id or a prefix of it."""
    from analysis.report.card_table import show as show_card

    _run(lambda to: show_card(storage, trial_id, to, as_json=as_json))


@main.command("compare")
@click.argument("storage", type=click.Path(path_type=Path, readable=False))
@click.argument("others", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def compare_command(storage: Path, others: tuple[str, ...], as_json: bool) -> None:
    """Compare two trials of STORAGE, or STORAGE with another."""
    from analysis.report.comparison import show_comparison

    _run(lambda to: show_comparison(storage, others, to, as_json=as_json))


@main.command("query")
@click.argument("storage", type=click.Path(path_type=Path, readable=False))
@click.argument("statement")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def query_command(storage: Path, statement: str, form: Any) -> None:
    """Print the result of an SQL statement on the tables of STORAGE."""
    from analysis.report.query import show_query

    _run(lambda to: show_query(storage, statement, to, form=form))


@main.command("export")
@click.argument("storage", type=click.Path(path_type=Path, readable=False))
@click.option("--csv", "folder", type=click.Path(path_type=Path))
@click.option("--optuna", "database", type=click.Path(path_type=Path))
def export_command(storage: Path, folder: Path | None, database: Path | None) -> None:
    """Write the tables of STORAGE as CSV files or as a study of Optuna."""
    from analysis.csv_files import write_csv
    from analysis.optuna_study import write_study
    from analysis.wording import plural

    def write(to: Console) -> None:
        for path in write_csv(storage, folder) if folder else ():
            click.echo(printable(str(path)))
        if database:
            number = write_study(storage, database)
            click.echo(printable(f"{plural(number, 'trial')} in {database}", most=LINE))

    _run(write)


@main.command("record")
@click.argument("storage", type=click.Path(path_type=Path, readable=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option("--check", is_flag=True, help="List the texts that a human must still write.")
@click.option("--template", is_flag=True, help="Write the file of these texts, or complete it.")
@click.option("--text", type=click.Path(path_type=Path, readable=False))
@click.option("--previous", type=click.Path(path_type=Path, readable=False))
def record_command(
    storage: Path,
    as_json: bool,
    check: bool,
    template: bool,
    text: Path | None,
    previous: Path | None,
) -> None:
    """Print the model-risk record of STORAGE; exit status 3 if --check finds a text missing."""
    from analysis.report import risk_record

    if check:
        complete: list[bool] = []
        _run(lambda to: complete.append(risk_record.check_record(storage, to, text=text)))
        sys.exit(0 if complete == [True] else _INCOMPLETE)
    if template:
        _run(lambda to: risk_record.write_template(storage, to, text=text))
        return
    arguments: Any = {"as_json": as_json, "text": text, "previous": previous}
    _run(lambda to: risk_record.show_record(storage, to, **arguments))


@main.command("card")
@click.argument("storage", type=click.Path(path_type=Path, readable=False))
@click.argument("trial_id")
@click.option("--source", help="C file that the card lies beside, instead of a bundle.")
def card_command(storage: Path, trial_id: str, source: str | None) -> None:
    """Print the model card of a trial as Markdown."""
    from analysis.report.risk_record import print_card

    _run(lambda to: print_card(storage, trial_id, to, source=source))


@main.command()
@click.argument("tables", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Output folder, created if missing.",
)
def predictions(tables: tuple[Path, ...], out: Path) -> None:
    """Draw the predictions in TABLES, Parquet files with a column per class."""

    def draw(to: Console) -> None:
        from analysis.figures.xnn import save_predictions
        from analysis.terminal import section
        from analysis.xnn.predictions import load_predictions

        frames = {name: load_predictions(path) for name, path in _named(tables).items()}
        saved = save_predictions(out, frames)
        section(to, "Skipped figures", list(saved.skipped))
        section(to, "Figures", [str(path) for path in saved.written])

    _run(draw)


def _report_folder(storage: Path) -> Path:
    remote = object_stores.url_of(storage)
    return Path(f"{storage.name}-report") if remote else storage / "report"


def _named(tables: tuple[Path, ...]) -> dict[str, Path]:
    """Files by their names, or by their paths if two have one name."""
    names = [printable(path.stem, most=LINE) for path in tables]
    alike = len(set(names)) < len(names)
    return {str(path) if alike else name: path for name, path in zip(names, tables, strict=True)}


def _run(command: Callable[[Console], None]) -> None:
    to = console()
    try:
        # Untrusted numbers overflow and fonts lack glyphs of names: not worth a warning.
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", UserWarning)
            command(to)
    except AnalysisError as error:
        text = object_stores.with_urls(str(error))
        click.echo(f"error: {printable(text, most=LINE)}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.filename is not None or error.errno == errno.EPIPE:
            raise  # click exits silently on a closed pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for the flush at exit
        click.echo(f"error: the output cannot be written ({error.strerror})", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m analysis")
