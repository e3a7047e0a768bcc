"""Differences of configurations at common seeds, and the command that prints them."""

import json
import math

import numpy as np
import pytest
import scipy
from click.testing import CliRunner

import analysis
from analysis.__main__ import main
from analysis.trial_list import HEADLINE

A = [-3.0, -3.1, -2.9, -3.05, -2.95]
GAIN = [0.10, 0.12, 0.09, 0.11, 0.13]


def rows(values, *, seeds=None, sparsity=0.9, **more):
    seeds = range(len(values)) if seeds is None else seeds
    return [
        {"sparsity": sparsity, "seed": s, "cvar_05": v, "data_sha256": f"{s:064x}", **more}
        for s, v in zip(seeds, values, strict=True)
    ]


@pytest.fixture(name="pair")
def _pair(table):
    better = [a + g for a, g in zip(A, GAIN, strict=True)]
    return table(*rows(A)), table(*rows(better))


def only(frame):
    (row,) = frame.to_dict("records")
    return row


def test_a_difference_has_the_interval_and_the_p_of_students_paired_test(pair):
    row = only(analysis.differences(*pair, ["cvar_05"]))
    student = scipy.stats.ttest_rel(np.add(A, GAIN), A)
    low, high = student.confidence_interval()
    assert row["difference"] == pytest.approx(np.mean(GAIN))
    assert row["difference_low"] == pytest.approx(low)
    assert row["difference_high"] == pytest.approx(high)
    assert row["p"] == row["p_holm"] == pytest.approx(student.pvalue)
    assert (row["verdict"], row["seeds"], row["reason"]) == ("better", 5, "")


def test_exchanged_frames_exchange_the_verdict(pair):
    row = only(analysis.differences(pair[1], pair[0], ["cvar_05"]))
    assert (row["verdict"], row["difference"]) == ("worse", pytest.approx(-np.mean(GAIN)))


def test_a_metric_whose_better_end_is_low_is_judged_so(table):
    first, second = (table(*rows(A, val_loss=v)) for v in (1.0, 1.0))
    first["val_loss"] = second["val_loss"] + np.array(GAIN)
    assert only(analysis.differences(first, second, ["val_loss"]))["verdict"] == "better"


def test_p_is_corrected_for_all_rows(table):
    rng = np.random.default_rng(0)
    frames = [
        table(*(r for s in (0.5, 0.8, 0.9) for r in rows(rng.normal(size=5), sparsity=s)))
        for _ in range(2)
    ]
    result = analysis.differences(*frames, ["cvar_05"])
    assert len(result) == 3
    assert result["p_holm"].min() == pytest.approx(min(1.0, 3 * result["p"].min()))


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (rows(A), "equal results"),
        (rows([-2.0, -2.5]), "fewer than three common seeds"),
        (rows(A, seeds=range(10, 15)), "fewer than three common seeds"),
        ([*rows(A[:4]), rows(A[4:], seeds=[4], status="stopped")[0]], "a seed has no result"),
        ([{**r, "data_sha256": "f" * 64} for r in rows(A)], "not known to be equal"),
    ],
)
def test_without_a_test_there_is_no_verdict_and_the_reason_is_given(table, second, reason):
    frame = table(*second)
    frame.loc[frame["status"].ne("completed"), "cvar_05"] = None
    row = only(analysis.differences(table(*rows(A)), frame, ["cvar_05"]))
    assert reason in row["reason"]
    assert row["verdict"] == "not shown"
    assert np.isnan(row["p"])
    assert np.isnan(row["difference_low"])


def test_configurations_of_one_frame_only_have_no_row(table):
    first, second = table(*rows(A, sparsity=0.5)), table(*rows(A, sparsity=0.8))
    assert analysis.differences(first, second, ["cvar_05"]).empty


def compared(*arguments):
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


@pytest.fixture(name="storage")
def _storage(table, write, tmp_path):
    rest = {"val_loss": 3.0}
    better = [a + g for a, g in zip(A, GAIN, strict=True)]
    trials = table(*rows(A, **rest), *rows(better, sparsity=0.5, **rest))
    return write(tmp_path / "sweep", trials)


def test_two_trials_are_compared_as_configurations_over_their_seeds(storage):
    result = compared(storage, "t0000", "t0007", "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.output)
    assert ["sparsity", 0.9, 0.5] in content["settings"]
    cvar = next(row for row in content["differences"] if row["metric"] == "cvar_05")
    assert (cvar["seeds"], cvar["verdict"]) == (5, "better")
    assert "B is" in compared(storage, "t0000", "t0007").output


def test_two_seeds_of_one_configuration_have_no_differences_tested(storage):
    content = json.loads(compared(storage, "t0000", "t0001", "--json").output)
    assert content["differences"] == []
    assert ["cvar_05", A[0], A[1]] in content["values"]


ENDINGS = {
    "failed": {"error": "OSError: a disk"},
    "stopped": {"reason": "rank 3 of 3 at epoch 6"},
    "running": {},
    "completed": {},
}


@pytest.mark.parametrize("status", ENDINGS)
def test_a_trial_without_a_result_is_named_with_the_reason(table, write, tmp_path, status):
    ending = {"status": status, **ENDINGS[status]}
    trials = table({"sparsity": 0.5, "cvar_05": -3.0}, {"sparsity": 0.9, **ending})
    gone = [name for name in HEADLINE["tickets"] if name in trials]
    trials.loc[1, gone] = math.nan
    storage = write(tmp_path / "sweep", trials)
    content = json.loads(compared(storage, "t0000", "t0001", "--json").output)
    first, second = content["notes"]
    assert first.startswith("B has no result")
    assert all(cause in first for cause in ENDINGS[status].values())
    assert "No difference is shown" in second
    shown = compared(storage, "t0000", "t0001").output
    assert "B less A" not in shown


def test_two_trials_without_a_result_have_no_table(table, write, tmp_path):
    failed = {"status": "failed", "error": "loss is not finite"}
    trials = table({"sparsity": 0.5, **failed}, {"sparsity": 0.9, **failed})
    storage = write(tmp_path / "sweep", trials)
    content = json.loads(compared(storage, "t0000", "t0001", "--json").output)
    assert content["values"] == []
    assert [note[:15] for note in content["notes"][:2]] == ["A has no result", "B has no result"]
    assert "equal" not in compared(storage, "t0000", "t0001").output


def test_a_sweep_without_a_result_recommends_none(table, write, tmp_path, storage):
    failed = write(tmp_path / "failed", table({"sparsity": 0.5, "status": "failed"}))
    for pair in ((failed, storage), (storage, failed)):
        shown = compared(*pair)
        assert shown.exit_code == 0
        assert f"{failed} recommends none" in shown.output
        assert "No difference is shown" in shown.output
        assert "0 of 0" not in shown.output


def test_a_sweep_compared_with_itself_is_equal(storage):
    content = json.loads(compared(storage, storage, "--json").output)
    assert content["settings"] == []
    assert {row["reason"] for row in content["differences"]} == {"equal results"}


@pytest.mark.parametrize("others", [["t9"], ["t0000", "x"], ["a", "b", "c"]])
def test_a_wrong_operand_is_one_line_with_the_cure(storage, others):
    result = compared(storage, *others)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "trial" in result.stderr
