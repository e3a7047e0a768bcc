"""Layout of a storage: its file names, and checks that a folder is a storage.

A folder may be untrusted, or not a storage at all. This module decides which may be read and which
may be written, before anything is; :mod:`sweeps.journal.files` then keeps the open folders, even
if their names change.
"""

import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from urllib.parse import unquote

from sweeps.errors import UsageError
from sweeps.journal import files

LOG_FILE = re.compile(r"(\d{4}|[1-9]\d{4,})\.jsonl", re.ASCII)
CHECKPOINT = re.compile(r"([0-9a-f]{16})-[0-9a-f]{16}\.safetensors")

_FOLDERS = ("log", "checkpoints", "models", "study", "report", "requests", "evaluations")
FILES = ("manifest.json", "space.yaml", "trials.parquet", "epochs.parquet", "SHA256SUMS")
# Created in empty folders by file systems and desktops.
_HARMLESS = {"lost+found", ".DS_Store"}
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|[^/:@]+@[^/:@]+:")
NAMES = {
    "trial": re.compile(r"[0-9a-f]{16}"),
    "checkpoint": re.compile(r"[0-9a-f]{64}"),
    "preparation": re.compile(r"seed-\d{1,40}-[0-9a-f]{8}", re.ASCII),
    "run": re.compile(r"[0-9A-Za-z]{1,64}"),
    "request": re.compile(r"[0-9]{20}-[0-9a-f]{8}"),
}
_MOST_LISTED = 3


def check_name(kind: str, name: object) -> str:
    """``name``, checked for use in a path.

    Args:
        kind: key of :data:`NAMES`.
        name: text in a log or a file of the storage.
    Raises:
        UsageError: not a name that a sweep gives.
    """
    if not isinstance(name, str) or not NAMES[kind].fullmatch(name):
        label = repr(name)[:40]
        raise UsageError(
            f"the storage names a {kind} {label}, as no sweep does, so it was forged or damaged; "
            "restore it from a copy, or give another --storage"
        )
    return name


def local_path(storage: str | Path) -> Path:
    """The path of ``storage``, with ``~`` resolved.

    Raises:
        UsageError: it is not a path on this machine.
    """
    text = str(storage)
    if text.startswith("file:"):
        text = unquote(text.removeprefix("file:").removeprefix("//"))
    if _ELSEWHERE.match(text):
        raise UsageError(
            f"storage {text} is a URL of another kind, or on another host; give a folder of this "
            "machine, or s3://BUCKET/NAME, gs://BUCKET/NAME or az://CONTAINER/NAME"
        )
    try:
        path = Path(text).expanduser()
        os.stat(path)
    except FileNotFoundError:
        pass
    except RuntimeError as error:  # ~ without a home
        raise UsageError(f"storage {text}: {error}; write the path in full") from error
    except ValueError as error:  # a null character
        raise UsageError(f"storage {text!r} is not a path ({error}); give another") from error
    except OSError as error:
        raise UsageError(
            f"storage {text} cannot be used ({error.strerror}); give a directory as --storage"
        ) from error
    return path


def readable_folder(storage: str | Path) -> Path:
    """The path of a ``storage`` to be read; nothing is changed.

    Raises:
        UsageError: the folder is missing or unreadable; one of its folders is a link; it holds
            files that are not of a sweep, or a sweep without its log.
    """
    path = local_path(storage)
    if not path.exists():
        raise UsageError(f"storage {path} is not a directory; give the --storage of a run")
    _check(path, "the --storage of a run")
    return path


def writable_folder(storage: str | Path) -> Path:
    """The absolute path of a ``storage`` to write to, which need not exist; it is not created.

    Raises:
        UsageError: see :func:`readable_folder`.
    """
    path = local_path(storage).absolute()
    if path.exists():
        _check(path, "a new or an empty directory as --storage")
    return path


def _check(path: Path, cure: str) -> None:
    if not path.is_dir():
        raise UsageError(f"storage {path} is a file; give a directory as --storage")
    try:
        names = [name for name in files.names(path) if not files.PARTIAL.fullmatch(name)]
        for name in _FOLDERS:
            if name in names:
                _check_folder(path / name)
        log = files.names(path / "log", root=path) if "log" in names else []
        contents = [name for name in names if name in FILES or _holds(path, name)]
    except OSError as error:
        raise UsageError(
            f"storage {error.filename or path} cannot be read ({error.strerror}); mend its "
            "permissions, or give another --storage"
        ) from error
    if any(map(LOG_FILE.fullmatch, log)):
        return
    foreign = sorted({*names} - {*FILES, *_FOLDERS} - _HARMLESS)
    foreign += [f"log/{name}" for name in log if name != "lock"]
    if contents and (not foreign or len(contents) > 1):
        raise UsageError(
            f"storage {path} holds {_listing(contents)} of a sweep, but no log/0001.jsonl, from "
            "which all else follows; restore log/ from a copy, or give another --storage"
        )
    if foreign and "lock" not in log:  # with a lock, a sweep has begun there without a record
        listing = _listing([*foreign, *contents])
        raise UsageError(f"storage {path} holds what is not of a sweep ({listing}); give {cure}")


def _check_folder(path: Path) -> None:
    mode = os.lstat(path).st_mode
    if not stat.S_ISDIR(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "no directory"
        raise UsageError(
            f"{path} is {kind}, where a sweep has a directory of its own; remove it and put the "
            "directory itself there, or give another --storage"
        )


def _holds(path: Path, name: str) -> bool:
    """True if ``name`` is a non-empty folder of a sweep other than the log."""
    return name in _FOLDERS[1:] and bool(files.names(path / name, root=path))


def _listing(names: Collection[str]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(sorted(names)[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
