import json

import pandas as pd
import pytest
from click.testing import CliRunner
from printed import lines_with, numbers, section

from analysis import figures, xnn
from analysis.__main__ import main


@pytest.fixture
def run(monkeypatch):
    """The report of a storage, without its figures, which have separate tests."""
    empty = figures.Saved(written=(), skipped=("pareto: not drawn here",))
    monkeypatch.setattr("analysis.figures.xnn.save_xnn", lambda *_: empty)

    def invoke(storage):
        return CliRunner().invoke(main, ["report", str(storage)], catch_exceptions=False)

    return invoke


SMALL = {"weights": (0.0, 0.3), "clusters": (2, 6), "seeds": (0, 1)}


def test_the_report_has_every_section_and_numbers_of_each(store, run):
    storage, _ = store(**SMALL)
    result = run(storage)
    assert result.exit_code == 0
    said = result.output
    assert said.startswith("xnn_test:")
    assert numbers(said.splitlines()[0]) == [8, 8, 2], "trials, those completed, seeds"
    assert len(lines_with(said, "XGBoost regression with")) == 2
    (origin,) = lines_with(said, "Table of applicants")
    assert "ab" * 6 in origin, "the fingerprint of its rows"
    costs = section(said, "What explanation costs")
    assert numbers(costs[0])[:3] == [0.3, 2, 0.02]
    assert numbers(costs[-1])[:2] == [2, 4]
    assert len(section(said, "Raw R2 and chance")) == 4
    assert len(section(said, "Is it used")) == 7
    assert numbers(section(said, "Beside boosted trees")[0])[0] == 1.25
    assert section(said, "Groups of insured")[0].startswith("By InsuredInfo_6")
    assert section(said, "Skipped figures") == ["pareto: not drawn here"]
    assert len(section(said, "Beside its controls")) == 4
    assert numbers(section(said, "Rare values")[0])[:2] == [700, 30]
    assert len(section(said, "Files")) == 11


def test_the_csv_tables_of_an_xnn_hold_what_the_functions_return(store, run):
    storage, trials = store(**SMALL)
    run(storage)
    names = {path.stem for path in (storage / "report").glob("*.csv")}
    assert names == {
        *("cells", "claims", "baselines", "growth", "stability", "pareto", "fairness"),
        *("yardsticks", "node_coefficients", "cluster_sizes", "column_importance"),
    }
    read = pd.read_csv(storage / "report" / "cells.csv")
    # Settings that the study fixes appear with the swept ones.
    assert set(read.columns) == {*xnn.cells(trials).columns, "method"}
    assert len(read) == 4


def remade(storage, part, **values):
    """The manifest of ``storage`` with ``values`` in a ``part`` of its study."""
    path = storage / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["study"].setdefault(part, {}).update(values)
    path.write_text(json.dumps(manifest))


def test_where_validation_and_test_rows_are_the_same_the_opening_says_so(store, run):
    storage, _ = store(**SMALL, models=False)
    apart = run(storage).output
    remade(storage, "data", split="published")
    same = run(storage).output
    openings = [t.partition("Claims")[0] for t in (apart, same)]
    assert ["published" in opening for opening in openings] == [False, True]
    assert ["On validation rows" in t for t in (apart, same)] == [False, True]
    assert ["too good" in t for t in (apart, same)] == [False, True]
    # The choice and its numbers are the same.
    chosen = [section(t, "What explanation costs")[1:3] for t in (apart, same)]
    assert chosen[0] == chosen[1]


def test_methods_are_a_table_and_a_section(store, run):
    storage, _ = store(**SMALL | {"method": ("none", "alignment")}, models=False)
    assert "Methods\n  alignment against " in run(storage).output
    assert pd.read_csv(storage / "report" / "methods.csv")["control"].tolist() == ["none"]


def test_groups_that_are_too_small_are_told_by_their_column(store, run):
    storage, _ = store({"groups": 1}, **SMALL, models=False)
    remade(storage, "evaluation", group="Ins_Age")
    (line,) = lines_with(run(storage).output, "Ins_Age")
    assert numbers(line) == [30], "rows that a group needs"


