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
    result = CliRunner().invoke(cli, ["show", str(tmp_path), "1f", "--json"])
    assert result.exit_code == 2
    assert commands[0][-5:] == ["show", "--json", "--", str(tmp_path), "1f"]


def test_show_needs_a_storage_and_an_id(commands):
    assert CliRunner().invoke(cli, ["show", "1f"]).exit_code == 2
    assert not commands


def test_trials_hands_its_options_to_the_analysis(commands, tmp_path):
    options = ["--where", "lr<1", "--where", "seed=0", "--sort", "cvar_05", "--limit", "3"]
    CliRunner().invoke(cli, ["trials", str(tmp_path), *options, "--reverse", "--format", "csv"])
    assert commands[0][commands[0].index("trials") + 1 :] == [
        *("--where=lr<1", "--where=seed=0", "--sort=cvar_05", "--limit=3", "--format=csv"),
        *("--reverse", "--", str(tmp_path)),
    ]


def test_predictions_are_drawn_by_the_analysis(commands, tmp_path):
    CliRunner().invoke(cli, ["plot-predictions", "a.parquet", "b.parquet", "--out", str(tmp_path)])
    assert commands[0][-5:] == ["predictions", f"--out={tmp_path}", "--", "a.parquet", "b.parquet"]
