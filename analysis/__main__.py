"""``python -m analysis report STORAGE``."""

import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from analysis.load import StorageError
from analysis.schema import ColumnError

# Wide enough for the table where the output is a file or a pipe, which have no width of their own.
_PIPE_WIDTH = 120


@click.group()
def main() -> None:
    """Tables and figures of a sweep, finished or still running."""


@main.command()
@click.argument("storage", type=click.Path(path_type=Path))
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
    help="One-sided level at which the loss must be within the tolerance.",
)
def report(storage: Path, tolerance: float, confidence: float) -> None:
    """Tables, answers and figures of STORAGE; files go to STORAGE/report."""
    from analysis.report import report as show

    _run(lambda: show(storage, _console(), tolerance=tolerance, confidence=confidence))


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_PIPE_WIDTH)


def _run(command: Callable[[], None]) -> None:
    try:
        command()
    except (StorageError, ColumnError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main(prog_name="python -m analysis")
