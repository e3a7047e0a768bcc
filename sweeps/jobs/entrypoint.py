"""Command line of a job: ``hedgesweep run`` on the head, as the user typed it here."""

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from search_spaces.yaml_text import quoted
from sweeps.errors import UsageError
from sweeps.jobs.data_file import KEY, DataFile
from sweeps.journal.opening import storage_url
from sweeps.objects.bucket import SCHEMES

_BUCKET = re.compile(r"\w+://[^/?#\s@]+(/[^/?#\s]+)*")


def entrypoint(
    space: str, *, storage: str, arguments: Sequence[str], data: DataFile | None
) -> str:
    """Text for the head's shell, whose process the driver replaces: it receives the signals.

    Args:
        space: file in the working directory of the job.
        storage: see :func:`head_storage`.
        arguments: options of the sweep.
        data: file to be moved out of that directory.
    """
    settings = [] if data is None else ["--set", f"{KEY}={quoted(data.head_path)}"]
    # Not the installed command: the path of Python begins with the working directory of the job.
    run = ["exec", "python", "-P", "-m", "sweeps", "run", *arguments, *settings]
    command = shlex.join([*run, "--storage", storage, "--address", "auto", "--", space])
    if data is None:
        return command
    source = shlex.quote(data.packed)
    target = f'"$HOME"/{shlex.quote(data.head_path.removeprefix("~/"))}'
    # Atomic, and only if absent: another sweep may be reading it.
    copy = f"install -D -m 600 {source} {target}.$$ && mv -f {target}.$$ {target}"
    return f"{{ cmp -s {source} {target} || {{ {copy}; }}; }} && {command}"


def head_storage(text: str) -> str:
    """``text`` if it names a storage in every working directory of the head.

    Raises:
        UsageError: a relative path, or an invalid URL.
    """
    if storage_url(text) is not None:
        if not _BUCKET.fullmatch(text.rstrip("/")):
            raise UsageError(
                f"storage {text} is not the URL of an object store; give s3://BUCKET/NAME, and "
                "credentials in the environment of the head"
            )
        return text
    path = text.removeprefix("file://")
    if "://" in path or not (PurePosixPath(path).is_absolute() or path.startswith("~/")):
        schemes = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise UsageError(
            f"storage {text!r} has no fixed place on the head, and would be removed with the "
            "folder of the job; give a path there that begins with / (or, in quotes, with ~/), "
            f"or a URL ({schemes})"
        )
    return path
