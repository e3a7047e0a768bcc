"""Names of the files of figures, made of names and values of axes, which may be anything."""

import hashlib
import os
import re
import sys

_NAME_BYTES = 120


def file_name(name: str) -> str:
    """``name`` without what a path cannot hold here, and no longer than a file system takes."""
    plain = re.sub(r"[^\w.+-]+", "_", name)
    plain = re.sub(r"^\.+", "_", plain)
    if len(plain.encode(sys.getfilesystemencoding(), "replace")) <= _NAME_BYTES and _fits(plain):
        return plain
    # Names that begin alike stay apart.
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^ -~]+', '_', plain)[: _NAME_BYTES - 9]}_{digest}"


def _fits(name: str) -> bool:
    """Whether file names here, ASCII in a C locale, can be ``name``."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
