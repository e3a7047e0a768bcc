"""Trained models under other tests: the same numbers where the test is the same, a table apart."""

import shutil

import pyarrow.parquet as pq
import pytest
from local_sweep import run_locally, table_of_trials
from spaces import TINY, TINY_XNN

import sweeps
from sweeps import SpaceError, UsageError
from sweeps.inspection import evaluation
from sweeps.inspection.verify import verify

SMALL = TINY.replace("path_fgsm: [0.2]", "path_fgsm: [0.2], attacked_paths: 256")
FEW = {"space.lr.grid": [1e-2]}
FURTHER = ["study.evaluation.path_fgsm=[0.2, 0.4]", "study.evaluation.regimes=[high_vol]"]
FURTHER += ["study.evaluation.transfer=[0.1]"]


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    path = tmp_path_factory.mktemp("evaluated") / "out"
    run_locally(SMALL, path, overrides=FEW)
    return path


@pytest.fixture
def copy(storage, tmp_path):
    return shutil.copytree(storage, tmp_path / "copy")


def digests(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_metrics_of_the_sweep_are_equal_to_the_last_bit_and_others_are_added(copy):
    before = digests(copy)
    result = sweeps.evaluate(copy, FURTHER)
    trials = table_of_trials(copy)
    assert [row["trial_id"] for row in result.rows] == list(trials)
    for row in result.rows:
        recorded = trials[row["trial_id"]]
        shared = row.keys() & recorded.keys() - {"attacks_not_finite"}
        assert {n: row[n] for n in shared} == {n: recorded[n] for n in shared}
        assert {"cvar_05", "attacked_cvar_05@path_fgsm:0.2", "cvar_05_minus_dense"} <= shared
        assert row["attacked_cvar_05@path_fgsm:0.4"] < row["attacked_cvar_05@path_fgsm:0.2"]
    assert {"cvar_05@regime:high_vol", "attacked_cvar_05@transfer:0.1"} <= {*result.added}
    assert result.changed == ()
    after = digests(copy)
    assert {n: after[n] for n in before} == before
    assert {*after} - {*before} == {result.path.relative_to(copy)}
    assert verify(copy).ok


def test_the_numbers_are_those_of_a_sweep_that_was_tested_so(storage, tmp_path):
    """Its theta_0 and training are the same; only its trials' ids differ with the study."""
    run_locally(
        SMALL,
        tmp_path / "other",
        overrides={**FEW, "study.evaluation.regimes": ["high_vol"]},
    )
    expected = {row["index"]: row for row in table_of_trials(tmp_path / "other").values()}
    index = {i: row["index"] for i, row in table_of_trials(storage).items()}
    result = sweeps.evaluate(
        storage, {"study.evaluation.regimes": ["high_vol"]}, out=tmp_path / "t.parquet"
    )
    name = "cvar_05@regime:high_vol"
    assert all(row[name] == expected[index[row["trial_id"]]][name] for row in result.rows)


def test_an_identical_call_reads_the_table_and_others_do_not(copy, monkeypatch):
    first = sweeps.evaluate(copy, FURTHER)
    content = first.path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "_rows", lambda *_: pytest.fail("tested again"))
        again = sweeps.evaluate(copy, {
            "study.evaluation.path_fgsm": [0.2, 0.4],
            "study.evaluation.regimes": ["high_vol"],
            "study.evaluation.transfer": [0.1],
        })  # fmt: skip
    assert (first.reused, again.reused) == (False, True)
    assert again.rows == first.rows
    first.path.write_bytes(content[:-9])
    assert not sweeps.evaluate(copy, FURTHER).reused
    assert first.path.read_bytes() == content
    other = sweeps.evaluate(copy, FURTHER[:1])
    assert other.path != first.path
    metadata = pq.read_schema(other.path).metadata
    assert b'"path_fgsm": [0.2, 0.4]' in metadata[b"evaluation"]


def test_an_interrupted_evaluation_continues_behind_the_models_that_it_has_tested(
    copy, storage, monkeypatch
):
    tested, test = [], evaluation._tested

    def counted(sweep, trial, *rest, **more):
        tested.append(trial.entry.trial_id)
        if len(tested) == 3:
            raise KeyboardInterrupt
        return test(sweep, trial, *rest, **more)

    monkeypatch.setattr(evaluation, "_tested", counted)
    with pytest.raises(KeyboardInterrupt):
        sweeps.evaluate(copy, FURTHER)
    assert verify(copy).ok
    (draft,) = (copy / "evaluations").iterdir()
    again = sweeps.evaluate(copy, FURTHER)
    assert not draft.exists()
    assert tested[2] == tested[3]
    assert sorted(tested[:2] + tested[3:]) == sorted(table_of_trials(copy))
    monkeypatch.setattr(evaluation, "_tested", test)
    whole = sweeps.evaluate(storage, FURTHER)
    assert whole.path.read_bytes() == again.path.read_bytes()
    whole.path.unlink()


def test_settings_of_an_attack_change_its_columns_and_no_others(copy):
    result = sweeps.evaluate(copy, ["study.evaluation.attacked_paths=128"])
    names = {name.partition("@")[0] for name in result.changed}
    assert names == {"attacked_cvar_05", "cvar_05"}
    assert "cvar_05" not in result.changed
    assert result.added == ()


@pytest.mark.parametrize(
    ("overrides", "error", "line"),
    [
        (["study.training.epochs=9"], UsageError, "changes settings of study.evaluation only"),
        (["search.seed=1"], UsageError, "changes settings of study.evaluation only"),
        (["study.evaluation=3"], UsageError, "changes settings of study.evaluation only"),
        (["study.evaluation.path_pgdd=[1]"], UsageError, "study.evaluation.path_pgdd: unknown"),
        (["study.evaluation.regimes=[moon]"], UsageError, "study.evaluation.*unknown"),
        (["study.evaluation.control_variate=true"], UsageError, "takes effect when a seed is"),
        (["evaluation.path_pgd=[1]"], SpaceError, "study.evaluation.path_pgd"),
    ],
)
def test_other_keys_are_refused_in_one_line(storage, overrides, error, line):
    with pytest.raises(error, match=line) as caught:
        sweeps.evaluate(storage, overrides)
    assert "\n" not in str(caught.value)


def test_changed_models_and_storages_without_any_are_refused(copy, tmp_path):
    model = next(copy.glob("models/*/*"))
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    with pytest.raises(UsageError, match="is not the model that the log names"):
        sweeps.evaluate(copy, FURTHER)
    with pytest.raises(UsageError, match="name a file for the table by --out"):
        sweeps.evaluate("s3://bucket/out", FURTHER)
    run_locally(SMALL, tmp_path / "unbegun", overrides=FEW, stop_after=0)
    with pytest.raises(UsageError, match="none is completed yet"):
        sweeps.evaluate(tmp_path / "unbegun", FURTHER)


def test_explainable_networks_are_tested_again_too(tmp_path):
    one = {"space.adj_weight.grid": [0.3], "space.seed.grid": [0]}
    run_locally(TINY_XNN, tmp_path / "out", overrides=one)
    same = sweeps.evaluate(tmp_path / "out", ["study.evaluation.resamples=20"])
    assert (same.changed, same.added) == ((), ())
    assert same.equal > 20
    assert sweeps.evaluate(tmp_path / "out", ["study.evaluation.resamples=30"]).changed
