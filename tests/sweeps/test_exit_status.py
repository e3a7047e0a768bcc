"""Exit statuses of the run command for completed, failed and lost trials."""

import sys

import faked_sweep
import pytest
from printed import numbers
from spaces import TINY

import sweeps
from sweeps.__main__ import main


def diverging(*, above: float):
    """A formula that raises where the learning rate is above a bound."""

    def formula(config, epoch):
        if config["lr"] > above:
            raise FloatingPointError("loss is not finite")
        return config["lr"] / epoch

    return formula


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def command(space, storage, formula, monkeypatch, capsys):
    """Exit status and lines on standard error of the run command over ``formula``."""

    def run(space, **arguments):
        monkeypatch.undo()  # of this, which the faked sweep itself comes to call
        arguments = {k: v for k, v in arguments.items() if k in ("storage", "overrides")}
        return faked_sweep.run(space, formula=formula, **arguments)

    monkeypatch.setattr(sweeps, "run", run, raising=False)
    monkeypatch.setattr(sys, "argv", ["hedgesweep", "run", str(space), "--storage", str(storage)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err.splitlines()


def test_a_sweep_whose_trials_complete_or_are_stopped_is_0(space, tmp_path, monkeypatch, capsys):
    found = command(space, tmp_path / "s", diverging(above=9.0), monkeypatch, capsys)
    assert found == (0, [])


def test_a_sweep_of_which_some_trials_failed_is_3(space, tmp_path, monkeypatch, capsys):
    status, lines = command(space, tmp_path / "s", diverging(above=0.005), monkeypatch, capsys)
    assert status == 3
    (line,) = lines
    assert numbers(line) == [4, 8, 4], "trials that failed, of all, and those of this error"
    assert "FloatingPointError" in line


def test_a_sweep_of_which_every_trial_failed_is_1(space, tmp_path, monkeypatch, capsys):
    status, lines = command(space, tmp_path / "s", diverging(above=0.0), monkeypatch, capsys)
    assert status == 1
    (line,) = lines
    assert numbers(line)[:2] == [8, 8]
    assert "none completed" in line


def test_running_again_says_the_same(space, tmp_path, monkeypatch, capsys):
    found = [
        command(space, tmp_path / "s", diverging(above=0.0), monkeypatch, capsys) for _ in range(2)
    ]
    assert found[0] == found[1]


def test_a_request_that_cannot_be_carried_out_is_2(space, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hedgesweep", "run", "nowhere.yaml", "--storage", "s"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
