"""Ends of this process that raise nothing, each with one line on stderr."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

# Hears how the process at the other end of its stdin ends: in order, with a line of its own, or
# (if there is nothing to be heard) without a word. Who still dies may write to the folders.
_SPEAKER = """
import os, shutil, sys, time
end = os.read(0, 1)
if not end:
    os.write(2, os.fsencode(sys.argv[1]) + b"\\n")
absent, deadline = 0, time.monotonic() + 60
while sys.argv[2:] and end != b"." and absent < 4 and time.monotonic() < deadline:
    for folder in sys.argv[2:]:
        absent = 0 if os.path.lexists(folder) else absent + 1
        shutil.rmtree(folder, ignore_errors=True)
    time.sleep(0.25)
"""
_IN_ORDER, _WITH_MESSAGE = b".", b"!"

_silence: list[int] = []
"""Pipes to those who would speak for this process if it ended now."""


@contextmanager
def message_if_aborted(line: str, *folders: str) -> Iterator[None]:
    """A small process prints ``line`` if this one ends inside without a word.

    Ray's core does so where its object store is gone, and nothing in this process can stop it.
    The small process also removes ``folders`` that this one could not: Ray's session.
    """
    import subprocess  # takes its time, and signals are waited for before it

    # What ends this process must not end the one that tells of it.
    blocked = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    )
    try:
        speaker = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SPEAKER, line, *folders],
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
            speaker.communicate(_IN_ORDER)


def exit_with(line: str, status: int) -> NoReturn:
    """End this process now, with ``line`` on stderr, whatever it is doing."""
    for pipe in _silence:
        with suppress(OSError):
            os.write(pipe, _WITH_MESSAGE)
    with suppress(OSError):
        os.write(2, f"{line}\n".encode(errors="backslashreplace"))
    os._exit(status)
