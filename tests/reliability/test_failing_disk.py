"""F3: the disk refuses, fills up, or takes half a line, at every call; and a memory disk fills."""

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from invariants import leaves_nothing, readable, said_so
from reliability.aftermath import resumes, said, sound, traced

from sweeps.journal.storage import Lock, WriteError, replace
from sweeps.journal.writer import Writer

CALLS = (
    "openat",
    "write",
    "pwrite64",
    "ftruncate",
    "flock",
    "fsync",
    "renameat",
    "mkdir",
    "mkdirat",
)
ERRORS = {"EIO": "Input/output error", "ENOSPC": "No space left", "EDQUOT": "quota"}
ALL = [(call, error) for call in CALLS for error in ERRORS]
QUICK = {("write", "ENOSPC"), ("fsync", "EIO")}
strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def check_all(tmp_path: Path, call: str, fault: str, text: str, *options: str, **where) -> None:
    """The ``fault`` at the first ``call``, the second ..., until the driver no longer meets it."""
    for n in count(1):
        storage = tmp_path / f"{n:02d}"
        ended, met = traced(storage, call, f"{fault}:when={n}", *options, **where)
        sound(storage, said(ended.stdout))
        if not met:
            assert n > 1, f"no {call} at all"
            return
        said_so(ended, rf"{text}.*; .*(start again|give another --storage|restore it)")
        leaves_nothing(storage)
        resumes(storage, said(ended.stdout))


@strace
@pytest.mark.parametrize(
    ("call", "error"),
    [pytest.param(*c, marks=[] if c in QUICK else pytest.mark.slow) for c in ALL],
)
def test_an_error_at_any_call_ends_the_driver_with_one_line_and_no_loss(tmp_path, call, error):
    check_all(tmp_path, call, f"error={error}", ERRORS[error])


@strace
@pytest.mark.parametrize("taken", [0, 7])
def test_a_short_write_to_the_log_ends_the_driver_with_one_line_and_no_loss(tmp_path, taken):
    check_all(tmp_path, "write", f"retval={taken}", "bytes fitted", names=["log/0001.jsonl"])


@strace
@pytest.mark.slow
def test_an_error_of_close_costs_nothing_that_was_committed(tmp_path):
    for n in count(1):
        storage = tmp_path / f"{n:02d}"
        ended, met = traced(storage, "close", f"error=EIO:when={n}")
        sound(storage, said(ended.stdout))
        if not met:
            return
        assert len(ended.stderr.splitlines()) == (ended.returncode != 0)
        resumes(storage, said(ended.stdout))


@strace
def test_control_a_driver_deaf_to_errors_loses_what_it_acknowledged(tmp_path):
    with pytest.raises(AssertionError, match=r"I[13]: "):
        check_all(tmp_path, "write", "error=ENOSPC", "No space left", "--broken", "ignore_errors")


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes: the kernel then takes part of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_of_which_the_kernel_takes_any_part_is_not_recorded_and_ends_the_writer(tmp_path):
    row = {"type": "row", "loss": 0.5}
    for taken in count():
        storage = tmp_path / f"{taken:02d}"
        with Lock(storage):
            writer = Writer(storage, {})
            before = readable(storage)
            size = (storage / "log" / "0001.jsonl").stat().st_size
            try:
                with at_most(size + taken):
                    writer.append(row)
            except WriteError as error:
                failure = str(error)
            else:
                assert taken == (storage / "log" / "0001.jsonl").stat().st_size - size
                return
            for again in (writer.commit, lambda writer=writer: writer.append(row)):
                with pytest.raises(WriteError, match=re.escape(failure)):
                    again()
            writer.close()
            assert readable(storage) == before
            (torn := Writer(storage, {})).append(row)
            torn.close()
            assert readable(storage)[-2:] == [row, {"type": "close"}]


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """64 KiB of memory as a file system."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("tmpfs cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(writer: Writer, committed: list[dict[str, object]]) -> None:
    for n in count():
        writer.append(row := {"type": "row", "id": n, "text": "x" * 100})
        writer.commit()
        committed.append(row)


@root
def test_a_full_disk_keeps_every_committed_row_and_room_is_the_cure(small_disk):
    storage, committed = small_disk / "s", []
    with Lock(storage):
        writer = Writer(storage, {})
        with pytest.raises(WriteError, match=r"\((only .* fitted|No space left.*)\); make room"):
            fill(writer, committed)
        writer.close()
    assert len(committed) > 100
    assert readable(storage)[1:] == committed
    subprocess.run(["mount", "-o", "remount,size=256k", str(small_disk)], check=True)
    with Lock(storage):
        (next_start := Writer(storage, {})).append({"type": "row", "id": "more"})
        next_start.close()
    found = [record for record in readable(storage) if record["type"] == "row"]
    assert found == [*committed, {"type": "row", "id": "more"}]


@root
def test_a_full_disk_leaves_the_old_table_and_no_temporary_file(small_disk):
    replace(small_disk / "table", b"old")
    with pytest.raises(WriteError, match=r"table could not be written \(No space left"):
        replace(small_disk / "table", b"new" * 30_000)
    assert [(file.name, file.read_bytes()) for file in small_disk.iterdir()] == [("table", b"old")]


@root
def test_a_storage_that_became_read_only_is_refused_in_one_line(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(Exception, match=r"Read-only file system\); give another --storage"):
        Lock(small_disk / "s")
