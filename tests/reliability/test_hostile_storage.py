"""F18: storages that are full, read-only, oddly named or taken, and homes that are not there."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from invariants import leaves_nothing, said_so
from local_sweep import run_locally
from reliability.sweeping import AUDIT, SPACE, Driver, same

from sweeps.journal.storage import Lock
from sweeps.outcome import SOME_FAILED

pytestmark = [pytest.mark.ray, pytest.mark.slow]

OPTIONS = ("--audit", str(AUDIT))
AS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="only root mounts"
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "space.yaml").write_text(SPACE)
    run_locally(folder / "space.yaml", folder / "out", audit=AUDIT)
    return folder / "space.yaml", folder / "out"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", disk)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def _mount(*arguments: object) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.strip()}")


def ended(driver: Driver) -> CompletedProcess[str]:
    """How it ended, once it has."""
    return CompletedProcess([], driver.ends(), "".join(driver.said), driver.errors)


@AS_ROOT
@pytest.mark.slow
def test_a_full_disk_is_one_line_and_with_more_room_the_same_command_completes(undisturbed, small):
    space, reference = undisturbed
    out = small / "out"
    with Driver(space, out, *OPTIONS) as driver:
        full = ended(driver)
    assert full.returncode == 1
    said_so(full, r"could not be written \(.*No space left on device\); make room .* then start")
    _mount("-o", "remount,size=16m", small)
    with Driver(space, out, *OPTIONS) as driver:
        assert driver.ends() == SOME_FAILED, driver.errors
    same(out, reference)
    leaves_nothing(out)


@AS_ROOT
def test_a_disk_that_turns_read_only_is_one_line(undisturbed, small):
    space, reference = undisturbed
    _mount("-o", "remount,size=16m", small)
    shutil.copytree(reference, small / "out")
    _mount("-o", "remount,ro", small)
    with Driver(space, small / "out", *OPTIONS) as driver:
        refused = ended(driver)
    assert refused.returncode == 2
    said_so(refused, r"storage .*out cannot be written \(Read-only file system\); give another")


def test_a_second_driver_is_refused_and_told_who_is_there(undisturbed, tmp_path):
    space, _ = undisturbed
    with Lock(tmp_path / "out"), Driver(space, tmp_path / "out") as driver:
        refused = ended(driver)
    assert refused.returncode == 2
    said_so(refused, rf"host {platform.node()}, pid {os.getpid()} is writing to .*out; wait for")


@pytest.mark.parametrize(
    "name",
    ["with space, 'quotes' and \"more\"", "Überdeckung-ψ-保険-🦔", "n" * 250, "%s {0} $HOME #1"],
    ids=["spaces", "Unicode", "250 bytes", "percent"],
)
def test_a_storage_may_have_any_name(undisturbed, tmp_path, name):
    space, reference = undisturbed
    out = tmp_path / name / name
    shutil.copytree(reference, out)
    with Driver(space, out, *OPTIONS) as driver:
        assert driver.ends() == SOME_FAILED, driver.errors
    same(out, reference)
    leaves_nothing(out)


@pytest.mark.slow
def test_a_sweep_needs_no_home_and_no_plain_name(undisturbed, tmp_path):
    space, reference = undisturbed
    out = tmp_path / "with space" / "保険-🦔" / ("n" * 250)
    with Driver(space, out, *OPTIONS, HOME=None) as driver:
        assert driver.ends() == SOME_FAILED, driver.errors
    same(out, reference)


def test_a_home_in_which_nothing_can_be_kept_is_not_missed(undisturbed, tmp_path):
    space, reference = undisturbed
    with Driver(space, tmp_path / "out", *OPTIONS, HOME="/proc/nowhere") as driver:
        assert driver.ends() == SOME_FAILED, driver.errors
    same(tmp_path / "out", reference)


@pytest.mark.slow
def test_under_umask_077_nothing_of_a_storage_is_for_others(undisturbed, tmp_path):
    space, reference = undisturbed
    before = os.umask(0o077)
    try:
        with Driver(space, tmp_path / "out", *OPTIONS) as driver:
            assert driver.ends() == SOME_FAILED, driver.errors
    finally:
        os.umask(before)
    same(tmp_path / "out", reference)
    modes = {path: path.stat().st_mode & 0o077 for path in (tmp_path / "out").rglob("*")}
    assert not any(modes.values()), modes
