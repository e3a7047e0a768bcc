"""Space files: by path, or shipped with the package by name."""

import os
import stat
from pathlib import Path

from hedgecore.registry import suggestion
from search_spaces.messages import SpaceError
from search_spaces.yaml_source import MOST_BYTES
from search_spaces.yaml_text import show

FOLDER = Path(__file__).parent
"""Folder of the shipped spaces."""


def shipped() -> tuple[str, ...]:
    """Names of the space files shipped with the package."""
    return tuple(sorted(file.name for file in FOLDER.glob("*.yaml")))


def read(space: str | os.PathLike[str], *, by_name: bool = True) -> tuple[Path, str]:
    """Path and text of a space file.

    Args:
        space: a path; if it does not exist, the last part names a shipped space, with or without
            its suffix.
        by_name: False if a shipped space is not meant.
    Raises:
        SpaceError: it cannot be read, is not a regular file, is too large, or is not UTF-8.
        TypeError: ``space`` is not a path.
    """
    if not isinstance(space, str | os.PathLike) or isinstance(os.fspath(space), bytes):
        cure = "give the path of a YAML file, or the name of a shipped space such as 'tickets'"
        raise TypeError(f"a space must be a string or a Path, got {show(space)}; {cure}")
    path = Path(space)
    if not str(space).strip():
        raise SpaceError("the name of the space is empty; give a YAML file, or tickets")
    try:
        data = _bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        if not by_name:
            raise SpaceError(f"no such file {path}; check its folder and name") from None
        path = shipped_path(path)
        data = _bytes(path)
    except (OSError, ValueError) as error:
        if isinstance(error, SpaceError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise SpaceError(f"{path}: cannot be read ({reason}); give a YAML file") from None
    try:
        return path, data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte {data[error.start]:#04x}"
        raise SpaceError(f"{path.name}:{line}: not UTF-8 ({byte}); save it as UTF-8") from None


def shipped_path(path: Path) -> Path:
    """Path of the shipped space that the last part of ``path`` names.

    Raises:
        SpaceError: there is none of this name.
    """
    names = shipped()
    for name in (path.name, f"{path.name}.yaml"):
        if name in names:
            return FOLDER / name
    stems = {name.removesuffix(".yaml"): name for name in names}
    closest = suggestion(path.name, names) or stems.get(suggestion(path.name, stems) or "")
    hint = f"; did you mean {closest!r}?" if closest else ""
    raise SpaceError(f"no such file {path}; shipped spaces: {', '.join(names) or 'none'}{hint}")


def _bytes(path: Path) -> bytes:
    # Without O_NONBLOCK, opening a FIFO would block until it has a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            near = f", or {path.name}.yaml" if f"{path.name}.yaml" in shipped() else ""
            raise SpaceError(f"{path}: is a directory; give a YAML file in it{near}")
        if not stat.S_ISREG(mode):
            raise SpaceError(f"{path}: is not a regular file; save the space in one")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MOST_BYTES:
        limit = f"{MOST_BYTES:,} bytes"
        raise SpaceError(f"{path}: is larger than {limit}; a space is a few kilobytes")
    return data
