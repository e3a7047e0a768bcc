"""F1: sweeps whose driver or workers are killed, and which are started again until they end."""

import os
import random
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from invariants import leaves_nothing
from local_sweep import run_locally
from reliability.sweeping import (
    AUDIT,
    LONGEST_RUNG,
    SPACE,
    Driver,
    Moment,
    acknowledged,
    at_the_start,
    killed,
    repeated,
    same,
    soon_after_it_goes_on,
    while_it_prepares,
    while_it_trains,
)

from sweeps.journal.journal import read
from sweeps.outcome import SOME_FAILED
from sweeps.scheduling.ledger import Ledger

pytestmark = pytest.mark.ray

LANES = os.cpu_count() or 1

# A driver whose log has no segments, though it says that trials have ended.
FORGETFUL = """\
from sweeps.journal import writer
from sweeps.__main__ import cli

append = writer.Writer.append
writer.Writer.append = lambda self, r: None if r["type"] == "segment" else append(self, r)
cli()
"""


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The space, and a storage in which it ran to its end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "space.yaml").write_text(SPACE)
    run_locally(folder / "space.yaml", folder / "out", audit=AUDIT)
    return folder / "space.yaml", folder / "out"


def survives(
    undisturbed: tuple[Path, Path], storage: Path, moments: list[Moment], drawn: random.Random
) -> int:
    """The kills, after each of which everything was as it should be, and at the end, too."""
    space, reference = undisturbed
    toll = killed(space, storage, moments, drawn)
    same(storage, reference)
    leaves_nothing(storage)
    assert toll.begun_again <= toll.kills * LANES, f"I7: {toll}"
    assert toll.repeated <= toll.kills * LANES * LONGEST_RUNG, f"I7: {toll}"
    return toll.kills


@pytest.mark.slow
def test_a_driver_killed_while_it_trains_ends_as_if_it_had_never_been(undisturbed, tmp_path):
    assert survives(undisturbed, tmp_path / "out", [while_it_trains], random.Random(0)) == 1


@pytest.mark.slow
def test_a_driver_killed_twenty_times_ends_as_if_it_had_never_been(undisturbed, tmp_path):
    drawn, kills = random.Random(1), 0
    for n in range(20):
        if kills < 20:
            moments = [while_it_prepares, at_the_start, *[soon_after_it_goes_on] * 5]
            kills += survives(undisturbed, tmp_path / str(n), moments, drawn)
    assert kills >= 20


@pytest.mark.slow
def test_workers_killed_at_twenty_random_moments_change_nothing(undisturbed, tmp_path):
    (space, reference), drawn, kills = undisturbed, random.Random(2), 0
    while kills < 20:
        storage, before = tmp_path / f"after {kills}", kills
        with Driver(space, storage, "--audit", str(AUDIT)) as driver:
            assert driver.says("dense baseline has")
            while kills < min(before + 6, 20) and soon_after_it_goes_on(driver, drawn):
                if lanes := driver.lanes:
                    with suppress(ProcessLookupError):
                        os.kill(drawn.choice(lanes), signal.SIGKILL)
                        kills += 1
            assert driver.ends() == SOME_FAILED, driver.errors
            acknowledged(driver.said, storage)
        assert kills > before
        assert any(record["type"] == "lost" for record in read(storage))
        same(storage, reference)


# The 14th checkpoint is the second of its trial.
@pytest.mark.parametrize(("kept", "n"), [("checkpoint", 2), ("checkpoint", 14), ("model", 2)])
def test_a_crash_between_a_file_and_the_record_that_names_it_changes_nothing(
    undisturbed, tmp_path, monkeypatch, kept, n
):
    space, reference = undisturbed
    keep, calls = getattr(Ledger, f"keep_{kept}"), []

    def dying(ledger: Ledger, trial_id: str, content: bytes) -> str:
        digest = keep(ledger, trial_id, content)
        calls.append(trial_id)
        if len(calls) == n:
            raise Killed
        return digest

    storage = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, f"keep_{kept}", dying)
        with pytest.raises(Killed):
            run_locally(space, storage, audit=AUDIT)
    run_locally(space, storage, audit=AUDIT)
    same(storage, reference)
    assert repeated(storage) == 0


@pytest.mark.slow
def test_control_without_checkpoints_more_is_trained_twice_and_nothing_differs(
    undisturbed, tmp_path
):
    space, reference = undisturbed
    again = {}
    for kept in (True, False):
        storage = tmp_path / f"checkpoints {kept}"
        run_locally(space, storage, audit=AUDIT, stop_after=20)
        if not kept:
            shutil.rmtree(storage / "checkpoints")
        run_locally(space, storage, audit=AUDIT)
        same(storage, reference)
        again[kept] = repeated(storage)
    assert again[True] <= LONGEST_RUNG < again[False]


@pytest.mark.slow
def test_control_a_driver_that_records_no_segments_is_caught(undisturbed, tmp_path):
    space, _ = undisturbed
    storage = tmp_path / "out"
    with Driver(space, storage, program=("-c", FORGETFUL, "run")) as driver:
        assert driver.says(" done "), driver.errors
        driver.kill()
        with pytest.raises(AssertionError, match="I1: acknowledged, but lost"):
            acknowledged(driver.said, storage)
