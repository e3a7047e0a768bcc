"""Commands on clusters: ``submit``, ``logs`` (of a storage too) and ``cancel``."""

import shlex
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from sweeps import options
from sweeps.errors import SweepError, UsageError
from sweeps.journal.opening import storage_url
from sweeps.signals import Interrupted, interruptible
from sweeps.text import echo, echo_all

if TYPE_CHECKING:
    from sweeps.jobs.connection import Connection
    from sweeps.jobs.job import Job
    from sweeps.planning.plan import Plan

_SUBMIT_ONLY = ("cluster", "space", "storage")  # the other options are those of ``run``
_CANCELLING = 90.0  # seconds; Ray kills the driver earlier
_PAUSE = 0.5

cluster_argument = click.argument("cluster")
job_argument = click.argument("job_id", metavar="[JOB]", required=False)
insecure_option = click.option(
    "--insecure", is_flag=True, help="The cluster is without token authentication."
)


def _head_storage(_: click.Context, __: click.Parameter, text: str) -> str:
    from sweeps.jobs.entrypoint import head_storage

    return head_storage(text)


@click.command("submit")
@cluster_argument
@options.space_argument
@click.option(
    "--storage",
    required=True,
    callback=_head_storage,
    help="URL of an object store, or absolute path on the head of the cluster.",
)
@options.sweep_options
@click.pass_context
def submit_command(
    context: click.Context, /, cluster: str, space: Path, storage: str, **arguments: Any
) -> None:
    """Run SPACE on CLUSTER, the file of 'ray up' or the URL of its dashboard.

    Example: hedgesweep submit cluster.yaml search_spaces/tickets.yaml --storage /results/tickets

    The sweep is a job of the head, with the code of this installation, and outlives this command,
    which prints its output. Submitting it again continues it. Exit status: that of 'hedgesweep
    run', 128 + n after signal n, after which the job continues.
    """
    from sweeps.jobs.connection import connected
    from sweeps.jobs.data_file import data_file
    from sweeps.jobs.entrypoint import entrypoint, head_storage
    from sweeps.jobs.job import new_id
    from sweeps.jobs.package import package
    from sweeps.planning.plan import plan as plan_of

    plan = plan_of(space, overrides=arguments["overrides"])
    for earlier in plan.space.search.warm_start:
        head_storage(earlier)
    _check(context, plan, storage=storage, **arguments)
    data, name = data_file(plan), f"{plan.space.name}.yaml"
    files = package(space=(name, plan.space.text), data=data)
    typed = _typed(context)
    command = entrypoint(name, storage=storage, arguments=typed, data=data)
    job_id = new_id(plan.space.name)
    with interruptible(), connected(cluster, insecure=arguments["insecure"]) as connection:
        connection.ask(lambda dashboard: dashboard.upload(files))
        insecure = arguments["insecure"]
        with _hints("may have started", cluster, job_id, insecure=insecure):
            _start(connection, job_id, entrypoint=command, package=files, storage=storage)
        with _hints("continues", cluster, job_id, insecure=insecure):
            echo(f"job {job_id} runs on {cluster}, and continues after Ctrl-C")
            _follow(connection, job_id)


@click.command("logs")
@click.argument("place")
@click.argument("name", metavar="[TRIAL_ID|JOB]", required=False)
@click.option("--last", type=click.IntRange(min=1), help="Only the last events of a storage.")
@click.option("--follow", is_flag=True, help="Of a storage: continue until Ctrl-C.")
@insecure_option
def logs_command(
    place: str, name: str | None, last: int | None, follow: bool, insecure: bool
) -> None:
    """Print the events of a storage or of one of its trials, or the output of a cluster's job.

    PLACE is a storage, or a cluster: the file of 'ray up' or the URL of its dashboard. The output
    of a job, by default of the latest sweep, is followed until it ends.

    Example: hedgesweep logs results/tickets 1f3a
    """
    if _is_cluster(place):
        _follow_job(place, name, insecure=insecure)
    # Ctrl-C is the way to end --follow.
    with suppress(KeyboardInterrupt) if follow else nullcontext(), interruptible():
        _print_events(options.storage_path(place), name, last=last, follow=follow)


def _is_cluster(place: str) -> bool:
    """True for a file, or a name of one, and for a URL of anything but an object store."""
    if "://" in place:
        return storage_url(place) is None
    return place.endswith((".yaml", ".yml")) or Path(place).is_file()


def _print_events(place: str | Path, trial: str | None, *, last: int | None, follow: bool) -> None:
    from sweeps.inspection.events import event_lines

    if last is not None:
        echo_all(deque(filter(None, event_lines(place, trial)), maxlen=last))
        if not follow:
            return
    new = event_lines(place, trial, follow=follow)
    present = last is not None
    for line in new:
        if line is None:
            present = False
            time.sleep(_PAUSE)
        elif not present:
            echo(line)


