"""Ray's own processes: what they listen on, and a sweep from which one of them is taken."""

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from invariants import leaves_nothing
from reliability.sweeping import SPACE, Driver, acknowledged

pytestmark = pytest.mark.ray

LONG = ("--set", "study.training.epochs=400", "--set", "scheduler=null")
LISTENS = "0A"  # the state in /proc/net/tcp
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
# By a part of their command lines. Without a raylet or its agents Ray may end the driver first.
PROCESSES = {
    "gcs/gcs_server": "Ray's GCS has died",
    "raylet/raylet": "Ray",
    "ray::RuntimeEnvAgent": "Ray",
}


@pytest.fixture
def space(tmp_path: Path) -> Path:
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path / "space.yaml"


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder with a path short enough for Ray's sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def listening(pids: set[int]) -> dict[str, int]:
    """Ports on which ``pids`` listen, counted by address as the kernel writes it."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(link)
            except OSError:  # it has just ended
                continue
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    counts: dict[str, int] = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            (
                _,
                local,
                _,
                state,
                *_,
            ) = fields = line.split()
            if state == LISTENS and fields[9] in inodes:
                address = local.rpartition(":")[0]
                counts[address] = counts.get(address, 0) + 1
    return counts


@pytest.mark.slow
def test_no_process_of_a_sweep_can_be_reached_from_another_machine(space, tmp_path):
    (tmp_path / "home").mkdir()
    with Driver(space, tmp_path / "out", *LONG, HOME=str(tmp_path / "home")) as driver:
        assert driver.records(20), driver.errors
        counts = listening(set(driver.processes))
        (title,) = [t for t in driver.processes.values() if "gcs/gcs_server" in t]
        session = Path(re.search(r"--log_dir=(\S+)/logs", title)[1])
        private = any(p.stat().st_mode & 0o077 == 0 for p in session.parents)
        assert driver.interrupt(signal.SIGTERM) == 128 + signal.SIGTERM
    assert counts.keys() <= LOOPBACK, counts
    assert sum(counts.values()) >= 5, "the listing misses what Ray needs at least"
    assert private, "another user can replace the sockets"
    assert not session.exists()
    assert not (tmp_path / "home" / ".ray" / "auth_token").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("process", "message"), PROCESSES.items(), ids=lambda text: text[:9])
def test_a_process_of_ray_that_dies_ends_the_sweep_with_a_line_and_the_same_command_goes_on(
    space, tmp_path, process, message
):
    out = tmp_path / "out"
    with Driver(space, out, *LONG) as driver:
        assert driver.records(20), driver.errors
        found = [pid for pid, title in driver.processes.items() if process in title]
        os.kill(found[0], signal.SIGKILL)
        assert driver.ends() == 1, driver.errors
        driver.leaves_no_process()  # nor the one that tells of its end
        (line,) = [line for line in driver.errors.splitlines() if line.startswith("error: ")]
        assert message in line
        assert "run the same command again" in line
        assert "Traceback" not in driver.errors
        leaves_nothing(out)
        acknowledged(driver.said, out)
    with Driver(space, out, *LONG) as driver:
        assert driver.records(5), driver.errors
        assert driver.interrupt(signal.SIGTERM) == 128 + signal.SIGTERM


@pytest.mark.slow
def test_a_raylet_that_dies_while_it_starts_ends_the_sweep_with_a_line(space, tmp_path, temporary):
    with Driver(space, tmp_path / "out", *LONG, TMPDIR=str(temporary)) as driver:
        found: list[int] = []

        def started() -> bool:
            found[:] = [p for p, title in driver.processes.items() if "raylet/raylet" in title]
            return bool(found)

        assert driver.meets(started), driver.errors
        os.kill(found[0], signal.SIGKILL)
        assert driver.ends() == 1, driver.errors
        driver.leaves_no_process()
        assert driver.errors.splitlines() == [
            "error: Ray's raylet has died; recorded results are safe; "
            "run the same command again to continue"
        ]
    leaves_nothing(tmp_path / "out")
    assert not list(temporary.glob("hs-*"))


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_no_folder_of_ray(space, tmp_path, temporary):
    with Driver(space, tmp_path / "out", *LONG, TMPDIR=str(temporary)) as driver:
        assert driver.records(20), driver.errors
        driver.kill()
        driver.leaves_no_process()
    assert not list(temporary.glob("hs-*"))
