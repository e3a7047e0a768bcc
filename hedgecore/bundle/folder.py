"""Folder of a bundle: written atomically; read once, so that the checked bytes are those used."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hedgecore.bundle.errors import BundleError

# Do not follow a symbolic link, and do not block on a pipe.
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Folder:
    """Folder opened by descriptor, which stays the same if its path is later replaced."""

    path: Path
    descriptor: int

    def names(self) -> set[str]:
        """Names of all entries."""
        return set(os.listdir(self.descriptor))

    def read(self, name: str, *, limit: int) -> bytes:
        """Content of the file ``name``, which is read only once.

        Raises:
            BundleError: it is missing, not a regular file, or longer than ``limit`` bytes.
        """

        def opener(path: str, _: int) -> int:
            return os.open(path, _PLAIN, dir_fd=self.descriptor)

        try:
            with open(name, "rb", opener=opener) as stream:
                plain = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
                content = stream.read(limit + 1) if plain else b""
        except OSError as error:
            raise BundleError(
                f"{self.path}/{name} cannot be read as a regular file ({error.strerror}); "
                "get the bundle again"
            ) from error
        if not plain:
            raise BundleError(f"{self.path}/{name} is not a regular file; get the bundle again")
        if len(content) > limit:
            raise BundleError(
                f"{self.path}/{name} has more than {limit} bytes; get the bundle again"
            )
        return content


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """The folder at ``path``, opened.

    Raises:
        BundleError: it does not exist or cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BundleError(
            f"{path} cannot be opened ({error.strerror}); give the folder of a bundle"
        ) from error
    try:
        yield Folder(path, descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, files: Mapping[str, bytes]) -> None:
    """Create ``path`` as a folder of exactly these ``files``, all or none.

    Raises:
        BundleError: ``path`` exists already, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as scratch:
            folder = Path(scratch) / path.name
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_bytes(content)
            folder.rename(path)  # fails for a folder that is not empty
    except OSError as error:
        raise BundleError(
            f"{path} cannot be written ({error.strerror}); give a new folder"
        ) from error
