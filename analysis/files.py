"""Reading of storage files within size limits, and atomic writing of report files.

Neither follows symbolic links: an untrusted storage must not make the reader open a device, nor
make a report overwrite another file of the user.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from analysis import object_stores
from analysis.errors import AnalysisError
from analysis.escapes import excerpt

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe blocks until it has a writer.
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class StorageError(AnalysisError):
    """A storage cannot be read, or a report not written; one line that names the cure."""


def folder(storage: object) -> Path:
    """Path of ``storage``, a directory that need not exist, or a copy if it is a URL.

    Raises:
        ObjectStoreError: the object store cannot be read.
        TypeError: it is neither text nor a path.
        StorageError: the name is not valid for a directory.
    """
    if not isinstance(storage, str | Path):
        raise TypeError(
            f"a storage is text or a Path, such as 'results/tickets'; got {excerpt(storage)}"
        )
    if not str(storage).strip() or "\0" in str(storage):
        raise StorageError(f"{str(storage)!r} names no directory; give that of a sweep")
    url = object_stores.url_of(storage)
    return object_stores.copied(url) if url else Path(storage)


def read(path: Path, *, most: int) -> bytes:
    """All bytes of the regular file at ``path``.

    Args:
        path: its last part must not be a symbolic link.
        most: size limit in bytes.
    Raises:
        OSError: it cannot be read, is not a regular file, or is too large; see :func:`reason`.
    """
    with open(os.open(path, _OLD), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError("not a regular file")
        if about.st_size > most:
            raise OSError(f"{about.st_size} bytes, at most {most} are read")
        content = file.read(most + 1)  # one more, to detect growth since fstat
    if len(content) > most:
        raise OSError(f"more than {most} bytes, at most {most} are read")
    return content


_PRINTED = (
    "what is printed above is whole: run this again with --out FOLDER, "
    "which writes the files there"
)
"""Cure where a report cannot be written."""


def write(folder: Path, name: str, content: bytes, *, cure: str = _PRINTED) -> Path:
    """Write ``content`` to the file ``name`` of ``folder`` atomically; returns its path.

    Readers of the folder see the old file or the new one, never a partial one.

    Args:
        folder: created if missing; its parent must exist.
        name: relative, with ``/`` between the sub-folders, which are created if missing.
        content: of the file.
        cure: of an error, as a clause.
    Raises:
        StorageError: it cannot be written, or ``folder`` or a sub-folder is a symbolic link.
    """
    *above, last = PurePosixPath(name).parts
    assert ".." not in (*above, last), name
    try:
        with _opened(folder, above) as within:
            _put(within, last, content)
    except OSError as error:
        raise StorageError(
            f"'{folder / name}' cannot be written ({reason(error)}); {cure}"
        ) from error
    return folder / name


def reason(error: Exception) -> str:
    """Short reason why a file cannot be read or written, on one line."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "it is a symbolic link"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def _opened(folder: Path, below: Sequence[str]) -> Iterator[int]:
    """Descriptor of the folder ``below`` ``folder``; missing folders are created."""
    within = _folder(folder, None)
    try:
        for name in below:
            following = _folder(name, within)
            os.close(within)
            within = following
        yield within
    finally:
        os.close(within)


def _folder(path: str | Path, within: int | None) -> int:
    with suppress(FileExistsError):
        os.mkdir(path, dir_fd=within)
    try:
        return os.open(path, _FOLDER, dir_fd=within)
    except NotADirectoryError as error:
        # For O_DIRECTORY, Linux reports ENOTDIR for links and files alike.
        is_link = stat.S_ISLNK(os.stat(path, dir_fd=within, follow_symlinks=False).st_mode)
        what = "a symbolic link" if is_link else "not a folder"
        raise OSError(f"{os.path.basename(path)} is {what}") from error


def _put(within: int, name: str, content: bytes) -> None:
    # An unpredictable name prevents an attacker from creating a file or link there first.
    partial = f".{secrets.token_hex(16)}.partial"
    descriptor = os.open(partial, _NEW, 0o666, dir_fd=within)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(partial, name, src_dir_fd=within, dst_dir_fd=within)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial, dir_fd=within)
        raise
