"""Output of a job, printed as it grows, and the choice of a job."""

import time
from collections.abc import Iterator

from sweeps.errors import UsageError
from sweeps.jobs.connection import Connection
from sweeps.jobs.job import Job
from sweeps.text import echo, first_line
from sweeps.trace_file import trace_file

_PAUSE = 1.0  # seconds between two requests
_SHARE = 0.1  # of the time, at most, for requests: Ray sends the whole output each time
_NOT_FOUND = 127  # exit status of a shell
_PREAMBLE = "Running entrypoint for job "


def follow(connection: Connection, job_id: str) -> Job:
    """Print the output of a job until it ends; returns the ended job.

    Raises:
        UsageError: there is no such job.
        SweepError: the cluster does not answer any more.
    """
    printed = 0
    while True:
        began = time.monotonic()
        # Before the output, which is then complete if the job has ended.
        job = job_named(connection, job_id)
        text = connection.ask(lambda dashboard: dashboard.logs(job_id))
        end = len(text) if job.ended else text.rfind("\n") + 1
        for line in text[printed:end].splitlines():
            if not line.startswith(_PREAMBLE):
                echo(line.expandtabs())
        printed = max(printed, end)
        if job.ended:
            return job
        time.sleep(max(_PAUSE, (time.monotonic() - began) / _SHARE))


def failure_lines(job: Job) -> Iterator[str]:
    """One line on a job in which no sweep ran, or whose process did not end; none on others."""
    if job.code == _NOT_FOUND:
        yield (
            "Ray on the head runs without its Python in the PATH; start it there from a shell in "
            "which 'python' is that of its environment, and submit again"
        )
    if job.status == "FAILED" and job.code is None:
        yield (
            f"job {job.job_id} failed on the head, not in the sweep "
            f"({first_line(Exception(job.message))[:200]}); see {trace_file(job.message)}, then "
            "submit it again: recorded results are safe"
        )


def job_named(connection: Connection, job_id: str) -> Job:
    """The job ``job_id``.

    Raises:
        UsageError: there is none.
    """
    job = connection.ask(lambda dashboard: dashboard.job(job_id))
    if job is None:
        raise UsageError(f"no job {job_id!r} on {connection.cluster}; {_choice(connection)}")
    return job


def latest_job(connection: Connection) -> Job:
    """The sweep's job that was submitted last.

    Raises:
        UsageError: there is none.
    """
    jobs = connection.ask(lambda dashboard: dashboard.jobs())
    if not jobs:
        raise UsageError(f"no sweep was submitted to {connection.cluster}; submit one")
    return jobs[-1]


def running_job(connection: Connection) -> Job:
    """The one job of a sweep that has not ended.

    Raises:
        UsageError: none runs, or several.
    """
    jobs = [j for j in connection.ask(lambda dashboard: dashboard.jobs()) if not j.ended]
    if not jobs:
        raise UsageError(f"no sweep runs on {connection.cluster}; there is nothing to cancel")
    if len(jobs) > 1:
        raise UsageError(
            f"{len(jobs)} sweeps run on {connection.cluster}; name one: "
            + ", ".join(map(str, jobs))
        )
    return jobs[0]


def _choice(connection: Connection) -> str:
    jobs = connection.ask(lambda dashboard: dashboard.jobs())
    if not jobs:
        return "no sweep was submitted there"
    return "its sweeps: " + ", ".join(job.job_id for job in jobs[-5:])
