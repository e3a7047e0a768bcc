"""F14: what is run, in what order, and what follows from it, are no matter of the clock."""

from pathlib import Path

import pytest
from local_sweep import run_locally
from reliability.sweeping import AUDIT, SPACE, Driver, acknowledged, same

from sweeps.journal.journal import read
from sweeps.outcome import SOME_FAILED

pytestmark = pytest.mark.ray

# Any process that finds it on its path starts an hour earlier or later.
SHIFTED = """\
import os, time

if shift := float(os.environ.get("SHIFT", 0)):
    true_time, true_ns = time.time, time.time_ns
    time.time = lambda: true_time() + shift
    time.time_ns = lambda: true_ns() + int(shift * 1e9)
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "space.yaml").write_text(SPACE)
    run_locally(folder / "space.yaml", folder / "out", audit=AUDIT)
    return folder / "space.yaml", folder / "out"


def test_a_clock_that_jumps_between_starts_changes_nothing(undisturbed, tmp_path, monkeypatch):
    space, reference = undisturbed
    for n, shift in enumerate([0.0, -3600.0, 3600.0]):
        with monkeypatch.context() as patched:
            jumping(patched, shift)
            run_locally(space, tmp_path / "out", audit=AUDIT, stop_after=9 if n < 2 else None)
    same(tmp_path / "out", reference)
    assert jumped(tmp_path / "out"), "the clock did not"


def jumped(storage: Path) -> bool:
    times = [record["at"] for record in read(storage) if "at" in record]
    return times != sorted(times)


def jumping(patched: pytest.MonkeyPatch, shift: float) -> None:
    from sweeps.scheduling import ledger

    true_time = ledger.time.time
    patched.setattr(ledger.time, "time", lambda: true_time() + shift)


@pytest.mark.slow
def test_a_driver_in_another_zone_an_hour_earlier_goes_on_where_the_last_was_killed(
    undisturbed, tmp_path
):
    space, reference = undisturbed
    (tmp_path / "shift").mkdir()
    (tmp_path / "shift" / "sitecustomize.py").write_text(SHIFTED)
    out, path = tmp_path / "out", str(tmp_path / "shift")
    # The first 21 records of a sweep are of its preparation and tell no time.
    starts = [("UTC", "0", 40), ("Pacific/Chatham", "-3600", 20), ("UTC", "3600", None)]
    for zone, shift, records in starts:
        with Driver(
            space, out, "--audit", str(AUDIT), TZ=zone, SHIFT=shift, PYTHONPATH=path
        ) as driver:
            if records and driver.records(records):
                driver.kill()
            else:
                assert driver.ends() == SOME_FAILED, driver.errors
            acknowledged(driver.said, out)
    same(out, reference)
    assert jumped(out), "the clock did not"
