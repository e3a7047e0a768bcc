"""Sweeps submitted to a real head, which needs ``ray[default]``."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
from local_sweep import run_locally
from ports import free_port
from ray._private.utils import psutil

import analysis

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
SMALL = {"space.sparsity.grid": [0.0, 0.8], "space.lr.grid": [1e-2]}
LONG = {"study.training.epochs": 300, "scheduler.asha.max_t": 300}


def needs_the_dashboard() -> None:
    try:
        import_module("ray.dashboard.optional_deps")
    except ImportError as error:
        pytest.skip(f"a head needs ray[default] (pip install -r locks/head.lock): {error}")


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Iterator[tuple[str, dict[str, str]]]:
    """URL of a head in token mode with two CPUs, and the environment of its user."""
    needs_the_dashboard()
    home = tmp_path_factory.mktemp("home")
    (home / ".ray").mkdir()
    token = home / ".ray" / "auth_token"
    token.write_text("0123456789abcdef" * 4)
    token.chmod(0o600)
    own = ("RAY_", "PYTHONPATH")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    environment |= {"HOME": str(home), "RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    with tempfile.TemporaryDirectory(prefix="hs-", dir="/tmp", ignore_cleanup_errors=True) as temp:
        port = free_port()
        options = {"port": free_port(), "dashboard-port": port, "dashboard-host": "127.0.0.1"}
        options |= {"temp-dir": temp, "num-cpus": "2", "object-store-memory": "200000000"}
        for name in ("ray-client-server", "dashboard-agent-listen", "metrics-export"):
            options[f"{name}-port"] = free_port()
        command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "start", "--head", "--block"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with open(Path(temp, "output"), "w") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}", environment
        finally:
            processes = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.wait(60)
            for child in processes:
                if child.is_running():
                    child.kill()
            psutil.wait_procs(processes, 30)


def wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("no dashboard listens")


def start(head, *arguments: object) -> "subprocess.Popen[str]":
    url, environment = head
    command = [sys.executable, "-m", "sweeps", arguments[0], url, *map(str, arguments[1:])]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=pipe, stderr=subprocess.STDOUT
    )


def typed(overrides: Mapping[str, object]) -> list[str]:
    return [f"--set={key}={value}" for key, value in overrides.items()]


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    output, _ = process.communicate(timeout=240)
    return process.returncode, output


def comparable(storage: Path) -> pd.DataFrame:
    frame = analysis.load_trials(storage).sort_values("trial_id", ignore_index=True)
    timing = [c for c in frame if "seconds" in c or c in ("worker", "started", "index")]
    return frame.drop(columns=timing)


def test_a_submitted_sweep_has_the_rows_of_one_that_runs_here(head, tiny, tmp_path):
    storage = tmp_path / "two words"
    code, output = finish(start(head, "submit", tiny, "--storage", storage, *typed(SMALL)))
    assert code == 0, output
    run_locally(tiny, tmp_path / "here", overrides=SMALL)
    pd.testing.assert_frame_equal(comparable(storage), comparable(tmp_path / "here"))
    code, output = finish(start(head, "logs"))
    assert code == 0
    assert "4 completed" in output


def test_a_cancelled_sweep_is_whole_and_submitting_it_again_continues_it(head, tiny, tmp_path):
    storage = tmp_path / "out"
    arguments = ("submit", tiny, "--storage", storage, *typed(SMALL | LONG))
    submitted = start(head, *arguments)
    log = storage / "log" / "0001.jsonl"
    while not (log.exists() and b"segment" in log.read_bytes()):
        assert submitted.poll() is None, submitted.communicate()
        time.sleep(0.2)
    code, output = finish(start(head, "cancel"))
    assert (code, "has ended (stopped)" in output) == (0, True), output
    code, output = finish(submitted)
    assert (code, "run the same command again to continue" in output) == (143, True), output
    verify = [sys.executable, "-m", "sweeps", "verify", str(storage)]
    assert subprocess.run(verify, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
    assert "completed" not in set(analysis.load_trials(storage)["status"])
    code, output = finish(start(head, *arguments))
    assert code == 0, output
    run_locally(tiny, tmp_path / "here", overrides=SMALL | LONG)
    pd.testing.assert_frame_equal(comparable(storage), comparable(tmp_path / "here"))
