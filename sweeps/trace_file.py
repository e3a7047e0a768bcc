"""Files for output of Ray that is too long for a line, named by the line."""

import os
import tempfile

from sweeps.errors import UsageError


def trace_file(content: str = "") -> str:
    """Path of a new file with ``content``, readable by this user only.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        descriptor, path = tempfile.mkstemp(prefix="hedgesweep-ray-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(content)
    except OSError as error:
        raise UsageError(
            f"output of Ray cannot be written to a temporary file ({error.strerror}); set TMPDIR "
            "to a folder with room for it"
        ) from error
    return path
