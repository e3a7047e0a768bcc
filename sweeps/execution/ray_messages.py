"""Messages of Ray's compiled core, in a file instead of on the terminal.

The core of a driver writes C++ stack traces to descriptor 2, dozens of lines for one lost node.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sweeps import exits
from sweeps.errors import HedgesweepError


@contextmanager
def messages_in_file() -> Iterator[str]:
    """Path of a file that receives what is written to descriptor 2 inside.

    ``sys.stderr`` still reaches the terminal. The file is kept if it is not empty and the block
    fails, and the message of the error then names it.

    Raises:
        HedgesweepError: that of the block.
    """
    file, path = tempfile.mkstemp(prefix="hedgesweep-ray-", suffix=".log")
    terminal, stream = os.dup(2), sys.stderr
    if _descriptor(stream) == 2:
        sys.stderr = open(  # noqa: SIM115
            terminal, "w", buffering=1, closefd=False, errors="backslashreplace"
        )
    os.dup2(file, 2)
    os.close(file)
    try:
        with exits.stderr(terminal):
            yield path
    except HedgesweepError as error:
        if not os.path.getsize(path):
            raise
        named, path = path, ""
        raise type(error)(f"{error}; Ray's messages are in {named}") from error
    finally:
        os.dup2(terminal, 2)
        sys.stderr = stream
        os.close(terminal)
        with suppress(OSError):
            os.unlink(path)


def _descriptor(stream: object) -> int | None:
    try:
        return stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return None
