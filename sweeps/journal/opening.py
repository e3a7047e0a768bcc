"""Storages opened by name: a folder of this machine, or the local copy of an object store."""

import re
from collections.abc import Callable, Collection
from pathlib import Path

from sweeps.errors import UsageError
from sweeps.journal import mirror
from sweeps.journal.layout import local_path, readable_folder, writable_folder
from sweeps.journal.replica import ObjectReplica
from sweeps.journal.storage import Replica
from sweeps.objects.bucket import READING, SCHEMES, Bucket

# A Path of a URL lacks a slash.
_REMOTE = re.compile(rf"({'|'.join(SCHEMES)}):/{{1,2}}(?=[^/])")


def storage_url(storage: str | Path) -> str | None:
    """URL of a ``storage`` on an object store, without a final slash; None for a folder."""
    text = str(storage)
    scheme = _REMOTE.match(text)
    return f"{scheme[1]}://{text[scheme.end() :]}".rstrip("/") if scheme else None


def storage_name(storage: str | Path) -> str | Path:
    """``storage`` as a URL or as a local path, with ``~`` resolved.

    Raises:
        UsageError: it is neither.
    """
    return storage_url(storage) or local_path(storage)


def readable_storage(storage: str | Path, parts: Collection[str] = mirror.PARTS) -> Path:
    """The folder of a ``storage`` to be read: its own, or that of a copy made now.

    Args:
        storage: path or URL.
        parts: those of :data:`.mirror.PARTS` that are needed; a copy may lack the others.
    Raises:
        UsageError: see :func:`.layout.readable_folder`; or the object store does not answer.
    """
    url = storage_url(storage)
    if url is None:
        return readable_folder(storage)
    folder = mirror.mirrored(url, parts)
    if not (folder / "log").exists():
        raise UsageError(f"{url} holds no sweep; give the --storage of a run")
    return readable_folder(folder)


def local_folder(storage: str | Path) -> Path:
    """The folder of a ``storage``, its own or that of a copy made now, which need not exist.

    Raises:
        UsageError: it is not a name of a storage, or the object store does not answer.
    """
    url = storage_url(storage)
    return mirror.mirrored(url) if url else local_path(storage)


def writable_storage(
    storage: str | Path, *, say: Callable[[str], None]
) -> tuple[Path, Replica | None]:
    """The folder of a ``storage`` to write to, and the object store to write through to, if any.

    Raises:
        UsageError: see :func:`.layout.writable_folder` and :class:`.replica.ObjectReplica`.
    """
    url = storage_url(storage)
    if url is None:
        return writable_folder(storage), None
    replica = ObjectReplica(Bucket(url), renewing=Bucket(url, patience=READING), say=say)
    return replica.folder, replica
