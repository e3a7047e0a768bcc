"""Files for output of Ray that is too long for a line, named by the line."""

import os
import tempfile


def trace_file(content: str = "") -> str:
    """Path of a new file with ``content``, readable by this user only."""
    descriptor, path = tempfile.mkstemp(prefix="hedgesweep-ray-", suffix=".log")
    with os.fdopen(descriptor, "w") as stream:
        stream.write(content)
    return path
