"""Report of a running sweep as a page on the loopback interface, which follows the sweep."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import NoReturn

from sweeps.errors import SweepError
from sweeps.journal.opening import readable_storage
from sweeps.monitoring.loopback import LivePage, LoopbackServer
from sweeps.monitoring.status import Status, is_live, status
from sweeps.monitoring.throughput import Tallies
from sweeps.signals import interruptible
from sweeps.text import duration, echo, plural, printable

NAME = "report.html"
_PARTS = ("log",)
_PAUSE = 1.0  # seconds between two looks at the log
_LEAST = 3.0  # seconds between two pages
_SHARE = 5
"""Pauses are at least this many times as long as the work before them."""
_PATIENCE = 5.0  # seconds for an interrupted report to remove its partial files

Report = Callable[[Path, str | None], Sequence[str]]
"""Command that writes the report to a folder, of a running sweep with its state in words."""


def serve(storage: str | Path, report: Report, *, folder: Path, port: int) -> None:
    """Serve the report of ``storage`` and follow its sweep, until Ctrl-C or another signal.

    When the sweep ends, its report is written to ``folder`` as usual, and served.

    Raises:
        UsageError: ``storage`` is not a directory, or the ``port`` cannot be used.
        LogError: its log is damaged.
        SweepError: it was ended after the sweep and before the report was written.
    """
    tallies = Tallies(readable_storage(storage, _PARTS))
    page = LivePage()
    try:
        _serve(storage, report, folder, port, page, tallies)
    except KeyboardInterrupt:  # the way to end it
        now = status(storage, tallies=tallies)
        if now.starts and not is_live(now) and not page.moment.ended:
            raise SweepError(
                f"the report is not written; hedgesweep report {quote(str(now.storage))} writes it"
            ) from None
        continues = "; the sweep continues" if is_live(now) else ""
        echo(f"the page is no longer served{continues}")


def _serve(
    storage: str | Path, report: Report, folder: Path, port: int, page: LivePage, tallies: Tallies
) -> NoReturn:
    now = status(storage, tallies=tallies)
    with interruptible(), LoopbackServer(page, port) as server:
        with TemporaryDirectory() as drafts:

            def draw(now: Status) -> None:
                page.say(state(now))
                if fault := _written(report(Path(drafts), state(now))):
                    page.say(f"{state(now)}; this page is older: {fault}")
                else:
                    page.show((Path(drafts) / NAME).read_bytes())

            draw(now)
            echo(f"report of {now.storage}: {server.url} (Ctrl-C ends it)")
            now = _followed(storage, now, page, draw, tallies)
        page.say(f"{state(now)}. The whole report is being drawn.")
        if fault := _written(report(folder, None)):
            page.say(f"{state(now)}. The whole report could not be drawn: {fault}")
            echo(f"error: {fault}", err=True)
        else:
            page.show((folder / NAME).read_bytes(), ended=True)
            echo(f"{state(now)}; the report is {folder / NAME}, served until Ctrl-C")
        while True:
            time.sleep(3600.0)


def state(now: Status) -> str:
    """State of a sweep in one line."""
    counts = [(name, now.trials[name]) for name in ("completed", "stopped", "failed")]
    parts = ", ".join(f"{number:,} {name}" for name, number in counts if number)
    number = sum(number for _, number in counts)
    ended = f"{number:,} of {now.total:,} trials have ended" + (f" ({parts})" if parts else "")
    if is_live(now):
        left = f", about {duration(now.seconds_left)} left" if now.seconds_left else ""
        return f"Running: {ended}{left}" if now.total else "Running: preparing the data"
    if not now.starts:
        return "No sweep has begun here yet"
    if now.unfinished_count:
        return f"No driver is running: {ended}"
    return f"The sweep has ended: {plural(now.total, 'trial')}" + (f", {parts}" if parts else "")


def _followed(
    storage: str | Path,
    now: Status,
    page: LivePage,
    draw: Callable[[Status], None],
    tallies: Tallies,
) -> Status:
    """Draw the page whenever the log has grown; the status when no driver runs any longer."""
    drawn, due = _growth(now), 0.0
    while is_live(now) or not now.starts:
        began = time.monotonic()
        now = status(storage, tallies=tallies)
        pause = max(_PAUSE, _SHARE * (time.monotonic() - began))
        page.say(state(now))
        if _growth(now) != drawn and (began := time.monotonic()) >= due:
            drawn = _growth(now)
            draw(now)
            due = time.monotonic() + max(_LEAST, _SHARE * (time.monotonic() - began))
        time.sleep(pause)
    return now


def _growth(now: Status) -> tuple[object, ...]:
    return (now.starts, now.total, now.epochs, now.audits, *now.trials.values())


def _written(command: Sequence[str]) -> str:
    """Run ``command``; its error in one line, empty after success."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for this process, which ends the other
    )
    try:
        _, errors = process.communicate()
    except BaseException:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if not process.returncode:
        return ""
    text = errors.decode(errors="backslashreplace").strip().removeprefix("error: ")
    return printable(text.splitlines()[-1]) if text else f"exit status {process.returncode}"
