"""The list of trials: conditions, order and formats."""

import io
import json
import shlex

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis import AnalysisError, ColumnError, trial_list
from analysis.__main__ import main


@pytest.fixture(name="trials")
def _trials(table):
    return table(
        {"sparsity": 0.0, "cvar_05": -3.0, "lr": 1e-3},
        {"sparsity": 0.9, "cvar_05": -2.9, "lr": 1e-2, "converged": False},
        {"sparsity": 0.95, "cvar_05": -3.4, "lr": 1e-3},
        {"sparsity": 0.95, "status": "stopped", "reason": "rank 4 of 6", "lr": 1e-2},
        {"sparsity": 0.98, "status": "failed", "error": "=diverged", "lr": 1e-2},
    )


def ids(frame):
    return [int(trial_id[1:]) for trial_id in frame["trial_id"]]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["sparsity>=0.9"], [1, 2, 3, 4]),
        (["sparsity > 0.9", "lr<0.005"], [2]),
        (["config/sparsity = 0.9"], [1]),
        (["sparsity!=0.95"], [0, 1, 4]),
        (["status=stopped"], [3]),
        (["status!=completed"], [3, 4]),
        (["cvar_05<=-3"], [0, 2]),
        (["cvar_05=none"], [3, 4]),
        (["cvar_05!=none", "converged=no"], [1]),
        (["error==diverged"], []),
        (["error = =diverged"], [4]),
        (["reason=rank 4 of 6"], [3]),
        ([], [0, 1, 2, 3, 4]),
    ],
)
def test_trials_meet_all_conditions(trials, conditions, expected):
    assert ids(trial_list(trials, where=conditions)) == expected


@pytest.mark.parametrize(
    ("sort", "reverse", "expected"),
    [
        ("cvar_05", False, [1, 0, 2, 3, 4]),  # the larger the better, missing values last
        ("cvar_05", True, [2, 0, 1, 3, 4]),
        ("lr", False, [0, 2, 1, 3, 4]),
        ("reason", False, [3, 0, 1, 2, 4]),
        (None, True, [4, 3, 2, 1, 0]),
    ],
)
def test_the_better_end_comes_first_and_ties_keep_their_order(trials, sort, reverse, expected):
    assert ids(trial_list(trials, sort=sort, reverse=reverse)) == expected


def test_an_axis_of_numbers_and_texts_can_be_sorted_and_compared(trials):
    trials["config/mixed"] = pd.Series([1, "b", "a", None, 2], dtype=object)
    assert ids(trial_list(trials, sort="mixed")) == [0, 4, 2, 1, 3]
    assert ids(trial_list(trials, where=["mixed=b"])) == [1]
    assert ids(trial_list(trials, where=["mixed=1"])) == [0]


@pytest.mark.parametrize(
    ("condition", "error", "cure"),
    [
        ("sparsity", ValueError, "'sparsity>=0.9'"),
        ("sparsiti>=0.9", ColumnError, "'sparsity'"),
        ("sparsity>=dense", ValueError, "'dense' is no number"),
        ("sparsity>=nan", ValueError, "'nan' is no number"),
        ("status>failed", ValueError, "use = or !="),
        ("converged=maybe", ValueError, "yes and no"),
        ("converged>0", ValueError, "use = or !="),
    ],
)
def test_what_is_no_condition_is_refused_with_the_cure(trials, condition, error, cure):
    with pytest.raises(error, match=cure):
        trial_list(trials, where=[condition])


@pytest.fixture(name="storage")
def _storage(trials, write, tmp_path):
    return write(tmp_path / "sweep", trials)


def run(storage, *arguments):
    return CliRunner().invoke(main, ["trials", *arguments, "--", str(storage)])


def test_a_table_has_ids_that_differ_axes_that_vary_and_metrics(storage):
    output = run(storage, "--sort=cvar_05").output
    heading = output.splitlines()[2].split()
    assert heading[:4] == ["trial_id", "status", "sparsity", "lr"]
    assert {"val_loss", "cvar_05"} <= set(heading)
    assert "epsilon" not in heading  # has one value
    assert output.index("t0001") < output.index("t0000") < output.index("t0002")


def test_a_table_is_limited_and_names_the_option_that_prints_the_rest(storage):
    output = run(storage, "--limit=2").output
    assert "t0001" in output
    assert "t0002" not in output
    assert "--limit 5" in output


def test_columns_that_do_not_fit_are_named(storage):
    names = pd.read_parquet(storage / "trials.parquet").columns
    output = run(storage, f"--columns={','.join(names)}").output
    heading = output.splitlines()[2].split()
    assert heading[:2] == ["trial_id", "index"]
    assert f"{len(names) - len(heading)} more columns" in output
    assert "more column" not in run(storage).output


def test_a_long_value_leaves_room_for_the_metrics(table, write, tmp_path):
    trials = table({"cvar_05": -3.0}, {"cvar_05": -2.0})
    trials.insert(3, "config/ticket", ["x" * 300, "y"])
    storage = write(tmp_path / "wide", trials)
    output = run(storage).output
    assert "cvar_05" in output.splitlines()[2]
    assert "x" * 25 not in output


def test_csv_has_every_column_and_no_formula(storage):
    frame = pd.read_csv(io.StringIO(run(storage, "--format=csv").output))
    assert len(frame) == 5
    assert {"trial_id", "config/sparsity", "dense_cvar_05"} <= set(frame.columns)
    assert frame["error"].iloc[4] == "'=diverged"


def test_json_has_null_for_what_is_missing(storage):
    options = ("--format=json", "--where=status=stopped", "--columns=trial_id, sparsity,cvar_05")
    assert json.loads(run(storage, *options).output) == [
        {"trial_id": "t0003", "config/sparsity": 0.95, "cvar_05": None}
    ]


@pytest.mark.parametrize("option", ["--where=x=1", "--sort=x", "--columns=x", "--where=lr>x"])
def test_an_error_is_one_line(storage, option):
    result = run(storage, option)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert result.output.startswith("error: ")


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_before_the_first_trial_no_axis_is_unknown(table, write, tmp_path, form):
    empty = table({}).iloc[:0].drop(columns=["config/sparsity"])
    storage = write(tmp_path / "empty", empty)
    options = (
        f"--format={form}",
        "--where=sparsity>=0.9",
        "--sort=sparsity",
        "--columns=sparsity",
    )
    result = run(storage, *options)
    assert result.exit_code == 0, result.output
    assert "sparsity'" not in result.output


def test_no_trial_meets_the_conditions(storage):
    assert "No trial meets the conditions." in run(storage, "--where=lr=7").output


def test_analysis_errors_cover_bad_conditions():
    assert issubclass(ColumnError, AnalysisError)


def test_a_failed_trial_in_a_table_comes_with_the_command_that_prints_its_error(storage):
    printed = CliRunner().invoke(main, ["trials", str(storage)]).output
    (command,) = [line for line in printed.splitlines() if "hedgesweep show" in line]
    *_, shown_storage, trial_id = shlex.split(command)
    shown = CliRunner().invoke(main, ["show", shown_storage, trial_id]).output
    assert "diverged" in shown
