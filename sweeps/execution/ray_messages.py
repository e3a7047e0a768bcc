"""Messages of Ray's compiled core, in a file instead of on the terminal.

The core of a driver writes C++ stack traces to descriptor 2, dozens of lines for one lost node.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sweeps import exits
from sweeps.errors import HedgesweepError
from sweeps.trace_file import trace_file


@contextmanager
def messages_in_file() -> Iterator[str]:
    """Path of a file that receives what is written to descriptor 2 inside.

    ``sys.stderr`` still reaches the terminal. The file is kept if it is not empty and the block
    fails or this process exits immediately; the message then names it.

    Raises:
        HedgesweepError: that of the block; or no file can be written.
    """
    path, stream, terminal = trace_file(), sys.stderr, os.dup(2)
    replaced = None
    if _descriptor(stream) == 2:
        replaced = sys.stderr = open(  # noqa: SIM115
            terminal, "w", buffering=1, closefd=False, errors="backslashreplace"
        )
    with open(path, "wb") as file:
        os.dup2(file.fileno(), 2)
    path_in_error = False
    try:
        with exits.stderr(terminal, messages=path):
            try:
                yield path
            finally:
                os.dup2(terminal, 2)
    except HedgesweepError as error:
        # A file of a long sweep may have been removed meanwhile, as by a cleaner of /tmp.
        with suppress(OSError):
            path_in_error = os.path.getsize(path) > 0
        if path_in_error:
            error.args = (f"{error}; Ray's messages are in {path}", *error.args[1:])
        raise
    finally:
        if replaced:
            sys.stderr = stream
            with suppress(OSError):
                replaced.flush()
        os.close(terminal)
        if not path_in_error:
            with suppress(OSError):
                os.unlink(path)


def _descriptor(stream: object) -> int | None:
    try:
        return stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return None