def test_a_partial_sweep_of_an_xnn_says_what_is_missing(store, run):
    outcomes = ["completed", "running", "stopped", "completed"]
    given = {"weights": (0.0, 0.3), "clusters": (2,), "seeds": (0, 1)}
    storage, _ = store({"status": outcomes, "stopped_at": [None, None, 3, None]}, **given)
    said = run(storage).output
    assert numbers(said.splitlines()[0]) == [4, 2, 1, 1, 2], "trials by outcome, and seeds"
    (line,) = lines_with(said, "unfinished", "provisional")
    assert numbers(line) == [1, 4]


def test_a_sweep_in_which_nothing_has_completed_is_a_report_too(store, run):
    storage, _ = store({"status": "failed"}, weights=(0.3,), clusters=(2,), models=False)
    result = run(storage)
    assert result.exit_code == 0
    assert "nothing to compare" in result.output


def test_a_sweep_without_trials_is_told_in_two_lines(store, run):
    storage, trials = store(**SMALL, models=False)
    trials.iloc[:0].to_parquet(storage / "trials.parquet", index=False)
    assert len(run(storage).output.splitlines()) == 2


def test_models_that_cannot_be_read_are_counted(store, run):
    storage, _ = store(weights=(0.3,), clusters=(2,), seeds=(0, 1), models=False)
    (line,) = lines_with(run(storage).output, "x0000/xnn.safetensors", "no such file")
    assert numbers(line)[-1] == 1, "more of them"


def test_each_problem_has_its_own_answer(store, run):
    given = {"weights": (0.0, 0.3), "clusters": (2,), "seeds": (0, 1)}
    storage, trials = store(**given, models=False)
    other = trials.assign(explanation_gain=-0.2, trial_id=trials["trial_id"] + "b")
    column = "config/evaluation.layer"
    both = pd.concat([trials.assign(**{column: 0}), other.assign(**{column: 1})])
    both.to_parquet(storage / "trials.parquet", index=False)
    said = run(storage).output
    for layer in (0, 1):
        assert lines_with(said, "explanation costs", f"(evaluation.layer {layer})")
    front = pd.read_csv(storage / "report" / "pareto.csv")
    assert set(front["evaluation.layer"]) == {0, 1}


def test_early_stopping_is_told_where_trials_were_audited(store, run):
    given = {"weights": (0.0, 0.3), "clusters": (2,), "seeds": (0, 1)}
    stopped = [None, None, None, 2]
    change = {"status": ["completed"] * 3 + ["stopped"], "stopped_at": stopped}
    change |= {"audited": [False] * 3 + [True], "audit_val_loss": [None, None, None, 1.6]}
    storage, _ = store(change, **given, models=False)
    said = run(storage).output
    assert "Early stopping, audited" in said
    (line,) = lines_with(said, "stopped early", "ran on")
    assert numbers(line) == [1, 1]
    assert (storage / "report" / "early_stopping.csv").is_file()


def test_an_experiment_without_tables_of_its_own_has_one_of_its_trials(store, run):
    storage, trials = store(weights=(0.3,), clusters=(2,), seeds=(0,), models=False)
    (storage / "manifest.json").write_text(json.dumps({"experiment": "atlas"}))
    assert run(storage).exit_code == 0
    files = {file.name for file in (storage / "report").iterdir()}
    assert files == {"record.json", "report.html", "trials.csv"}
    assert len(pd.read_csv(storage / "report" / "trials.csv")) == len(trials)


def test_figures_are_drawn_from_the_tables_as_they_lie(store, run, monkeypatch):
    storage, trials = store(weights=(0.3,), clusters=(2,), seeds=(0,), models=False)
    path = storage / "report" / "figures" / "pareto.png"
    given = []

    def save_xnn(*arguments):
        given.extend(arguments)
        return figures.Saved(written=(path, path.with_suffix(".pdf")), skipped=())

    monkeypatch.setattr("analysis.figures.xnn.save_xnn", save_xnn)
    assert f"  {path}" in run(storage).output.splitlines()
    assert (given[0], given[1].storage) == (storage / "report", storage)
    assert list(given[2].trials.columns) == list(trials.columns)
    assert (len(given[3]), given[4]["name"]) == (6, "xnn_test")
