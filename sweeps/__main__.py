"""The command line: ``hedgesweep`` (= ``python -m sweeps``)."""

import subprocess
import sys
from pathlib import Path

import click

import sweeps
from sweeps.errors import PreparationError, UsageError

_space = click.argument("space", type=click.Path(path_type=Path))
_storage = click.argument("storage", type=click.Path(path_type=Path))
_set = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value by its dotted key, such as study.training.epochs=20. Repeatable.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hedgesweep")
def cli() -> None:
    """Sparse hedging networks: which lottery ticket can be deployed, and what it costs."""


@cli.command("plan")
@_space
@_set
def plan_command(space: Path, overrides: tuple[str, ...]) -> None:
    """Show what SPACE would run; starts nothing."""
    for line in sweeps.plan(space, overrides=overrides).lines():
        click.echo(line)


@cli.command("run")
@_space
@click.option(
    "--storage",
    required=True,
    type=click.Path(path_type=Path),
    help="Directory for log, tables and models. Running again continues there.",
)
@_set
@click.option("--max-concurrent", type=click.IntRange(min=1), help="Most trials at a time.")
@click.option("--address", metavar="ADDRESS", help="Join a running Ray cluster, such as 'auto'.")
def run_command(
    space: Path,
    storage: Path,
    overrides: tuple[str, ...],
    max_concurrent: int | None,
    address: str | None,
) -> None:
    """Run every trial of SPACE that the storage does not hold yet."""
    sweep = sweeps.run(
        space,
        storage=storage,
        overrides=overrides,
        max_concurrent=max_concurrent,
        address=address,
    )
    counts = ", ".join(f"{n} {status}" for status, n in sorted(sweep.counts.items()))
    click.echo(f"{counts} in {sweep.seconds:.0f} s")
    click.echo(f"results in {storage}: next, hedgesweep report {storage}")
    if sweep.counts.get("interrupted"):
        click.echo(f"interrupted: the same command again runs the {sweep.left} left", err=True)
        sys.exit(130)
    if sweep.left:
        click.echo(f"{sweep.left} failed for want of a worker: the same command tries them again")


@cli.command("status")
@_storage
def status_command(storage: Path) -> None:
    """Count the trials of STORAGE by status; works while the sweep runs."""
    sys.exit(_analysis("status", storage))


@cli.command("report")
@_storage
def report_command(storage: Path) -> None:
    """Print the tables of STORAGE and draw its figures."""
    sys.exit(_analysis("report", storage))


def _analysis(command: str, storage: Path) -> int:
    """Results are read by a package that knows neither Ray nor torch, in a process of its own."""
    return subprocess.run([sys.executable, "-m", "analysis", command, str(storage)]).returncode


def main() -> None:
    """Run the command line; what the user can put right is one line and exit code 2."""
    try:
        cli.main(standalone_mode=False)
    except (sweeps.SpaceError, UsageError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except PreparationError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: the same command again runs what is left", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
