"""Exits of this process without an exception, each with one line on stderr."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

# Learns from its stdin how the parent process ends: in order, with a line of its own, or (end of
# file) silently. Processes that are still dying may write to the folders.
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
"""Pipes to the processes that print a line if this one ends silently."""
_stderr: list[tuple[int, str | None]] = [(2, None)]
"""Descriptors of stderr, the present one last, and the file that replaces 2 meanwhile."""


@contextmanager
def message_if_aborted(line: str, *folders: str) -> Iterator[None]:
    """Start a small process that prints ``line`` if this one ends silently inside.

    Ray's core exits so when its object store is gone, which this process cannot prevent.
    The small process then also removes ``folders``, such as Ray's session.
    """
    import subprocess  # slow to import; signals are handled before it

    # A signal that ends this process must not end the small one.
    blocked = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    )
    try:
        speaker = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SPEAKER, line, *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=_stderr[-1][0],
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


@contextmanager
def stderr(descriptor: int, *, messages: str) -> Iterator[None]:
    """Use ``descriptor`` as stderr inside, where 2 is the file ``messages``."""
    _stderr.append((descriptor, messages))
    try:
        yield
    finally:
        _stderr.pop()


def exit_with(line: str, status: int) -> NoReturn:
    """Exit this process immediately with ``status`` and ``line`` on stderr.

    The line also names the file of Ray's messages, unless that is empty and so removed.
    """
    for pipe in _silence:
        with suppress(OSError):
            os.write(pipe, _WITH_MESSAGE)
    descriptor, messages = _stderr[-1]
    with suppress(OSError):
        if messages and os.path.getsize(messages):
            line = f"{line}; Ray's messages are in {messages}"
        elif messages:
            os.unlink(messages)
    with suppress(OSError):
        os.write(descriptor, f"{line}\n".encode(errors="backslashreplace"))
    os._exit(status)
