"""Commands as typed; errors of the user do not start Ray.

A process of its own takes seconds to start, so one mistake has one, and the others run here.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from reliability import hostile

import analysis

pytestmark = pytest.mark.ray


def hedgesweep(*arguments, **options):
    command = [sys.executable, "-m", "sweeps", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def mistake(space, *arguments, storage):
    return hedgesweep("run", space, "--storage", storage, *arguments)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("study.market.xii=0.5", "unknown key 'xii'; did you mean 'xi'"),
        ("space.sparsity.grid=[1.0]", "sparsity must lie in [0, 1), got 1.0"),
        ("space.lr.grid=[-0.001]", "lr must be above 0, got -0.001"),
        ("space.lr.grid=fast", "fast"),
        ("space.lr.grid=[04]", "space.lr.grid=[4]"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tiny, tmp_path, capsys, override, message):
    out = tmp_path / "out"
    ended = hostile.hedgesweep(capsys, "run", tiny, "--storage", out, "--set", override)
    assert ended.code == 2
    assert message in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not out.exists()


def test_a_mistake_in_a_process_of_its_own_is_one_line_and_exit_code_2(tiny, tmp_path):
    done = mistake(tiny, "--set", "study.market.xii=0.5", storage=tmp_path / "out")
    assert done.returncode == 2
    assert "unknown key 'xii'; did you mean 'xi'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["rnu"],
        ["--no-such"],
        ["run"],
        ["run", "tickets"],
        ["run", "tickets", "--storag", "out"],
        ["run", "tickets", "--storage", "out", "--max-concurrent", "0"],
        ["plan", "tickets", "more"],
        ["report", "out", "--tolerance"],
    ],
    ids=" ".join,
)
def test_a_misuse_of_a_command_is_one_line_with_its_help(arguments):
    done = hedgesweep(*arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("--help")
    assert not done.stdout


def test_a_missing_space_is_one_line_and_exit_code_2(tmp_path, capsys):
    missing = tmp_path / "tickts.yaml"
    ended = hostile.hedgesweep(capsys, "run", missing, "--storage", tmp_path / "out")
    assert ended.code == 2
    assert "no such file" in ended.err
    assert "tickets.yaml" in ended.err


def test_unwritable_storage_is_one_line_and_exit_code_2(tiny, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for storage in (tmp_path / "file", tmp_path / "file" / "below"):
        ended = hostile.hedgesweep(capsys, "run", tiny, "--storage", storage)
        assert ended.code == 2
        assert "--storage" in ended.err
        assert len(ended.err.strip().splitlines()) == 1


def test_plan_starts_nothing_and_says_what_would_run(tiny):
    done = hedgesweep("plan", tiny, "--set", "space.seed.grid=[0,1]")
    assert done.returncode == 0, done.stderr
    assert "16 trials" in done.stdout


def test_help_names_every_command():
    done = hedgesweep("--help")
    assert all(name in done.stdout for name in ("plan", "run", "status", "report"))


@pytest.mark.slow
def test_ctrl_c_leaves_readable_results_and_the_same_command_finishes_them(tiny, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sweeps", "run", str(tiny), "--storage", str(out)]
    command += ["--set", "study.training.epochs=60", "--set", "study.dense.epochs=2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if len(analysis.load_epochs(out)) > 20:
                break
        except analysis.StorageError:
            pass
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "the same command again" in errors
    trials = analysis.load_trials(out)
    assert "interrupted" in set(trials["status"])
    assert "running" not in set(trials["status"])

    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert set(analysis.load_trials(out)["status"]) == {"completed"}


@pytest.fixture
def cluster(tmp_path):
    """A separate Ray head on loopback; only its processes are killed."""
    environment = {**os.environ, "HOME": str(tmp_path), "RAY_AUTH_MODE": "disabled"}
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    command += ["--num-cpus=2", "--port=26379", "--include-dashboard=false"]
    command += ["--node-ip-address=127.0.0.1", f"--temp-dir={tempfile.mkdtemp(prefix='ray-')}"]
    log = (tmp_path / "ray.log").open("w")
    head = subprocess.Popen(
        command, stdout=log, stderr=log, env=environment, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while "Ray runtime started" not in (tmp_path / "ray.log").read_text():
        assert time.monotonic() < deadline, (tmp_path / "ray.log").read_text()
        time.sleep(0.2)
    yield "127.0.0.1:26379", environment
    os.killpg(head.pid, signal.SIGTERM)
    try:
        head.wait(timeout=3)
    except subprocess.TimeoutExpired:  # it waits half a minute for its own processes
        os.killpg(head.pid, signal.SIGKILL)
        head.wait(timeout=60)
    log.close()


@pytest.mark.slow
def test_run_joins_a_cluster_that_is_already_there(tiny, tmp_path, cluster):
    address, environment = cluster
    one = ["--set", "space.sparsity.grid=[0.5]", "--set", "space.lr.grid=[0.01]"]
    out = tmp_path / "out"
    joined = ["run", tiny, "--storage", out, "--address", address, *one]
    refused = hedgesweep(*joined, env=environment)
    assert refused.returncode == 2
    assert "--insecure" in refused.stderr
    done = hedgesweep(*joined, "--insecure", env=environment)
    assert done.returncode == 0, done.stderr
    assert set(analysis.load_trials(out)["status"]) == {"completed"}


@pytest.mark.parametrize("address", ["auto", "nonsense"])
def test_an_address_without_a_cluster_is_one_line_and_exit_code_2(tiny, tmp_path, address):
    done = mistake(tiny, "--address", address, storage=tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert f"no Ray cluster at '{address}'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
