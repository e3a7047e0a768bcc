"""Cache of fitted trees on this machine, one file for every fit.

Trees are a function of table, split and settings, and take most of a preparation. Sweeps of one
table share them, as do the seeds of a split that is the same for all. The folder may be deleted
at any time; ``HEDGESWEEP_TREES`` names another, or is "off".
"""

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

import numpy as np
import xgboost

from hedgecore.arithmetic import arithmetic

SWITCH = "HEDGESWEEP_TREES"
"""Environment variable: the folder of the cache, or "off"."""
OFF = "off"

_DEFAULT = "~/.cache/hedgesweep/trees"
_FILES = 200
_DIGEST = hashlib.sha256().digest_size


def cached(fit: Callable[[], bytes], settings: Mapping[str, object], *arrays: np.ndarray) -> bytes:
    """Result of ``fit``, or that of an earlier one of equal settings and arrays.

    A second process that needs the same waits for the first. Where the folder cannot be used,
    nothing is kept.

    Args:
        fit: function that fits.
        settings: everything that the result depends on besides ``arrays``, as JSON.
        arrays: rows and targets.
    """
    folder = Path(os.environ.get(SWITCH) or _DEFAULT).expanduser()
    if str(folder) == OFF:
        return fit()
    path = folder / _key(settings, arrays)
    model = None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            if (model := _read(path)) is None:
                model = fit()
                _write(path, model)
            _prune(folder)
    except OSError:  # a home without room or rights, or a file that another process removed
        return fit() if model is None else model
    return model


def _key(settings: Mapping[str, object], arrays: tuple[np.ndarray, ...]) -> str:
    about = {**settings, "xgboost": xgboost.__version__, "arithmetic": arithmetic().id}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _read(path: Path) -> bytes | None:
    """Content of ``path``; None if it is missing or damaged."""
    if not path.exists():
        return None
    content = path.read_bytes()
    digest, packed = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(packed).digest() != digest:
        return None
    path.touch()
    return zlib.decompress(packed)


def _write(path: Path, model: bytes) -> None:
    packed = zlib.compress(model, level=1)
    descriptor, name = mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(hashlib.sha256(packed).digest() + packed)
    Path(name).replace(path)


def _prune(folder: Path) -> None:
    """Remove the files that were not used for longest, beyond ``_FILES``."""
    files = sorted(folder.glob("?" * 64), key=lambda path: path.stat().st_mtime)
    for path in files[:-_FILES]:
        path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # A process may lock a file that another has just unlinked: then both fit, to the same bytes.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
