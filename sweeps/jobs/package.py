"""Working directory of a job: the code of this installation, the space, and its data file."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sweeps.errors import UsageError
from sweeps.jobs.data_file import DataFile
from sweeps.origin import ROOT

PACKAGES = ("hedgecore", "search_spaces", "sweeps", "analysis")
MOST_BYTES = 100 * 2**20
"""Largest request that the dashboard of a head accepts."""
_NAME = "hedgesweep"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files give the same archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Zip archive that Ray unpacks into the working directory of a job.

    Workers do not receive it: the driver sends them the packages that it runs itself.
    """

    content: bytes

    @property
    def name(self) -> str:
        """Name under which the head stores it; the prefix is Ray's own."""
        return f"_ray_pkg_{hashlib.sha256(self.content).hexdigest()[:32]}.zip"

    @property
    def uri(self) -> str:
        """URI of the package in the store of the head."""
        return f"gcs://{self.name}"


def package(*, space: tuple[str, str], data: DataFile | None) -> Package:
    """Package of the code that runs here.

    Args:
        space: file name and text of the space.
        data: the data file to include; None for none.
    Raises:
        UsageError: it is larger than the head accepts, or a file cannot be read.
    """
    stream = io.BytesIO()
    try:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in _code():
                _add(archive, path.relative_to(ROOT).as_posix(), path.read_bytes())
            # The sweep records this version of the project, not one that the head has installed.
            metadata = f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: {version(_NAME)}\n"
            _add(archive, f"{_NAME}-{version(_NAME)}.dist-info/METADATA", metadata.encode())
            _add(archive, space[0], space[1].encode())
            if data:
                _add(archive, data.packed, data.content)
    except OSError as error:
        raise UsageError(
            f"{error.filename or 'a file of the job'} cannot be read ({error.strerror}); make it "
            "readable"
        ) from error
    content = stream.getvalue()
    if len(content) < MOST_BYTES:
        return Package(content=content)
    size = f"{len(content) / 2**20:.0f} MiB compressed"
    if data is None:
        raise UsageError(f"the job is {size}; remove large files from {ROOT}")
    raise UsageError(
        f"{data.path} makes a job of {size}, and the head accepts {MOST_BYTES // 2**20} MiB; copy "
        "it with 'ray rsync-up CLUSTER FILE /PATH/ON/THE/HEAD', and give that path, which must "
        "not exist here, as study.data.path"
    )


def _code() -> Iterator[Path]:
    for name in PACKAGES:
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    archive.writestr(entry, content)
