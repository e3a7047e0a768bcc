"""File names of figures, made safe from arbitrary names and values of axes."""

import hashlib
import os
import re
import sys

_NAME_BYTES = 120


def file_name(name: str) -> str:
    """``name`` without characters that are invalid in paths, cut to the limit of file systems."""
    plain = re.sub(r"[^\w.+-]+", "_", name)
    plain = re.sub(r"^\.+", "_", plain)
    if len(plain.encode(sys.getfilesystemencoding(), "replace")) <= _NAME_BYTES and _fits(plain):
        return plain
    # A digest keeps names with a common beginning distinct.
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^ -~]+', '_', plain)[: _NAME_BYTES - 9]}_{digest}"


def _fits(name: str) -> bool:
    """True if ``name`` can be encoded as a file name (ASCII only in a C locale)."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
