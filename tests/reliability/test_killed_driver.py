"""F2: SIGKILL before every single system call that the driver makes on its storage."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from reliability.aftermath import resumes, said, sound, traced

QUICK = ("write", "renameat")
MANY = ("openat", "pwrite64", "ftruncate", "flock", "fsync", "mkdir", "mkdirat", "close")
CALLS = [*QUICK, *(pytest.param(call, marks=pytest.mark.slow) for call in MANY)]

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


def crashes(tmp_path: Path, call: str, *options: str) -> Iterator[tuple[Path, Any]]:
    """The storage, and what had been said, of a driver killed at its first ``call``, second ..."""
    for n in count(1):
        storage = tmp_path / f"{n:02d}"
        ended, killed = traced(storage, call, f"signal=SIGKILL:when={n}", *options)
        if not killed:
            assert ended.returncode == 0, ended.stderr
            assert n > 1, f"no {call} at all"
            return
        yield storage, said(ended.stdout)


def check_all(tmp_path: Path, call: str, *options: str) -> None:
    for storage, acknowledged in crashes(tmp_path, call, *options):
        sound(storage, acknowledged)
        resumes(storage, acknowledged)


@pytest.mark.parametrize("call", CALLS)
def test_a_driver_killed_at_any_system_call_loses_nothing_it_acknowledged(tmp_path, call):
    check_all(tmp_path, call)


def test_control_a_table_written_in_place_is_caught_half_written(tmp_path):
    with pytest.raises(AssertionError, match="I3: table"):
        check_all(tmp_path, "write", "--broken", "overwrite")


def test_control_rows_acknowledged_before_they_are_written_are_missed(tmp_path):
    with pytest.raises(AssertionError, match="I1: acknowledged, but lost"):
        check_all(tmp_path, "renameat", "--broken", "defer")
