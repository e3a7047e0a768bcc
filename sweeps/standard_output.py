"""Standard output of a command: whatever its encoding, and when nobody reads it any more."""

import errno
import io
import os
import sys

STREAM_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)
"""Errors of a stream to a closed pipe, a full disk or a terminal that is gone."""


def tolerate() -> None:
    """Write what the encoding of a stream lacks as an escape, and stand in for a closed one."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # as after ``>&-``
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard() -> None:
    """Let Python's own last flush of stdout succeed."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    os.dup2(sys.stdout.fileno(), 1)
