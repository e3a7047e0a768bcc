"""Local copies of storages on object stores, so that readers work on a folder in either case.

Names come from the store and may be hostile, so only those that a sweep uses are copied.
"""

import atexit
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from hedgecore.errors import HedgesweepError
from sweeps.errors import UsageError
from sweeps.journal import bounds, files
from sweeps.journal.layout import CHECKPOINT, FILES, NAMES
from sweeps.objects import commits, holder
from sweeps.objects.bucket import READING, Bucket
from sweeps.objects.store import Entry, ObjectStore, StoreError

_READERS = 16  # concurrent requests
_ATTEMPTS = 5
_WHOLE = -1  # in place of a number of commits: one object has replaced them
_FILE = "[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}"
PARTS = ("log", "study", "models", "checkpoints", *FILES)
"""Folders and files of a storage that are copied."""
_BELOW = [
    re.compile(f"models/{NAMES['trial'].pattern}/{_FILE}"),
    re.compile(f"study/{NAMES['preparation'].pattern}/{_FILE}", re.ASCII),
    re.compile(f"checkpoints/{CHECKPOINT.pattern}"),
]
_PREFIX = "hs-storage-"
_MIRRORS: "dict[str, Mirror]" = {}  # of this process, by URL


class Mirror:
    """The folder ``folder``, which equals the objects of ``store`` after each :meth:`refresh`.

    A refresh may be limited to some of :data:`PARTS`; others are then as old as they were.

    Args:
        before: number of the start of a driver that writes the later files of the log itself;
            None to copy all.
    """

    def __init__(self, store: ObjectStore, folder: Path, *, before: int | None = None) -> None:
        self.store, self.folder = store, folder
        self.tags: dict[str, str] = {}
        """Tag of the object that each file was copied from, or to, by name."""
        self.sizes: dict[str, int] = {}
        """Bytes of the objects that the last refresh left out, by name."""
        self._before = before
        self._commits: dict[int, int] = {}  # copied, by start

    def refresh(self, parts: Collection[str] = PARTS) -> None:
        """Copy objects that are new or changed, and remove files whose objects are gone.

        Args:
            parts: those of :data:`PARTS` that are copied.
        Raises:
            UsageError: the store does not answer, or holds what is not of a sweep.
        """
        try:
            for _ in range(_ATTEMPTS):
                with suppress(LookupError):  # an object was removed after it was listed
                    return self._refresh(parts)
        except StoreError as error:
            raise UsageError(
                f"storage {self.store.url} cannot be read ({error}); check its name, the "
                "credentials in the environment and the network"
            ) from error
        except OSError as error:
            raise _no_room(error) from error
        raise UsageError(f"storage {self.store.url} changes too fast to be read; try it again")

    def _refresh(self, parts: Collection[str]) -> None:
        entries = {entry.name: entry for entry in self.store.list()}
        check_names(self.store, entries)
        for number, stage in commits.stages(entries).items():
            if self._before is None or number < self._before:
                self._copy_log(number, stage)
        # A driver has a lock of its own on its copy.
        omitted = (holder.NAME,) if self._before is not None else ()
        entries = {n: e for n, e in entries.items() if _copied(n) and n not in omitted}
        needed = {n: e for n, e in entries.items() if n.partition("/")[0] in parts}
        self.sizes = {n: e.size for n, e in entries.items() if n not in needed}
        changed = [entry for name, entry in needed.items() if self.tags.get(name) != entry.tag]
        with ThreadPoolExecutor(_READERS) as pool:
            list(pool.map(self._copy, changed))
        for name in self.tags.keys() - entries.keys():
            (self.folder / name).unlink(missing_ok=True)
            del self.tags[name]

    def _copy(self, entry: Entry) -> None:
        most = bounds.TABLE if entry.name.endswith(".parquet") else bounds.TENSORS
        if entry.size > most:
            raise StoreError(f"{entry.name} is over {most} bytes long")
        content, tag = self._object(entry.name)
        self._write(entry.name, content)
        self.tags[entry.name] = tag

    def _copy_log(self, number: int, stage: commits.Stage) -> None:
        name, present = f"log/{number:04d}.jsonl", self._commits.get(number)
        if present == _WHOLE:
            return
        if stage.whole:
            content, _ = self._object(name)
            if not files.holds(self.folder / name, content):
                self._write(name, content)
            self._commits[number] = _WHOLE
            return
        if present is None:  # a claim may have no commit
            self._write(name, b"")
            self._commits[number] = present = 1
        new = commits.lines(self.store, number, start=present, stop=stage.parts)
        with (self.folder / name).open("ab") as stream:
            for lines in new:
                stream.write(lines)
                self._commits[number] += 1

    def _object(self, name: str) -> tuple[bytes, str]:
        found = self.store.get(name)
        if found is None:
            raise LookupError(name)
        return found.content, found.tag

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        with files.replacement(path, root=self.folder, make=True) as stream:
            stream.write(content)


def mirrored(url: str, parts: Collection[str] = PARTS) -> Path:
    """The folder of this process with a copy of the storage at ``url``, as it is now.

    Args:
        url: of the storage.
        parts: those of :data:`PARTS` that are copied.
    Raises:
        UsageError: the store does not answer, or holds what is not of a sweep.
    """
    store = Bucket(url, patience=READING)
    if store.url not in _MIRRORS:
        _MIRRORS[store.url] = Mirror(store, temporary_folder())
    _MIRRORS[store.url].refresh(parts)
    return _MIRRORS[store.url].folder


def with_urls(text: str) -> str:
    """``text`` with the URLs of storages in place of their copies in this process."""
    for url, copy in _MIRRORS.items():
        text = text.replace(str(copy.folder), url)
    return text


@contextmanager
def named(folder: Path, name: str) -> Iterator[None]:
    """Errors that name the storage ``name`` in place of its local copy, ``folder``."""
    try:
        yield
    except HedgesweepError as error:
        error.args = tuple(
            text.replace(str(folder), name) if isinstance(text, str) else text
            for text in error.args
        )
        raise


def temporary_folder() -> Path:
    """A new folder, removed when this process ends.

    Folders of processes that were killed are removed too: each is locked while it is in use.

    Raises:
        UsageError: none can be made.
    """
    try:
        parent = Path(tempfile.gettempdir())
        for old in parent.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                _remove_unused(old)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        # The lock appears under its name once it is held.
        fd = os.open(folder / "new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(folder / "new", folder / "lock")
        (folder / "storage").mkdir()
    except OSError as error:
        raise _no_room(error) from error
    return folder / "storage"


def _no_room(error: OSError) -> UsageError:
    return UsageError(
        f"the copy of the storage cannot be written ({error.strerror}); set TMPDIR to a folder "
        "with room for it"
    )


def check_names(store: ObjectStore, names: Collection[str]) -> None:
    """Refuse a prefix that holds other objects, and no log.

    Raises:
        UsageError: that is so.
    """
    foreign = sorted(name for name in names if not _copied(name) and not name.startswith("log/"))
    if foreign and not any(name.startswith("log/") for name in names):
        listing = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" * (len(foreign) > 3))
        raise UsageError(
            f"storage {store.url} holds what is not of a sweep ({listing}); give a new prefix"
        )


def _remove_unused(folder: Path) -> None:
    fd = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(fd)


def _copied(name: str) -> bool:
    """True if the object ``name`` is one of a sweep and not of its log."""
    return name in (*FILES, holder.NAME) or any(p.fullmatch(name) for p in _BELOW)
