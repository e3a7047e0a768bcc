"""Signals that end a sweep, all by the same orderly shutdown."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from sweeps.exits import exit_with

# Sent by Ctrl-C, a closed terminal, SLURM, Kubernetes and a spot market.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MESSAGE = "interrupted: run the same command again to continue"
_COMMANDS = ("-m", "hedgesweep")
_line_first: list[bool] = []
"""Non-empty if this process is a command, which may exit at once."""


class Interrupted(KeyboardInterrupt):
    """Raised in the main thread when a signal ends the sweep."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


def on_command_line() -> bool:
    """True if this process was started as ``hedgesweep`` or ``python -m sweeps``.

    Python sets ``argv[0]`` to "-m" while it imports the package of the program.
    """
    return os.path.basename(sys.argv[0] if sys.argv else "") in _COMMANDS


def exit_on_signals() -> None:
    """Exit with one line at any signal from now on, outside :func:`interruptible`.

    During imports an exception would print a traceback, and some modules swallow it.
    """
    _line_first.append(True)
    for number in _handled():
        signal.signal(number, _exit)


def ignore_signals() -> None:
    """Ignore signals from now on, so that a finished command keeps its output and exit status.

    Python removes its handlers before it exits, and a signal would then kill it.
    """
    for number in _handled() if _line_first else ():
        signal.signal(number, signal.SIG_IGN)


class _Delay:
    """Delay of the first signal by the main thread, and the signal that arrived meanwhile."""

    depth = 0
    number = 0


@contextmanager
def delayed_interrupt() -> Iterator[None]:
    """Raise :class:`Interrupted` after the block for a first signal during it.

    For records that would otherwise be half on disk. A second signal still exits at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Delay.depth += 1
    try:
        yield
    finally:
        _Delay.depth -= 1
        if _Delay.depth == 0 and (number := _Delay.number):
            _Delay.number = 0
            raise Interrupted(number)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise :class:`Interrupted` at the first signal, and exit at once at the second.

    Within :func:`delayed_interrupt` the first one waits. Handlers exist in the main thread only;
    in another thread this has no effect.
    """
    first_signal = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first_signal
        if first_signal or (_line_first and _importing(frame)):
            _exit(number)  # the log is whole at every moment
        first_signal = number
        if _Delay.depth:
            _Delay.number = number
            return
        raise Interrupted(number)

    try:
        before = {number: signal.signal(number, handle) for number in _handled()}
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    except (KeyboardInterrupt, ImportError, SystemError) as error:
        if not first_signal or isinstance(error, Interrupted):
            raise
        # Ray's core raises its own exception instead, and compiled modules that are being imported
        # convert it to an error.
        raise Interrupted(first_signal) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def handler_restored(number: int) -> Iterator[None]:
    """Restore the handler of signal ``number`` afterwards."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, before)


def _importing(frame: FrameType | None) -> bool:
    """True if ``frame`` is within an import, which may swallow an exception and print it."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _handled() -> list[signal.Signals]:
    """All of :data:`SIGNALS` except SIGHUP under ``nohup``."""
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in SIGNALS if not (nohup and number == signal.SIGHUP)]


def _exit(number: int, frame: FrameType | None = None) -> NoReturn:
    exit_with(MESSAGE, 128 + number)
