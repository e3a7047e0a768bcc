"""Commands that steer a sweep: ``stop``, ``enqueue``, ``retry``; and ``evaluate`` its models."""

from pathlib import Path
from typing import Any

import click

from sweeps import options
from sweeps.signals import ignore_signals, interruptible
from sweeps.text import echo, echo_all


@click.command("stop")
@options.storage_argument
@options.trial_argument()
def stop_command(storage: Path, trial_id: str) -> None:
    """Stop one trial of STORAGE, with the other seeds that are judged together with it.

    TRIAL_ID is the id or its beginning. A running driver stops it within seconds; without one, the
    next run does. It stays stopped, until hedgesweep retry names it.

    Example: hedgesweep stop results/tickets 4f2a91
    """
    from sweeps.steering import stop

    echo(stop(storage, trial_id))


@click.command("enqueue")
@options.storage_argument
@click.argument("values", nargs=-1, required=True, metavar="AXIS=VALUE..")
def enqueue_command(storage: Path, values: tuple[str, ...]) -> None:
    """Add a configuration to the sweep in STORAGE, at every one of its seeds.

    Every axis but the seed needs a value, inside of the space or not. A running driver enters it
    within seconds; without one, the next run does.

    Example: hedgesweep enqueue results/tickets sparsity=0.95 lr=2e-3 epsilon=0.1
    """
    from sweeps.steering import enqueue

    echo(enqueue(storage, values))


@click.command("retry")
@options.storage_argument
@click.argument("trial_ids", nargs=-1, metavar="[TRIAL_ID..]")
@options.execution_options
def retry_command(storage: Path, trial_ids: tuple[str, ...], **settings: Any) -> None:
    """Start the failed trials of STORAGE again, from theta_0.

    A TRIAL_ID restricts it to that trial, which may also be one that was stopped by request.
    Trials that have not ended are trained too, as hedgesweep run would. The space is the one that
    the storage recorded. Exit status as of hedgesweep run.

    Example: hedgesweep retry results/tickets --max-concurrent 2
    """
    from sweeps.conclusion import conclude
    from sweeps.outcome import Sweep  # imports torch
    from sweeps.steering import retry

    outcome = retry(storage, trial_ids, **settings)
    if not isinstance(outcome, Sweep):
        echo(outcome)
        return
    ignore_signals()
    conclude(outcome, storage)


@click.command("evaluate")
@options.storage_argument
@options.evaluation_option
@click.option(
    "--out",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="Parquet file to write; a file in STORAGE/evaluations by default.",
)
def evaluate_command(storage: Path, overrides: tuple[str, ...], out: Path | None) -> None:
    """Test the completed models of STORAGE under other settings, without training.

    The settings are those below study.evaluation. The table of trials stays as it is.

    Example: hedgesweep evaluate results/tickets --set 'study.evaluation.path_pgd=[0.1, 0.5]'
    """
    from sweeps.inspection.evaluation import evaluate

    with interruptible():  # the rows of models that are tested by then are kept
        evaluation = evaluate(storage, overrides, out=out)
    echo_all(evaluation.lines())


COMMANDS = (stop_command, enqueue_command, retry_command, evaluate_command)
