"""Standard output of a command, robust against poor encodings and closed pipes."""

import errno
import io
import os
import sys

STREAM_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)
"""Errors of a stream to a closed pipe, a full disk or a terminal that is gone."""


def tolerate() -> None:
    """Escape characters that a stream cannot encode, and replace a closed stream."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # as after ``>&-``
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard() -> None:
    """Make Python's final flush of stdout succeed."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    os.dup2(sys.stdout.fileno(), 1)
