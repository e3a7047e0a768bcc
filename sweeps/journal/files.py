"""Files opened, listed and replaced without following a link.

Any name in a storage may be hostile: a link into a home, a pipe without a writer, a file of any
size. So each file is opened relative to its folder, which is open already, and that
folder in turn relative to the storage; no name on the way is looked up twice. A refusal is an
ordinary `OSError`, whose ``strerror`` has the reason.

A rename or a new name in a folder survives a power loss only after ``fsync`` of the file and then
of the folder. A failed ``fsync`` is never repeated: the kernel has
dropped the pages by then, and a second call would report success wrongly.
"""

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

Announce = Callable[[BinaryIO], None]
"""Called with a file's new content, open for reading, before it replaces the old one."""

PARTIAL = re.compile(r"[0-9a-f]{32}\.partial")
"""Name of a temporary file; any that a crash left may be removed."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK  # opening a pipe does not block


@contextmanager
def folder(path: Path, *, root: Path | None = None, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder at ``path``.

    Args:
        root: the folder above it whose own path may contain links;
            ``path`` itself if None.
        make: whether to make what is missing below ``root``.
    Raises:
        OSError: it is missing, or a link.
    """
    root = path if root is None else root
    fd = os.open(root, _FOLDER)
    try:
        at = root
        for name in path.relative_to(root).parts:
            at /= name
            below = _below(fd, name, at, make=make)
            shut(fd)
            fd = below
        yield fd
    finally:
        shut(fd)


@contextmanager
def open_file(path: Path, *, root: Path | None = None) -> Iterator[BinaryIO]:
    """The file at ``path``, open for reading; ``root`` as in :func:`folder`, default its folder.

    Raises:
        OSError: it is missing, or not a regular file.
    """
    with folder(path.parent, root=root) as at:
        fd = open_plain(path.name, at)
    try:
        with os.fdopen(fd, "rb", closefd=False) as stream:
            yield stream
    finally:
        shut(fd)


def read(path: Path, *, most: int, root: Path | None = None) -> bytes:
    """The content of the file at ``path``.

    Raises:
        OSError: see :func:`open_file`; or it has more than ``most`` bytes.
    """
    with open_file(path, root=root) as stream:
        size = os.fstat(stream.fileno()).st_size
        content = stream.read(most + 1) if size <= most else b""
        if max(size, len(content)) > most:
            raise OSError(errno.EFBIG, f"over {most} bytes long", str(path))
        return content


def holds(path: Path, content: bytes) -> bool:
    """True if the file at ``path`` exists and holds ``content``."""
    try:
        return read(path, most=len(content)) == content
    except OSError:
        return False


def read_json(path: Path, *, most: int, root: Path | None = None) -> Any:
    """The JSON in the file at ``path``.

    Raises:
        OSError: see :func:`read`.
        ValueError: it is not JSON, or too deeply nested.
    """
    try:
        return json.loads(read(path, most=most, root=root), parse_int=_integer)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def names(path: Path, *, root: Path | None = None) -> list[str]:
    """Names in the folder at ``path``, sorted; see :func:`folder`."""
    with folder(path, root=root) as at:
        return sorted(os.listdir(at))


@contextmanager
def replacement(
    path: Path, *, root: Path | None = None, make: bool = False, announce: Announce | None = None
) -> Iterator[BinaryIO]:
    """A file to write to, which replaces ``path`` at the end.

    At every moment, also after a crash, ``path`` holds either the complete old or the complete
    new content. On failure the old content stays and the new file is removed.

    Args:
        path: what to replace; a link there is replaced, not followed.
        root: see :func:`folder`; its folder if None.
        make: see :func:`folder`.
        announce: called with the new content before it replaces the old.
    Raises:
        OSError: the file system refused.
    """
    with folder(path.parent, root=root, make=make) as at:
        partial = f"{token_hex(16)}.partial"
        fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | _PLAIN, 0o666, dir_fd=at)
        try:
            with os.fdopen(fd, "wb", closefd=False) as stream:
                yield stream
            os.fsync(fd)
            if announce is not None:
                os.lseek(fd, 0, os.SEEK_SET)
                with os.fdopen(fd, "rb", closefd=False) as stream:
                    announce(stream)
            os.replace(partial, path.name, src_dir_fd=at, dst_dir_fd=at)
            os.fsync(at)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial, dir_fd=at)
            raise
        finally:
            shut(fd)


def remove(at: int, name: str) -> None:
    """Remove the regular file ``name`` from the open folder ``at``; harmless when repeated."""
    with suppress(FileNotFoundError):
        if stat.S_ISREG(os.lstat(name, dir_fd=at).st_mode):
            os.unlink(name, dir_fd=at)


def open_plain(name: str, at: int, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the regular file ``name`` in the open folder ``at``.

    Raises:
        OSError: it is missing, or not a regular file.
    """
    try:
        fd = os.open(name, flags | _PLAIN, 0o666, dir_fd=at)
    except OSError as error:
        raise _reason(error, name, at, name) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        shut(fd)
        raise OSError(errno.EINVAL, f"{name} is not a regular file", name)
    return fd


def sync(path: Path) -> None:
    """Wait until the file, or the names in the folder, at ``path`` are on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        shut(fd)


def shut(fd: int) -> None:
    """Close ``fd`` without regard to errors; only ``fsync`` reports success."""
    with suppress(OSError):
        os.close(fd)


def _integer(digits: str) -> int:
    if len(digits) > 19:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _below(fd: int, name: str, path: Path, *, make: bool) -> int:
    """A descriptor of the folder ``name`` in the folder ``fd``."""
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=fd)
            os.fsync(fd)
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
    except OSError as error:
        raise _reason(error, name, fd, str(path)) from error


def _reason(error: OSError, name: str, at: int, path: str) -> OSError:
    """Error with the true reason, in place of the kernel's loop, folder or device."""
    with suppress(OSError):
        mode = os.lstat(name, dir_fd=at).st_mode
        if stat.S_ISLNK(mode):
            return OSError(errno.ELOOP, f"{name} is a symbolic link", path)
        if stat.S_ISSOCK(mode):
            return OSError(errno.EINVAL, f"{name} is not a regular file", path)
    return OSError(error.errno, error.strerror, path)
