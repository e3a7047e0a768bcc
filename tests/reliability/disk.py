"""A disk that forgets: what may be left of recorded file operations after a power loss.

Strict POSIX and nothing kinder. Of a file, what its last ``fsync`` covered is kept; bytes written
since then arrive or do not, block by block, and the file ends anywhere. Of a folder, the names
at its last ``fsync`` are kept; later entries and renames arrive or do not, each by itself.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, combinations, product
from pathlib import Path
from unittest.mock import patch

BLOCK = 40  # bytes that arrive together; smaller than any record, to be hard on the log
HOLES = (b"\0", b"\n")  # in place of a block that did not arrive
PATCHED = ("open", "fdopen", "write", "fsync", "replace", "unlink", "mkdir", "close")


@dataclass(eq=False)
class File:
    synced: bytes = b""
    content: bytes = b""

    def sync(self) -> None:
        self.synced = self.content

    def states(self) -> Iterator[bytes]:
        """The least first, then what has arrived with holes, then all."""
        safe, content = self.synced, self.content
        yield safe
        if not content.startswith(safe):  # written anew
            yield from (content[:size] for size in range(len(content) + 1))
            return
        yield from (content[:size] for size in range(len(safe), len(content)))
        starts = range(len(safe) // BLOCK * BLOCK, len(content), BLOCK)
        for lost, hole in product(subsets(starts), HOLES):
            holed = bytearray(content)
            for start in lost:
                begin, end = max(start, len(safe)), min(start + BLOCK, len(content))
                holed[begin:end] = hole * (end - begin)
            yield bytes(holed)


@dataclass(eq=False)
class Folder:
    synced: dict[str, "File | Folder"] = field(default_factory=dict)
    pending: list[tuple[str | None, str, "File | Folder | None"]] = field(default_factory=list)

    @property
    def names(self) -> dict[str, "File | Folder"]:
        return applied(self.synced, self.pending)

    def sync(self) -> None:
        self.synced, self.pending = self.names, []


Names = dict[str, File | Folder]


def applied(names: Names, entries) -> Names:
    """``names`` after entries (old name or None, name, what it names or None once removed)."""
    names = dict(names)
    for old, name, node in entries:
        names[name] = node
        if node is None:
            del names[name]
        if old is not None and names.get(old) is node:
            del names[old]
    return names


def subsets(items) -> Iterator[tuple]:
    items = list(items)
    return chain.from_iterable(combinations(items, n) for n in range(len(items) + 1))


class Disk:
    """Everything below ``root``, as the operations of `recording` leave it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.top = Folder()
        self.operations = 0

    def node(self, path: str | Path) -> File | Folder:
        node: File | Folder = self.top
        for name in Path(path).relative_to(self.root).parts:
            assert isinstance(node, Folder)
            node = node.names[name]
        return node

    def enter(
        self, path: str | Path, node: File | Folder | None, old: str | Path | None = None
    ) -> None:
        parent = self.node(Path(path).parent)
        assert isinstance(parent, Folder)
        parent.pending.append((None if old is None else Path(old).name, Path(path).name, node))

    def states(self, *, least: bool = False) -> Iterator[dict[str, bytes]]:
        """Every content of the disk, by path, that a power loss at this moment may leave."""
        return self._below(self.top, "", least)

    def _below(self, folder: Folder, at: str, least: bool) -> Iterator[dict[str, bytes]]:
        for arrived in [()] if least else subsets(folder.pending):
            names = applied(folder.synced, arrived)
            options = []
            for name, node in names.items():
                here = f"{at}{name}"
                if isinstance(node, Folder):
                    options.append(
                        [{f"{here}/": b"", **s} for s in self._below(node, f"{here}/", least)]
                    )
                elif name != "lock":  # which nobody reads after a restart
                    states = [node.synced] if least else dict.fromkeys(node.states())
                    options.append([{here: state} for state in states])
            for chosen in product(*options):
                yield {path: content for part in chosen for path, content in part.items()}


@contextmanager
def recording(disk: Disk, before: Callable[[], object]) -> Iterator[None]:
    """Let ``disk`` follow what `os` does below its root, ``before()`` first of each operation.

    ``fsync`` reaches the model alone: the files themselves are in no danger.
    """
    real = {name: getattr(os, name) for name in PATCHED}
    opened: dict[int, Path] = {}

    def step() -> None:
        before()
        disk.operations += 1

    def at(path, fd=None) -> Path:
        """``path``, which may be relative to the open folder ``fd``."""
        return Path(path) if fd is None else opened.get(fd, Path("/elsewhere")) / path

    def open_(path, flags, mode=0o777, *, dir_fd=None):
        here = at(path, dir_fd)
        ours = here.is_relative_to(disk.root)
        made = ours and not os.path.lexists(here)
        if made:
            step()
        fd = real["open"](path, flags, mode, dir_fd=dir_fd)
        if made:
            disk.enter(here, File())
        if ours:
            opened[fd] = here
        return fd

    def fdopen(fd, mode, **kwargs):
        return Stream(fd) if "w" in mode and fd in opened else real["fdopen"](fd, mode, **kwargs)

    class Stream:
        """Unbuffered, so that the model sees every write."""

        def __init__(self, fd) -> None:
            self.fd = fd

        def write(self, data) -> None:
            write(self.fd, data)

        def __enter__(self) -> "Stream":
            return self

        def __exit__(self, *error) -> None:
            pass

    def write(fd, data):
        if fd not in opened:
            return real["write"](fd, data)
        step()
        disk.node(opened[fd]).content += data
        return real["write"](fd, data)

    def fsync(fd):
        if fd in opened:  # a parent of the root is not part of the disk
            step()
            disk.node(opened[fd]).sync()

    def replace(old, new, *, src_dir_fd=None, dst_dir_fd=None):
        step()
        real["replace"](old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        disk.enter(at(new, dst_dir_fd), disk.node(at(old, src_dir_fd)), at(old, src_dir_fd))

    def unlink(path, *, dir_fd=None):
        step()
        real["unlink"](path, dir_fd=dir_fd)
        disk.enter(at(path, dir_fd), None)

    def mkdir(path, mode=0o777, *, dir_fd=None):
        step()
        real["mkdir"](path, mode, dir_fd=dir_fd)
        disk.enter(at(path, dir_fd), Folder())

    def close(fd):
        opened.pop(fd, None)
        real["close"](fd)

    def write_bytes(path, content):
        step()
        if path.name not in disk.node(path.parent).names:
            disk.enter(path, File())
        disk.node(path).content = b""
        path.open("wb").close()
        step()
        disk.node(path).content = content
        with path.open("wb") as file:
            file.write(content)

    patched = (open_, fdopen, write, fsync, replace, unlink, mkdir, close)
    with (
        patch.multiple(os, **dict(zip(PATCHED, patched, strict=True))),
        patch.object(Path, "write_bytes", write_bytes),
    ):
        yield


def lay(root: Path, state: dict[str, bytes]) -> None:
    """Make ``state`` all that is below ``root``."""
    for path in sorted(root.rglob("*"), reverse=True):
        name = str(path.relative_to(root))
        if path.is_dir() and f"{name}/" not in state:
            path.rmdir()
        elif path.is_file() and name not in state:
            path.unlink()
    for name, content in state.items():
        if name.endswith("/"):
            (root / name).mkdir(exist_ok=True)
        else:
            (root / name).write_bytes(content)
