"""The folder of a bundle: written in one step; read once, so that what is checked is used."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hedgecore.bundle.errors import BundleError

# A link is not followed, and a pipe does not keep us waiting.
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is held open: its path may come to mean another, this does not."""

    path: Path
    descriptor: int

    def names(self) -> set[str]:
        """Everything in it."""
        return set(os.listdir(self.descriptor))

    def read(self, name: str, *, limit: int) -> bytes:
        """All of the file ``name``, which is read this once.

        Raises:
            BundleError: it is missing, no plain file, or longer than ``limit`` bytes.
        """

        def opener(path: str, _: int) -> int:
            return os.open(path, _PLAIN, dir_fd=self.descriptor)

        try:
            with open(name, "rb", opener=opener) as stream:
                plain = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
                content = stream.read(limit + 1) if plain else b""
        except OSError as error:
            raise BundleError(
                f"{self.path}/{name} cannot be read as a plain file ({error.strerror}); "
                "get the bundle again"
            ) from error
        if not plain:
            raise BundleError(f"{self.path}/{name} is no plain file; get the bundle again")
        if len(content) > limit:
            raise BundleError(
                f"{self.path}/{name} has more than {limit} bytes; get the bundle again"
            )
        return content


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """The folder at ``path``, held open.

    Raises:
        BundleError: there is none.
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
    """Make ``path`` a folder of just these ``files``, all of them or none.

    Raises:
        BundleError: there is something at ``path`` already, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as scratch:
            folder = Path(scratch) / path.name
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_bytes(content)
            folder.rename(path)  # refuses a folder that holds anything
    except OSError as error:
        raise BundleError(
            f"{path} cannot be written ({error.strerror}); give a new folder"
        ) from error
