"""Signals that end a sweep, all in the same orderly way."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# What a person, a closed terminal, SLURM, Kubernetes and a spot market send.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asked the sweep to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise :class:`Interrupted` at the first signal, and leave at once at the second.

    Handlers belong to the main thread; in another, signals do what they did before.
    """
    seen = 0

    def handle(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal seen
        if seen:
            os._exit(128 + number)  # the log is whole at every moment
        seen = number
        raise Interrupted(number)

    try:
        before = {number: signal.signal(number, handle) for number in SIGNALS}
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    except KeyboardInterrupt as error:
        if not seen or isinstance(error, Interrupted):
            raise
        raise Interrupted(seen) from error  # Ray's core raises one of its own in place of ours
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
