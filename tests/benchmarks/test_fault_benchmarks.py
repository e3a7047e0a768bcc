"""Smoke tests of the scripts that inject faults, whose counts docs/reliability.md quotes."""

import sys

import pytest

from benchmarks import bit_flips, kills


@pytest.mark.slow
def test_bit_flips_are_counted_by_outcome(monkeypatch, capsys):
    options = ["--most", "1", "--small", "0", "--only", "finished"]
    monkeypatch.setattr(sys, "argv", ["bit_flips", *options])
    bit_flips.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("finished: ")
    assert line.endswith("wrong: 0")


@pytest.mark.ray
@pytest.mark.slow
def test_a_killed_driver_and_its_signals_are_tabulated(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["kills", "--kills", "1", "--signals", "1"])
    kills.main()
    printed = capsys.readouterr().out
    assert "| 1 | 1 |" in printed
    assert all(f"| {name} |" in printed for name in ("SIGTERM", "SIGINT", "SIGHUP"))
