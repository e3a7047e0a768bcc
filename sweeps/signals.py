"""Signals that end a sweep, all in the same orderly way."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from sweeps.exits import exit_with

# What a person, a closed terminal, SLURM, Kubernetes and a spot market send.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MESSAGE = "interrupted: the same command again runs what is left"
_COMMANDS = ("-m", "hedgesweep")
_line_first: list[bool] = []
"""Filled once this process is known to be a command, which may be ended at once."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the sweep to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


def on_command_line() -> bool:
    """Whether this process was started as ``hedgesweep`` or ``python -m sweeps``.

    Python calls a program "-m" while it still imports the package around it.
    """
    return os.path.basename(sys.argv[0] if sys.argv else "") in _COMMANDS


def exit_on_signals() -> None:
    """End with one line at any signal from now on, outside :func:`interruptible`.

    An exception would be a traceback while modules are imported, and some of them swallow it.
    """
    _line_first.append(True)
    for number in _handled():
        signal.signal(number, _exit)


def ignore_signals() -> None:
    """Let a command that is done say so: from now on no signal changes its lines or its status.

    Python takes its handlers away before it ends, and a signal would kill it then.
    """
    for number in _handled() if _line_first else ():
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise :class:`Interrupted` at the first signal, and leave at once at the second.

    Handlers belong to the main thread; in another, signals do what they did before.
    """
    first_signal = 0

    def handle(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal first_signal
        if first_signal or (_line_first and _importing(frame)):
            _exit(number)  # the log is whole at every moment
        first_signal = number
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
        # Ray's core raises one of its own in place of ours; compiled modules that are being
        # imported turn it into an error.
        raise Interrupted(first_signal) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def handler_restored(number: int) -> Iterator[None]:
    """The handler of signal ``number`` is afterwards what it was, whoever sets another inside."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, before)


def _importing(frame: FrameType | None) -> bool:
    """Whether ``frame`` belongs to an import, which may swallow an exception and print it."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _handled() -> list[signal.Signals]:
    """All of :data:`SIGNALS`, but for the one that ``nohup`` has switched off."""
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in SIGNALS if not (nohup and number == signal.SIGHUP)]


def _exit(number: int, frame: FrameType | None = None) -> NoReturn:
    exit_with(MESSAGE, 128 + number)
