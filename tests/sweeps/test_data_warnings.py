"""A table with rows repeated under new ids: said by plan, run and report, with numbers."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from local_sweep import run_locally
from printed import lines_with, numbers
from spaces import TINY_XNN

import analysis
import sweeps
from analysis.wording import cautions
from hedgecore.insurance.data.synthetic import generate
from sweeps.__main__ import main

ONE = {"space.adj_weight.grid": [0.0], "space.clusters.grid": [2], "space.seed.grid": [0]}


@pytest.fixture(scope="module")
def frame():
    table = generate(400, seed=0)
    return pd.DataFrame({"Id": range(1, 401), **table.columns, "Response": table.response})


@pytest.fixture
def doubled(frame, tmp_path):
    path = tmp_path / "train.csv"
    both = pd.concat([frame, frame.head(100)])
    both.assign(Id=np.arange(1, 501)).to_csv(path, index=False)
    return path


def test_a_plan_says_how_many_rows_repeat_others(doubled, tmp_path, monkeypatch, capsys):
    (tmp_path / "xnn.yaml").write_text(TINY_XNN)
    arguments = ["plan", str(tmp_path / "xnn.yaml"), "--no-probe", "--set"]
    arguments += [f"study.data.path={doubled}"]
    monkeypatch.setattr(sys, "argv", ["hedgesweep", *arguments])
    main()
    lines = lines_with(capsys.readouterr().out, "another Id")
    assert [numbers(line)[:4] for line in lines] == [[0, 100, 126, 0], [1, 100, 126, 0]]


def test_a_table_of_one_class_is_refused_by_the_plan(frame, tmp_path, monkeypatch, capsys):
    (tmp_path / "xnn.yaml").write_text(TINY_XNN)
    frame.assign(Response=8).to_csv(tmp_path / "train.csv", index=False)
    override = f"study.data.path={tmp_path / 'train.csv'}"
    arguments = ["plan", str(tmp_path / "xnn.yaml"), "--set", override]
    monkeypatch.setattr(sys, "argv", ["hedgesweep", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Response 8 in all 400 rows" in line


def test_the_report_says_it_too(doubled, tmp_path):
    storage = tmp_path / "out"
    run_locally(TINY_XNN, storage, overrides={**ONE, "study.data.path": str(doubled)})
    manifest = json.loads((storage / "manifest.json").read_text())
    trials = analysis.load_trials(storage)
    lines = lines_with("\n".join(cautions(trials, manifest)), "another Id")
    (found,) = [numbers(line) for line in lines]
    assert found[:4] == [0, 100, 126, 0]
    assert 0 < found[4] < found[5] == 100
    assert analysis.load_manifest(storage)["preparations"]
    assert isinstance(sweeps.load_model(storage, trials["trial_id"].iloc[0]), sweeps.Classifier)
