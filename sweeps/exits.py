"""Ends of this process that raise nothing, each with one line on stderr."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

# Prints its argument unless it has heard from the process at the other end of its stdin.
_SPEAKER = "import os, sys\nif not os.read(0, 1): os.write(2, os.fsencode(sys.argv[1]) + b'\\n')"

_silence: list[int] = []
"""Pipes to those who would speak for this process if it ended now."""


@contextmanager
def message_if_aborted(line: str) -> Iterator[None]:
    """A small process prints ``line`` if this one ends inside without a word.

    Ray's core does so where its object store is gone, and nothing in this process can stop it.
    """
    import subprocess  # takes its time, and signals are waited for before it

    # What ends this process must not end the one that tells of it.
    blocked = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    )
    try:
        speaker = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SPEAKER, line],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert speaker.stdin
    _silence.append(speaker.stdin.fileno())
    try:
        yield
    finally:
        _silence.remove(speaker.stdin.fileno())
        with suppress(OSError):
            speaker.communicate(b".")


def exit_with(line: str, status: int) -> NoReturn:
    """End this process now, with ``line`` on stderr, whatever it is doing."""
    for pipe in _silence:
        with suppress(OSError):
            os.write(pipe, b".")
    with suppress(OSError):
        os.write(2, f"{line}\n".encode(errors="backslashreplace"))
    os._exit(status)
