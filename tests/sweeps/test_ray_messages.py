"""Output of compiled code on descriptor 2 during a sweep, and the lines of this project."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os, sys
from sweeps import exits
from sweeps.errors import SweepError
from sweeps.execution.ray_messages import messages_in_file
try:
    with messages_in_file() as path:
        print(path, flush=True)
        print("ours", file=sys.stderr)
        {block}
except SweepError as error:
    print(error, file=sys.stderr)
print("after", file=sys.stderr)
"""


def run(block, folder):
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE.format(block=block)],
        env={"TMPDIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    return Path(done.stdout.strip()), done.stderr.splitlines()


def test_the_file_of_a_sweep_that_succeeds_is_removed(tmp_path):
    _, lines = run('os.write(2, b"stack\\n")', tmp_path)
    assert lines == ["ours", "after"]
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_a_sweep_names_the_file(tmp_path):
    path, lines = run('os.write(2, b"stack\\n"); raise SweepError("lost")', tmp_path)
    assert path.read_text() == "stack\n"
    assert lines == ["ours", f"lost; Ray's messages are in {path}", "after"]


@pytest.mark.parametrize("error", ["SweepError('lost')", "KeyError('lost')"])
def test_an_empty_file_is_not_named(tmp_path, error):
    path, lines = run(f"raise {error}", tmp_path)
    assert not any(str(path) in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_line_before_an_immediate_exit_reaches_the_terminal(tmp_path):
    path, lines = run('os.write(2, b"stack\\n"); exits.exit_with("gone", 1)', tmp_path)
    assert lines == ["ours", "gone"]
    assert path.read_text() == "stack\n"
