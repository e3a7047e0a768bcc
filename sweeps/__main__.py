"""The command line: ``hedgesweep`` (= ``python -m sweeps``)."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

import sweeps
from sweeps import (
    analysis_commands,
    export_commands,
    job_commands,
    model_commands,
    options,
    standard_output,
)
from sweeps import bundle_commands as bundles
from sweeps import steering_commands as steering
from sweeps.command_groups import CommandGroups
from sweeps.conclusion import conclude
from sweeps.errors import UsageError
from sweeps.exits import exit_with
from sweeps.journal.mirror import with_urls
from sweeps.prediction import predict_command
from sweeps.signals import MESSAGE, Interrupted, ignore_signals
from sweeps.text import echo, echo_all


@click.group(
    cls=CommandGroups,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="'hedgesweep COMMAND --help' describes a command, with an example.",
)
@click.version_option(package_name="hedgesweep")
def cli() -> None:
    """Sweeps: sparse hedging networks that can be deployed, explainable underwriting networks."""


@cli.command("plan")
@options.space_argument
@options.set_option
@options.cpus_option
@options.rate_option
@click.option("--probe/--no-probe", default=True, help="Time two epochs of each kind of trial.")
@options.print_option
def plan_command(
    space: Path,
    overrides: tuple[str, ...],
    cpus: float,
    rate: float | None,
    probe: bool,
    print_config: bool,
) -> None:
    """Show what SPACE would run with its cost; trains two epochs, and keeps nothing.

    Example: hedgesweep plan search_spaces/tickets.yaml --rate 0.05
    """
    from sweeps.planning import estimate, machine, summary
    from sweeps.planning.resolved import resolved

    plan = sweeps.plan(space, overrides=overrides)
    if print_config:
        echo_all(resolved(plan).splitlines())
        return
    machine.check_data(plan)
    echo_all([*summary.lines(plan), *summary.study_lines(plan), *summary.unusual(plan)])
    echo_all(machine.data_warnings(plan))
    counted = estimate.estimate(plan, cpus=cpus, rate=rate)
    memory = machine.memory()
    gpus = machine.gpus()
    echo_all(machine.slow(plan, gpus=gpus))
    echo_all(machine.lacking(plan, memory=memory, gpus=gpus))
    if probe and not machine.too_large(plan, memory):
        counted = estimate.estimate(plan, estimate.probe(plan), cpus=cpus, rate=rate)
    echo_all(counted.lines())


@cli.command("run")
@options.space_argument
@options.storage_option("Directory for log, tables and models. Running again continues there.")
@options.sweep_options
@click.option("--address", metavar="ADDRESS", help="Join a running Ray cluster, such as 'auto'.")
@click.option("--tensorboard", metavar="FOLDER", help="Also write TensorBoard event files.")
@click.option("--mlflow", metavar="URI", help="Also send rows to this MLflow tracking server.")
@options.print_option
def run_command(
    space: Path,
    storage: Path,
    budget_hours: float | None,
    budget_cost: float | None,
    cpus: float,
    rate: float | None,
    tensorboard: str | None,
    mlflow: str | None,
    until_decided: str | None,
    max_seeds: int,
    print_config: bool,
    **arguments: Any,
) -> None:
    """Run every trial of SPACE that the storage does not hold yet.

    Example: hedgesweep run search_spaces/tickets.yaml --storage results/tickets

    Exit status: 0 if every trial completed or was stopped, or the budget is used up, 3 if some
    failed, 1 if some failed and none completed, a model is missing or the sweep was aborted, 2 if
    nothing could be run, 128 + n after signal n.
    """
    if print_config:
        from sweeps.planning.resolved import resolved

        echo_all(resolved(sweeps.plan(space, overrides=arguments["overrides"])).splitlines())
        return
    budget = options.budget(hours=budget_hours, cost=budget_cost, cpus=cpus, rate=rate)
    copies = options.exporters(tensorboard=tensorboard, mlflow=mlflow)
    arguments |= {"storage": storage, "budget": budget, "exporters": copies}
    if until_decided is None:
        sweep = sweeps.run(space, **arguments)
    else:
        for decision in sweeps.run_until(until_decided, space, max_seeds=max_seeds, **arguments):
            echo(str(decision))
            sweep = decision.sweep
    ignore_signals()
    conclude(sweep, storage)


@cli.command("status")
@options.storage_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option(
    "--watch",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Refresh every SECONDS until the sweep ends.",
)
def status_command(storage: Path, as_json: bool, watch: float | None) -> None:
    """Show the status of the sweep in STORAGE, from any terminal, during or after it.

    Example: hedgesweep status results/tickets --watch 2
    """
    from sweeps.monitoring.status import command

    command(storage, as_json, watch)


@cli.command("replay")
@options.storage_argument
@options.trial_argument()
def replay_command(storage: Path, trial_id: str) -> None:
    """Run one recorded trial of STORAGE again and compare it with the log, bit by bit.

    Example: hedgesweep replay results/tickets 1f3a
    """
    from sweeps.inspection.replay import replay

    replayed = replay(storage, trial_id)
    echo_all(replayed.lines())
    sys.exit(not replayed.equal)


@cli.command("verify")
@options.place_argument("path")
@click.option("--data", is_flag=True, help="For a storage: also compute its data again.")
@bundles.key_option
@bundles.accepted_option
def verify_command(path: Path, data: bool, keys: tuple[Path, ...], accepted: Path | None) -> None:
    """Check the consistency of a storage's log, tables, models and study, or a bundle's seal.

    PATH is a storage, or a bundle with its --key; nothing in it is changed.

    Example: hedgesweep verify results/tickets
    """
    from sweeps.inspection.verify import verify

    if keys or accepted or bundles.is_bundle(path):
        echo_all(bundles.verify_bundle(path, keys, accepted))
        return
    verified = verify(path, data=data)
    echo_all(verified.lines())
    sys.exit(not verified.ok)


@cli.command("simulate")
@options.place_argument("source")
@click.option(
    "--workers",
    default="1,8,500",
    show_default=True,
    metavar="N,N,..",
    help="Numbers of workers to compare.",
)
@click.option(
    "--trials", type=click.IntRange(min=1), help="Trials to draw; by default all recorded."
)
@click.option("--stock", is_flag=True, help="Compare with Ray's own ASHA.")
def simulate_command(source: Path, workers: str, trials: int | None, stock: bool) -> None:
    """Replay the learning curves of SOURCE, a storage or a space, through its scheduler.

    Example: hedgesweep simulate search_spaces/tickets_paper.yaml --workers 8,500
    """
    from sweeps.simulation.command import command

    try:
        counts = [int(part) for part in workers.split(",")]
    except ValueError as error:
        raise UsageError(
            f"--workers must be whole numbers such as 1,8,500, got {workers!r}"
        ) from error
    echo_all(command(source, workers=counts, trials=trials, stock=stock))


for _command in (bundles.keys_command, bundles.seal_command, bundles.open_command):
    cli.add_command(_command)
for _command in (
    *analysis_commands.COMMANDS,
    *job_commands.COMMANDS,
    *model_commands.COMMANDS,
    *export_commands.COMMANDS,
    *steering.COMMANDS,
):
    cli.add_command(_command)
cli.add_command(predict_command)


def main() -> None:
    """Run the command line; an error of the user gives one line and exit code 2."""
    standard_output.tolerate()
    try:
        _check_directory()
        cli.main(standalone_mode=False)
    except sweeps.HedgesweepError as error:
        echo(f"error: {with_urls(str(error))}", err=True)
        sys.exit(2 if isinstance(error, sweeps.SpaceError | UsageError) else 1)
    except OSError as error:
        if error.errno not in standard_output.STREAM_ERRORS or error.filename is not None:
            raise
        standard_output.discard()
        with suppress(OSError):
            echo(f"error: the output cannot be written ({error.strerror})", err=True)
        sys.exit(1)
    except click.exceptions.NoArgsIsHelpError as error:
        echo_all(error.format_message().splitlines())
        sys.exit(error.exit_code)
    except click.ClickException as error:
        echo(f"error: {options.usage_error(error)}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        cause = error.__cause__ or error  # click raises its Abort from it
        number = cause.number if isinstance(cause, Interrupted) else signal.SIGINT
        # Immediately: another signal must not arrive while the interpreter exits.
        exit_with(MESSAGE, 128 + number)


def _check_directory() -> None:
    """Refuse a removed current directory, in which MKL aborts the process."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise UsageError(
            "the current directory has been removed; change to another and start again"
        ) from error


if __name__ == "__main__":
    main()
