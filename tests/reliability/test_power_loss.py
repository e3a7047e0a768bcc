"""F4: power loss before every operation on files, on real file systems in a loop-mounted image.

The file system is told to stop as it is, which loses what was not flushed; the next mount replays
its journal as after a real power loss. Just before, a stranger's ``fsync`` takes the journal to
the disk, so that names and sizes may be there without the data they stand for.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from invariants import acknowledged_is_durable, readable
from reliability.aftermath import resumes, run, said, sound

from sweeps.journal.storage import Lock
from sweeps.journal.writer import Writer

MKFS = {"ext4": ["-q", "-F"], "xfs": ["-q"]}
SIZE = {"ext4": 32, "xfs": 300}  # MiB; the least that mkfs.xfs takes
VARIANTS = [
    ("ext4", "defaults"),
    ("ext4", "noauto_da_alloc"),
    ("ext4", "data=writeback,noauto_da_alloc"),
    ("xfs", "defaults"),
]

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
    pytest.mark.slow,
]


class Image:
    """A file system in a file, mounted, that can lose its power."""

    def __init__(self, folder: Path, kind: str, options: str) -> None:
        if shutil.which(f"mkfs.{kind}") is None:
            pytest.skip(f"needs mkfs.{kind}")
        self.file, self.top = folder / "image", folder / "mounted"
        self.options = f"loop,{options}"
        self.top.mkdir()
        with self.file.open("wb") as file:
            file.truncate(SIZE[kind] * 2**20)
        subprocess.run([f"mkfs.{kind}", *MKFS[kind], self.file], check=True)
        if not self.mount():
            pytest.skip(f"{kind} cannot be mounted here with {options}")

    def mount(self) -> bool:
        command = ["mount", "-o", self.options, self.file, self.top]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def restart(self) -> None:
        subprocess.run(["umount", self.top], check=True)
        assert self.mount()


@pytest.fixture(params=VARIANTS, ids=" ".join)
def image(request, tmp_path) -> Iterator[Image]:
    image = Image(tmp_path, *request.param)
    yield image
    subprocess.run(["umount", "-l", image.top], check=True)


def change_on_the_disk_alone(image: Image) -> Path:
    """A committed row that memory still holds, but the disk does not: so a failed fsync ends."""
    with Lock(storage := image.top / "s"):
        writer = Writer(storage, {})
        writer.append({"type": "row", "id": "PRECIOUS"})
        writer.commit()
        os.close(writer._fd)
    subprocess.run(["sync", "-f", image.top], check=True)
    content = image.file.read_bytes()
    with image.file.open("r+b") as file:
        for found in re.finditer(b"PRECIOUS", content):
            file.seek(found.start())
            file.write(b"perished")
    assert readable(storage)[-1]["id"] == "PRECIOUS"
    return storage


def test_who_takes_the_lock_reads_what_the_disk_holds(image):
    storage = change_on_the_disk_alone(image)
    with Lock(storage):
        assert [record["type"] for record in readable(storage)] == ["start"]


def test_control_a_driver_that_trusts_memory_builds_on_what_the_disk_has_lost(image, monkeypatch):
    storage = change_on_the_disk_alone(image)
    monkeypatch.setattr(os, "posix_fadvise", lambda *args: None)
    with Lock(storage):
        acknowledged = readable(storage)
    image.restart()
    with pytest.raises(AssertionError, match="I1: acknowledged, but lost"):
        acknowledged_is_durable(acknowledged, storage)


def check_all(image: Image, *options: str) -> None:
    """The power fails at the first operation, the second ..., until the driver ends before."""
    for n in count(1):
        storage = image.top / f"{n:02d}"
        ended = run(storage, "--power-off", str(n), str(image.top), *options)
        image.restart()
        assert ended.stderr == ""
        sound(storage, said(ended.stdout))
        resumes(storage, said(ended.stdout))
        if ended.returncode == 0:
            assert n > 20
            return


def test_a_power_loss_at_any_operation_loses_nothing_acknowledged(image):
    check_all(image)


def test_control_without_fsync_acknowledged_rows_are_lost(image):
    with pytest.raises(AssertionError, match=r"I1: acknowledged, but lost"):
        check_all(image, "--broken", "forget_fsync")


def test_control_a_table_written_in_place_is_lost(image):
    with pytest.raises(AssertionError, match=r"I3: table holds neither"):
        check_all(image, "--broken", "overwrite")
