"""Sweeps on S3: the results of a folder, for every command, through kills and resumption."""

import json
import re
import shlex
import signal
import time

import pandas as pd
import pytest
from click.testing import CliRunner
from local_sweep import run_locally
from reliability.sweeping import SPACE, Driver, same, tables
from spaces import TINY

import analysis
import sweeps
from sweeps.__main__ import cli
from sweeps.errors import UsageError
from sweeps.inspection.verify import verify
from sweeps.journal.opening import readable_storage
from sweeps.objects.bucket import Bucket


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    path = tmp_path_factory.mktemp("space") / "space.yaml"
    path.write_text(SPACE)
    return path


@pytest.fixture(scope="module")
def on_disk(space):
    run_locally(space, space.parent / "out")
    return space.parent / "out"


@pytest.fixture
def on_s3(s3, space):
    run_locally(space, s3)
    return s3


def command(line):
    done = CliRunner().invoke(cli, shlex.split(line))
    return done.exit_code, done.output


def test_rows_models_and_checks_are_those_of_a_folder(on_s3, on_disk):
    copy = readable_storage(on_s3)
    same(copy, on_disk)
    assert verify(on_s3).ok
    for mine, theirs in zip(
        (analysis.load_trials(on_s3), analysis.load_epochs(on_s3)), tables(copy), strict=True
    ):
        pd.testing.assert_frame_equal(mine.drop(columns="seconds"), theirs)


def test_a_sweep_that_was_interrupted_continues_there(s3, space, on_disk):
    for stop_after in (3, 5, 2):
        run_locally(space, s3, stop_after=stop_after)
    assert not set(analysis.load_trials(s3)["status"]) >= {"completed", "failed"}
    run_locally(space, s3)
    same(readable_storage(s3), on_disk)
    names = [entry.name for entry in Bucket(s3).list("log/")]
    assert [n for n in names if n.endswith(".jsonl")] == [
        f"log/{k:04d}.jsonl" for k in (1, 2, 3, 4)
    ]
    # Of the commits only seals are left.
    assert len([n for n in names if re.fullmatch(r"log/\d{4}/\d{8}", n)]) == 4


@pytest.mark.slow
def test_a_model_that_was_lost_is_trained_again(on_s3, space, on_disk):
    store = Bucket(on_s3)
    lost = next(e.name for e in store.list("models/"))
    store.delete(lost)
    assert not verify(on_s3).ok
    sweeps.run(space, storage=on_s3)  # without Ray, as every trial has ended
    same(readable_storage(on_s3), on_disk)


def test_a_model_that_was_changed_is_trained_again(on_s3, space, on_disk):
    store = Bucket(on_s3)
    changed = next(e for e in store.list("models/"))
    assert store.replace(changed.name, b"other", tag=changed.tag)
    sweeps.run(space, storage=on_s3)
    same(readable_storage(on_s3), on_disk)


def test_every_command_reads_it(on_s3, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trial = analysis.load_trials(on_s3).query("status == 'completed'")["trial_id"].iloc[0]
    for line in (f"status {on_s3}", f"verify {on_s3}", f"simulate {on_s3}"):
        assert command(line)[0] == 0, line
    output = command(f"status {on_s3} --json")[1]
    assert json.loads(output)["storage"] == on_s3
    assert command(f"replay {on_s3} {trial}")[0] == 0
    assert command("keys --out keys --unencrypted")[0] == 0
    assert command(f"seal {on_s3} {trial} --key keys/private.pem --out bundle")[0] == 0


@pytest.mark.parametrize("name", ["s3://sweeps/none-such", "s3://no-such-bucket/x"])
def test_a_storage_that_is_not_there_gives_one_line(s3, name):
    for line in (f"status {name}", f"verify {name}", f"replay {name} 0123"):
        with pytest.raises(UsageError, match=name):
            cli.main(shlex.split(line), standalone_mode=False)
    with pytest.raises(analysis.AnalysisError, match=name):
        analysis.load_trials(name)


def test_a_folder_may_be_named_by_a_url(tmp_path):
    run_locally(TINY, tmp_path / "a folder")
    assert verify(f"file://{tmp_path}/a%20folder").ok


@pytest.mark.ray
@pytest.mark.slow
def test_a_driver_that_is_killed_and_started_again_ends_with_the_same_rows(s3, space, on_disk):
    with Driver(space, s3) as driver:
        assert driver.says("/16 done"), driver.errors
        driver.kill()
    with Driver(space, s3) as driver:
        begun = time.monotonic()
        assert driver.says("done"), driver.errors
        assert time.monotonic() - begun < 300
        driver.process.send_signal(signal.SIGTERM)
        assert driver.ends() == 128 + signal.SIGTERM
    with Driver(space, s3) as driver:
        assert driver.ends() == 3, driver.errors
    same(readable_storage(s3), on_disk)
    assert verify(s3).ok
