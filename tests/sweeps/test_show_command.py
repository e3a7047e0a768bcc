"""The card of a trial and the figures of predictions are commands of the analysis."""

import subprocess
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from sweeps.__main__ import cli


@pytest.fixture(name="commands")
def _commands(monkeypatch):
    started = []
    done = SimpleNamespace(returncode=2)
    monkeypatch.setattr(subprocess, "run", lambda command: started.append(command) or done)
    return started


def test_show_hands_its_id_and_storage_to_the_analysis(commands, tmp_path):
    result = CliRunner().invoke(cli, ["show", "1f", "--storage", str(tmp_path), "--json"])
    assert result.exit_code == 2
    assert commands[0][-5:] == ["show", f"--storage={tmp_path}", "--json", "--", "1f"]


def test_show_needs_a_storage(commands):
    assert CliRunner().invoke(cli, ["show", "1f"]).exit_code == 2
    assert not commands


def test_predictions_are_drawn_by_the_analysis(commands, tmp_path):
    CliRunner().invoke(cli, ["plot-predictions", "a.parquet", "b.parquet", "--out", str(tmp_path)])
    assert commands[0][-5:] == ["predictions", f"--out={tmp_path}", "--", "a.parquet", "b.parquet"]
