"""F15: two drivers on one storage, a driver that was killed, and readers of a growing log."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from invariants import is_prefix, leaves_nothing, readable
from reliability.scenario import ROOT

from sweeps.errors import UsageError
from sweeps.journal.journal import files
from sweeps.journal.storage import Lock
from sweeps.journal.writer import Writer

HOLD = f"""
import sys, types
sys.path.insert(0, {str(ROOT)!r})
sys.modules["sweeps"] = package = types.ModuleType("sweeps")
package.__path__ = [{str(ROOT / "sweeps")!r}]
from pathlib import Path
from sweeps.journal.storage import Lock
from sweeps.journal.writer import Writer
storage = Path(sys.argv[1])
lock = Lock(storage)
writer = Writer(storage, {{}})
print("held", flush=True)
for n in range(int(sys.argv[2])):
    writer.append({{"type": "row", "id": n}})
    if n % 10 == 0:
        writer.commit()
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Start another driver on ``tmp_path`` that writes some rows and then waits."""
    started = []

    def start(rows: int = 0) -> subprocess.Popen[str]:
        command = [sys.executable, "-I", "-c", HOLD, str(tmp_path), str(rows)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(process := subprocess.Popen(command, text=True, **pipes))
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_second_driver_is_refused_with_the_host_and_the_process_of_the_first(tmp_path, holder):
    first = holder()
    said = rf"host {os.uname().nodename}, pid {first.pid} is writing to .*; wait for it, or give"
    with pytest.raises(UsageError, match=said):
        Lock(tmp_path)
    first.stdin.close()
    first.wait()
    leaves_nothing(tmp_path)


def test_the_lock_of_a_killed_driver_never_blocks(tmp_path, holder):
    first = holder()
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert str(first.pid) in (tmp_path / "log" / "lock").read_text()
    leaves_nothing(tmp_path)


def test_a_paused_driver_keeps_its_lock(tmp_path, holder):
    first = holder()
    first.send_signal(signal.SIGSTOP)
    with pytest.raises(UsageError, match=f"pid {first.pid} is writing"):
        Lock(tmp_path)


def test_a_process_that_the_driver_starts_does_not_inherit_the_lock(tmp_path):
    lock = Lock(tmp_path)
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    lock.close()
    try:
        leaves_nothing(tmp_path)
    finally:
        child.kill()
        child.wait()


def test_control_a_lock_that_is_a_file_made_exclusively_goes_stale(tmp_path, monkeypatch):
    def init(self, storage: Path) -> None:
        (storage / "log").mkdir(exist_ok=True)
        try:
            self._fd = os.open(storage / "log" / "lock", os.O_CREAT | os.O_EXCL)
        except FileExistsError as error:
            raise UsageError("somebody is writing") from error

    monkeypatch.setattr(Lock, "__init__", init)
    Lock(tmp_path).close()  # all that a SIGKILL leaves: the descriptor is closed, the file stays
    with pytest.raises(AssertionError, match="I5: somebody is writing"):
        leaves_nothing(tmp_path)


def test_eight_readers_of_a_growing_log_each_see_a_prefix(tmp_path, holder):
    rows = 2000
    written = [{"type": "row", "id": n} for n in range(rows)]
    writing = holder(rows)
    seen: list[int] = []
    wrong: list[BaseException] = []

    def watch() -> None:
        try:
            while not seen or seen[-1] < rows:
                found = readable(tmp_path)[1:]
                is_prefix(found, written)
                seen.append(len(found))
        except BaseException as error:  # noqa: BLE001 - raised by the test itself
            wrong.append(error)

    readers = [threading.Thread(target=watch) for _ in range(8)]
    for reader in readers:
        reader.start()
    assert writing.stdout.readline() == "written\n"
    for reader in readers:
        reader.join()
    assert wrong == []


def test_a_driver_start_never_appends_to_the_file_of_another(tmp_path):
    for number in range(1, 4):
        with Lock(tmp_path):
            Writer(tmp_path, {}).close()
        assert [file.name for file in files(tmp_path)][-1] == f"{number:04d}.jsonl"
