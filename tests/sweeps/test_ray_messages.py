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
    assert lines == ["ours", f"gone; Ray's messages are in {path}"]
    assert path.read_text() == "stack\n"


def test_an_immediate_exit_leaves_no_empty_file(tmp_path):
    _, lines = run('exits.exit_with("gone", 1)', tmp_path)
    assert lines == ["ours", "gone"]
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_any_constructor_names_the_file(tmp_path):
    block = """
        class Odd(SweepError):
            def __init__(self, *, number):
                super().__init__(f"odd {number}")
                self.number = number
        os.write(2, b"stack\\n")
        raise Odd(number=7)"""
    path, lines = run(block, tmp_path)
    assert lines == ["ours", f"odd 7; Ray's messages are in {path}", "after"]


def test_an_error_after_the_file_was_removed_is_that_of_the_sweep(tmp_path):
    _, lines = run("os.unlink(path); raise SweepError('lost')", tmp_path)
    assert lines == ["ours", "lost", "after"]


def test_text_without_an_end_of_line_reaches_the_terminal_after_the_block(tmp_path):
    _, lines = run('sys.stderr.write("begun, ")', tmp_path)
    assert lines == ["ours", "begun, after"]


def test_the_process_that_speaks_for_an_aborted_one_writes_to_the_terminal(tmp_path):
    block = """
        with exits.message_if_aborted("aborted"):
            os._exit(1)"""
    path, lines = run(block, tmp_path)
    assert lines == ["ours", "aborted"]
    assert path.read_text() == ""
