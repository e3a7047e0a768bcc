"""Data file of a study, on its way to the head of a cluster."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sweeps.errors import UsageError
from sweeps.planning import machine
from sweeps.planning.plan import Plan

KEY = "study.data.path"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A file of this machine that travels with a job."""

    path: Path
    content: bytes = field(repr=False)

    @property
    def packed(self) -> str:
        """Path in the working directory of the job."""
        return f"data/{self.path.name}"

    @property
    def head_path(self) -> str:
        """Path on the head, below its user's home.

        A function of the content, because a storage remembers the path of its data, and the
        working directory of each job is another one.
        """
        sha256 = hashlib.sha256(self.content).hexdigest()
        return f"~/.cache/hedgesweep/data/{sha256[:16]}/{self.path.name}"


def data_file(plan: Plan) -> DataFile | None:
    """The data file of ``plan`` on this machine; None if it has none, or one on the head.

    An absolute path without a file here is taken for one on the head.

    Raises:
        SpaceError: there is no such file, or it is of another kind.
        UsageError: the path is an axis, or the file cannot be read.
    """
    if KEY.removeprefix("study.") in plan.space.space:
        raise UsageError(
            "a job has one data file, and space.data.path is an axis; submit one sweep for each"
        )
    path = getattr(getattr(plan.study, "data", None), "path", None)
    if not isinstance(path, str):
        machine.check_data(plan)
        return None
    settings = plan.space.study.get("data")
    written = str(settings.get("path", "")) if isinstance(settings, Mapping) else ""
    elsewhere = PurePosixPath(written).is_absolute() or written.startswith("~/")
    if elsewhere and not os.path.exists(path):  # nor looked up
        return None
    machine.check_data(plan)
    try:
        return DataFile(path=Path(path), content=Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); make it readable") from error
