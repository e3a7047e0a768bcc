"""Signals, closed pipes and poor encodings: at most one line, and output errors end no sweep."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from local_sweep import run_locally
from spaces import TINY

from sweeps.exits import message_if_aborted
from sweeps.monitoring.progress import FailSafeProgress, PlainLines
from sweeps.signals import MESSAGE

ROOT = Path(__file__).resolve().parents[2]
# A driver that says when it is inside, and then waits for its signals.
WAITING = """
import sys, time
from sweeps.signals import interruptible
try:
    with interruptible():
        try:
            print("inside", flush=True)
            time.sleep(60)
        finally:
            time.sleep(60)  # the second signal meets it as it ends
except KeyboardInterrupt:
    print("orderly", flush=True)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A space and its storage."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(TINY)
    run_locally(folder / "tiny.yaml", folder / "out")
    return folder


def command(name: str, finished: Path) -> list[str]:
    arguments = ["--no-probe", "tiny.yaml"] if name == "plan" else ["out"]
    return [sys.executable, "-m", "sweeps", name, *(a for a in arguments)]


def started(name: str, finished: Path, **options) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("environment", {})}
    return subprocess.Popen(
        command(name, finished), cwd=finished, env=environment, stderr=subprocess.PIPE, **options
    )


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("plan", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        ("status", {"PYTHONIOENCODING": "ascii"}),
        ("verify", {"PYTHONIOENCODING": "latin-1"}),
    ],
    ids=["C", "ascii", "latin"],
)
def test_no_encoding_of_the_output_fails_a_command(finished, name, environment):
    process = started(name, finished, environment=environment, stdout=subprocess.PIPE)
    out, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, b"")
    assert out


@pytest.mark.parametrize(
    ("name", "reader"), [("status", "gone"), ("status", "full"), ("plan", "full")]
)
def test_output_that_cannot_be_written_is_no_traceback(finished, name, reader):
    if reader == "full":
        with open("/dev/full", "wb") as full:
            process = started(name, finished, stdout=full)
    else:
        process = started(name, finished, stdout=subprocess.PIPE)
        process.stdout.close()
    with process:
        errors = process.stderr.read()
    assert process.returncode == 1
    assert len(errors.splitlines()) == (1 if reader == "full" else 0), errors


@pytest.mark.parametrize("error", [BrokenPipeError(32, "x"), OSError(28, "x"), RuntimeError("x")])
def test_a_progress_that_raises_is_silent_from_then_on(error):
    class Failing:
        calls = 0

        def message(self, text):
            self.calls += 1
            raise error

        update = message

        def close(self):
            self.calls += 1

    failing = Failing()
    shown = FailSafeProgress(failing)
    shown.message("one")
    shown.message("two")
    shown.close()
    assert failing.calls == 1


def test_plain_lines_escape_what_the_stream_has_no_sign_for(monkeypatch):
    import io

    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    PlainLines().message("1/2 done · 5 %")
    assert stream.buffer.getvalue() == b"1/2 done \\xb7 5 %\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_two_signals_within_a_moment_are_one_line(number):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert process.stdout.readline() == b"inside\n"
    process.send_signal(number)
    time.sleep(0.1)
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors.decode() == f"{MESSAGE}\n"
    assert not out


def test_a_signal_at_any_moment_of_a_start_is_one_line(finished):
    drawn = random.Random(0)
    for _ in range(4):
        process = started("plan", finished, stdout=subprocess.PIPE)
        # Python itself, before it runs a line of ours, takes the first 0.05 s.
        time.sleep(drawn.uniform(0.15, 1.0))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors.decode()) in [(130, f"{MESSAGE}\n"), (0, "")]


@pytest.mark.parametrize(
    ("end", "lines"), [("os._exit(1)", 1), ("os.abort()", 1), ("exit_with('said', 1)", 1)]
)
def test_a_process_that_ends_without_a_word_has_one_said_for_it(end, lines):
    program = f"import os\nfrom sweeps.exits import *\nwith message_if_aborted('told'): {end}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT)
    assert done.returncode
    assert done.stderr.split() == [b"said" if "said" in end else b"told"]


@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), 9)", "exit_with('said', 1)"])
def test_folders_of_a_process_that_ends_without_a_word_are_removed(tmp_path, end):
    (tmp_path / "session" / "inner").mkdir(parents=True)
    program = (
        "import os, sys\nfrom sweeps.exits import *\n"
        f"with message_if_aborted('told', sys.argv[1]): {end}"
    )
    # Its stderr is that of the one that cleans up, and so is at its end when that one is.
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "session")], capture_output=True, cwd=ROOT
    )
    assert not list(tmp_path.iterdir())


def test_control_a_process_that_ends_in_order_is_not_spoken_for(capfd):
    with message_if_aborted("told"):
        pass
    assert capfd.readouterr().err == ""