def _follow_job(cluster: str, job_id: str | None, *, insecure: bool) -> NoReturn:
    from sweeps.jobs.connection import connected
    from sweeps.jobs.following import latest_job

    with interruptible(), connected(cluster, insecure=insecure) as connection:
        job_id = job_id or latest_job(connection).job_id
        with _hints("continues", cluster, job_id, insecure=insecure):
            _follow(connection, job_id)


@click.command("cancel")
@cluster_argument
@job_argument
@insecure_option
def cancel_command(cluster: str, job_id: str | None, insecure: bool) -> None:
    """End JOB on CLUSTER in order; by default the one sweep that runs there.

    Example: hedgesweep cancel cluster.yaml
    """
    from sweeps.jobs.connection import connected
    from sweeps.jobs.following import job_named, running_job

    with interruptible(), connected(cluster, insecure=insecure) as connection:
        job = job_named(connection, job_id) if job_id else running_job(connection)
        if job.ended:
            raise UsageError(f"job {job.job_id} has ended ({job.status.lower()}) before")
        connection.ask(lambda dashboard: dashboard.stop(job.job_id))
        ended = _end_of(connection, job)
        echo(
            f"job {ended.job_id} has ended ({ended.status.lower()}); "
            "submit it again to continue, with the same --storage"
        )


def _check(
    context: click.Context,
    plan: "Plan",
    *,
    budget_hours: float | None,
    budget_cost: float | None,
    cpus: float,
    rate: float | None,
    until_decided: str | None,
    max_seeds: int,
    **arguments: Any,
) -> None:
    """Refuse here what the head would refuse after the upload."""
    from sweeps.arguments import check_rule, check_types
    from sweeps.until_decided import check as check_claim

    budget = options.budget(hours=budget_hours, cost=budget_cost, cpus=cpus, rate=rate)
    if budget_cost is not None and not _is_typed(context, "cpus"):
        raise UsageError("--budget-cost needs --cpus, the CPUs of the cluster that are paid for")
    del arguments["overrides"]
    check_types(address="auto", budget=budget, exporters=(), progress=None, **arguments)
    check_rule(plan, audit=arguments["audit"], hang_after=arguments["hang_after"])
    if until_decided is not None:
        check_claim(until_decided, plan, max_seeds=max_seeds)


def _typed(context: click.Context) -> list[str]:
    """The options of the sweep as they were typed, without the defaults of this machine."""
    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in _SUBMIT_ONLY or not _is_typed(context, name):
            continue
        value = context.params[name]
        if isinstance(value, bool):
            words.append(parameter.opts[0])
        else:
            values = value if parameter.multiple else [value]
            words += [f"{parameter.opts[0]}={each}" for each in values]
    return words


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _start(connection: "Connection", job_id: str, **job: Any) -> None:
    """Start a job, once, even if the answer is lost."""
    from sweeps.jobs.dashboard import UnreachableError

    try:
        connection.once(lambda dashboard: dashboard.submit(job_id, **job))
    except UnreachableError as error:
        if connection.ask(lambda dashboard: dashboard.job(job_id)) is None:
            raise UsageError(f"the job was not started ({error}); submit it again") from error


def _follow(connection: "Connection", job_id: str) -> NoReturn:
    """Print the output of a job, and exit with its status."""
    from sweeps.jobs.following import failure_lines, follow

    job = follow(connection, job_id)
    for line in failure_lines(job):
        echo(f"error: {line}", err=True)
    sys.exit(job.exit_status)


@contextmanager
def _hints(state: str, cluster: str, job_id: str, *, insecure: bool) -> Iterator[None]:
    """Print how to find the job, which is in ``state``, if this command ends before it."""
    words = [*(["--insecure"] if insecure else []), cluster, job_id]
    hint = (
        f"to follow it, hedgesweep logs {shlex.join(words)}; to end it, hedgesweep cancel "
        f"{shlex.join(words)}"
    )
    try:
        yield
    except Interrupted as error:
        echo(f"job {job_id} {state}: {hint}", err=True)
        sys.exit(128 + error.number)
    except SweepError as error:
        raise SweepError(f"{error}; {hint}") from error


def _end_of(connection: "Connection", job: "Job") -> "Job":
    """The cancelled ``job``, once it has ended."""
    from sweeps.jobs.following import job_named

    deadline = time.monotonic() + _CANCELLING
    while not job.ended:
        if time.monotonic() > deadline:
            raise SweepError(
                f"job {job.job_id} has not ended after {_CANCELLING:.0f} s; cancel it again"
            )
        time.sleep(_PAUSE)
        job = job_named(connection, job.job_id)
    return job


COMMANDS = (submit_command, logs_command, cancel_command)
