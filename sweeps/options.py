"""Arguments and options that several commands share."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from sweeps import completion
from sweeps.errors import UsageError
from sweeps.journal.opening import storage_name
from sweeps.planning.budget import Budget

# Unreadable files are reported by their readers, in one line with the cause.
_STORAGE = click.Path(readable=False)


class _Required(click.Option):
    """Option without which a command does not run, unless it only prints its space."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        if self.value_is_missing(value) and ctx.params.get("print_config"):
            return None
        return super().process_value(ctx, value)


def storage_option(text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option ``--storage``, with ``text`` as its help."""
    return click.option(
        "--storage",
        cls=_Required,
        required=True,
        type=_STORAGE,
        callback=_storage_path,
        help=text,
    )


def _storage_path(_: click.Context, __: click.Parameter, text: str) -> str | Path:
    return storage_path(text)


def storage_path(text: str) -> str | Path:
    """The storage as it was typed: a ``Path`` of a URL lacks a slash, and one of "" is ".".

    Raises:
        UsageError: it is empty, or a URL of another kind.
    """
    if not text:
        raise UsageError("the storage is empty text; give a directory, such as results/tickets")
    return storage_name(text)


space_argument = click.argument(
    "space", type=click.Path(readable=False, path_type=Path), shell_complete=completion.spaces
)
trial_argument = partial(click.argument, "trial_id", shell_complete=completion.trial_ids)
storage_argument = click.argument("storage", type=_STORAGE, callback=_storage_path)
# A storage, or another argument that a command accepts in its place.
place_argument = partial(click.argument, type=_STORAGE, callback=_storage_path)
_set = partial(click.option, "--set", "overrides", multiple=True, metavar="KEY=VALUE")
set_option = _set(
    help="Override a value by its dotted key, such as study.training.epochs=20. Repeatable."
)
evaluation_option = _set(
    help="Override a setting of the test, such as study.evaluation.path_noise=[0.1]. Repeatable."
)
print_option = click.option(
    "--print-config",
    is_flag=True,
    is_eager=True,
    help="Print the space with every setting and exit; saved as a file it has the same trials.",
)
cpus_option = click.option(
    "--cpus",
    type=click.FloatRange(min=0, min_open=True),
    default=float(os.cpu_count() or 1),
    show_default="those of this machine",
    help="CPUs to plan and to pay for.",
)
rate_option = click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Price of a CPU-hour."
)
_EXECUTION = (
    click.option("--max-concurrent", type=click.IntRange(min=1), help="Most trials at a time."),
    click.option("--insecure", is_flag=True, help="Use Ray without token authentication."),
    click.option(
        "--hang-after",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Replace a worker that takes longer to the next rung.",
    ),
    click.option(
        "--allow-mixed",
        is_flag=True,
        help="Allow workers whose floating-point results differ; recorded per trial.",
    ),
)
_SWEEP = (
    set_option,
    *_EXECUTION,
    click.option(
        "--audit",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="SHARE",
        help="Train this share of the stopped configurations to the end, to judge the stopping.",
    ),
    click.option("--budget-hours", type=float, metavar="HOURS", help="Stop after this wall time."),
    click.option(
        "--budget-cost", type=float, metavar="MONEY", help="Stop at this cost; needs --rate."
    ),
    cpus_option,
    rate_option,
    click.option(
        "--until-decided",
        metavar="CLAIM",
        help="Add seeds until this claim is supported or contradicted.",
    ),
    click.option(
        "--max-seeds",
        type=click.IntRange(min=3),
        default=40,
        show_default=True,
        help="Most seeds of --until-decided.",
    ),
)


def sweep_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of a sweep, for the command that runs it here and the one that submits it."""
    return _with(_SWEEP, command)


def execution_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the workers of a sweep, whose space is in its storage."""
    return _with(_EXECUTION, command)


def _with(options: Sequence[Any], command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command


def budget(
    *, hours: float | None, cost: float | None, cpus: float, rate: float | None
) -> Budget | None:
    """Budget of the options of the command line; None without one."""
    if hours is None and cost is None:
        return None
    return Budget(cpus=cpus, hours=hours, cost=cost, rate=rate)


def usage_error(error: click.ClickException) -> str:
    """One-line form of an error of click, which has four: condition, value, cure."""
    message = " ".join(error.format_message().split()).rstrip(".?")
    message = message[:1].lower() + message[1:].replace(". Did you mean", "; did you mean")
    context = getattr(error, "ctx", None)
    return f"{message}; see {context.command_path if context else 'hedgesweep'} --help"


def exporters(*, tensorboard: str | None = None, mlflow: str | None = None) -> list[Any]:
    """Exporters for the options of the command line.

    Args:
        tensorboard: folder of the event files; none are written if None.
        mlflow: URI of a tracking server, or ``sqlite:///FILE``; the experiment is "hedgesweep".
    Raises:
        UsageError: a package is missing, or ``mlflow`` is unusable.
    """
    # Their packages are optional.
    from sweeps.monitoring.mlflow import MLflow
    from sweeps.monitoring.tensorboard import TensorBoard

    boards = [] if tensorboard is None else [TensorBoard(Path(tensorboard).expanduser())]
    return [*boards, *([] if mlflow is None else [MLflow(mlflow, "hedgesweep")])]
