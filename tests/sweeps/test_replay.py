"""A recorded trial, computed again."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from local_sweep import edit_log, edit_manifest, forge_network, run_locally
from printed import numbers
from safetensors.torch import load_file, save_file
from spaces import TINY

from sweeps import UsageError
from sweeps.driver import engine_for
from sweeps.experiments import experiment
from sweeps.inspection.replay import Difference, replay
from sweeps.journal.code_identity import code_identity
from sweeps.journal.records import SegmentStart, WorkerLoss
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.planning.plan import plan
from sweeps.scheduling.ledger import Ledger

# Eight trials under ASHA: some complete, some are stopped, some of these audited, two diverge.
OVERRIDES = {
    "space.sparsity.grid": [0.5],
    "space.lr.grid": [1e-2, 3e-3, 1e-4, 1e15],
    "study.training.schedule": "constant",
    "scheduler": {"asha": {"grace_period": 1, "reduction_factor": 2}},
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    storage = tmp_path_factory.mktemp("swept") / "out"
    run_locally(TINY, storage, overrides=OVERRIDES, audit=0.1, stop_after=7, shuffle_seed=1)
    run_locally(TINY, storage, overrides=OVERRIDES, audit=0.1, shuffle_seed=2)
    return storage


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """A sweep that was interrupted early."""
    storage = tmp_path_factory.mktemp("cut") / "out"
    run_locally(TINY, storage, overrides=OVERRIDES, stop_after=2)
    return storage


@pytest.fixture
def copy(swept, tmp_path):
    return shutil.copytree(swept, tmp_path / "copy")


def ids(storage, status=None, audited=None):
    trials = StoredSweep.read(storage).state.trials
    return [
        known
        for known, trial in trials.items()
        if status in (None, trial.ended) and audited in (None, trial.audited and bool(trial.end))
    ]


def edit_segments(storage, known, change):
    """Apply ``change`` to every segment of the trial."""

    def changed(record):
        if record["type"] != "segment" or record["trial_id"] != known:
            return None
        change(record)
        return record

    assert sum(edit_log(storage, file.name, changed) for file in (storage / "log").glob("*.jsonl"))


def test_the_sweep_under_test_has_trials_of_every_kind(swept):
    assert ids(swept, "completed")
    assert ids(swept, "stopped", audited=False)
    assert ids(swept, "stopped", audited=True)
    assert ids(swept, "failed")


def test_every_trial_of_a_sweep_that_was_cut_and_resumed_is_bit_equal(swept):
    trials = StoredSweep.read(swept).state.trials
    for known, trial in trials.items():
        again = replay(swept, known)
        assert again.equal, again.lines()
        assert again.epochs == len(trial.epochs)
        assert (again.model is None) == (trial.end is None or trial.end.status == "failed")


def test_the_outcome_is_one_line_with_epochs_metrics_and_model(swept):
    (known, *_) = ids(swept, "completed")
    again = replay(swept, known)
    (line,) = again.lines()
    assert line == f"bit-equal: 3 epochs, {again.metrics} metrics, model {again.model[:8]}"
    assert again.metrics > 10


def test_a_stopped_trial_runs_to_where_it_was_stopped(swept):
    (known, *_) = ids(swept, "stopped", audited=False)
    stop = StoredSweep.read(swept).state.trials[known].stop
    assert replay(swept, known).lines() == [f"bit-equal: {stop.epoch} epochs"]


def test_an_audited_trial_runs_to_its_end(swept):
    (known, *_) = ids(swept, "stopped", audited=True)
    end = StoredSweep.read(swept).state.trials[known].end
    again = replay(swept, known)
    # An audited trial may diverge at its end too: it is then without a model.
    assert (again.epochs, again.model is None) == (3, end.status == "failed")


def test_a_failed_trial_fails_again_with_the_same_words(swept):
    (known, *_) = ids(swept, "failed")
    again = replay(swept, known)
    assert again.equal
    assert again.error == StoredSweep.read(swept).state.trials[known].end.error
    assert f"({again.error})" in again.lines()[0]


def test_a_trial_that_waits_is_replayed_as_far_as_it_came(cut):
    begun = [i for i, trial in StoredSweep.read(cut).state.trials.items() if trial.epochs]
    assert all(replay(cut, known).lines() == ["bit-equal: 1 epochs"] for known in begun)


def test_a_trial_without_an_epoch_cannot_be_compared(cut):
    trials = StoredSweep.read(cut).state.trials
    (known, *_) = [i for i, trial in trials.items() if not trial.epochs]
    with pytest.raises(UsageError, match=f"no epoch of trial {known} yet; replay it later"):
        replay(cut, known)


def test_a_row_that_was_changed_is_named_with_both_values(copy):
    (known, *_) = ids(copy, "completed")
    before = StoredSweep.read(copy).state.trials[known].rows()[1]["val_loss"]

    def change(record):
        for row in record["rows"]:
            if row["epoch"] == 2:
                row["val_loss"] = 1.25

    edit_segments(copy, known, change)
    again = replay(copy, known)
    assert StoredSweep.read(copy).state.trials[known].rows()[1]["val_loss"] == 1.25
    assert again.difference == Difference(
        where="at epoch 2", column="val_loss", recorded=1.25, now=before, columns=1
    )
    (line,) = again.lines()
    assert numbers(line) == [2, 1.25, before]


def test_the_first_of_several_columns_is_named_and_the_others_counted(copy):
    (known, *_) = ids(copy, "completed")

    def change(record):
        for row in record["rows"]:
            row["val_loss"] = row["y"] = 0.5

    edit_segments(copy, known, change)
    again = replay(copy, known)
    assert not again.equal
    assert (again.difference.where, again.difference.columns) == ("at epoch 1", 2)
    assert numbers(again.lines()[0])[-1] == 2


@pytest.mark.parametrize(
    ("name", "value", "column"),
    [
        ("cvar_05", 0.5, "cvar_05"),
        ("model", "0" * 64, "the sha256 of the model"),
        ("status", "failed", "status"),
    ],
)
def test_an_end_that_was_changed_is_named(name, value, column, copy):
    (known, *_) = ids(copy, "completed")
    end = StoredSweep.read(copy).state.trials[known].end
    before = getattr(end, name, None) or end.metrics[name]

    def change(record):
        if "end" in record:
            record["end"][name] = value

    edit_segments(copy, known, change)
    found = replay(copy, known).difference
    assert found == Difference(
        where="at the end", column=column, recorded=value, now=before, columns=1
    )


def test_a_fact_that_was_changed_is_named_before_the_epochs(copy):
    (known, *_) = ids(copy, "completed")
    edit_segments(copy, known, lambda record: record["facts"].update(weights_kept=1))
    found = replay(copy, known).difference
    assert (found.where, found.column) == ("before epoch 1", "weights_kept")
    assert found.recorded == 1 != found.now


def test_an_error_that_was_changed_is_named(copy):
    (known, *_) = ids(copy, "failed")
    edit_segments(copy, known, lambda record: record["end"].update(error="bad luck"))
    found = replay(copy, known).difference
    assert (found.where, found.column, found.recorded) == ("at the end", "error", "bad luck")
    assert found.now.startswith("diverged: ")


def test_a_failure_that_does_not_come_again_is_named(copy):
    (known, *_) = ids(copy, "stopped", audited=False)
    failure = {"end": {"status": "failed", "error": "bad luck"}}
    edit_segments(copy, known, lambda record: record.update(failure))
    epochs = len(StoredSweep.read(copy).state.trials[known].epochs)
    (line,) = replay(copy, known).lines()
    said = f"differs at epoch {epochs + 1} in what came of it: bad luck recorded, an epoch now"
    assert line == said


def test_another_network_to_find_masks_on_gives_another_ticket(copy):
    (known, *_) = ids(copy, "completed")
    forge_network(copy, "theta_mask", lambda value: value.flip(0).contiguous())
    assert not replay(copy, known).equal


def test_another_theta_0_is_refused(copy):
    (known, *_) = ids(copy, "completed")
    forge_network(copy, "theta_0", lambda value: torch.nextafter(value, value + 1))
    with pytest.raises(UsageError, match=f"another theta_0 than trial {known} .*from a copy"):
        replay(copy, known)


def test_a_network_that_is_not_the_one_filed_is_refused(copy):
    (known, *_) = ids(copy, "completed")
    (path,) = (copy / "study").glob("*/theta_mask.safetensors")
    theta = load_file(path)
    save_file({name: torch.nextafter(v, v + 1) for name, v in theta.items()}, path)
    with pytest.raises(UsageError, match=r"theta_mask\.safetensors is not what was recorded"):
        replay(copy, known)


def test_a_preparation_that_is_gone_or_torn_is_refused(copy):
    (known, *_) = ids(copy, "completed")
    (path,) = (copy / "study").glob("*/theta_0.safetensors")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UsageError, match=r"theta_0\.safetensors is not what was recorded"):
        replay(copy, known)
    shutil.rmtree(copy / "study")
    with pytest.raises(UsageError, match=f"not hold what trial {known} started from"):
        replay(copy, known)


def test_other_code_is_said_first_and_compared_all_the_same(copy):
    (known, *_) = ids(copy, "completed")

    def change(record):
        return {**record, "core": "other" + "0" * 59} if record["type"] == "start" else None

    for file in (copy / "log").glob("*.jsonl"):
        edit_log(copy, file.name, change)
    again = replay(copy, known)
    assert again.equal
    (note,) = again.notes
    assert "other000" in note
    assert code_identity("tickets")[:8] in note
    assert again.lines()[0] == note


def test_another_torch_is_said_first(swept, monkeypatch):
    (known, *_) = ids(swept, "completed")
    for module in ("journal.manifest", "inspection.replay"):
        monkeypatch.setattr(f"sweeps.{module}.torch_version", lambda: "9.9")
    again = replay(swept, known)
    assert again.equal
    (note,) = again.notes
    assert "torch 2." in note
    assert "here 9.9" in note
    assert again.lines()[0] == note


def test_a_study_that_is_not_that_of_the_id_is_said_first(copy):
    (known, *_) = ids(copy, "completed")
    assert replay(copy, known).notes == ()
    study = dict(StoredSweep.read(copy).manifest["study"])
    edit_manifest(copy, study={**study, "pruning": {**study["pruning"], "min_kept": 8}})
    again = replay(copy, known)
    (note,) = again.notes
    assert "its id" in note
    assert again.lines()[0] == note
    assert not again.equal


def test_of_a_trial_that_lost_its_workers_only_the_epochs_are_compared(tmp_path):
    storage = tmp_path / "out"
    run_locally(TINY, storage, overrides=OVERRIDES, stop_after=4)
    engine = engine_for(plan(storage.with_suffix(".yaml"), overrides=OVERRIDES))
    ledger = Ledger(
        storage, core=code_identity("tickets"), engine=engine, experiment=experiment("tickets")
    )
    (known, *_) = [i for i, trial in ledger.state.trials.items() if trial.epochs and not trial.end]
    for _ in range(4):
        ledger.append(SegmentStart(trial_id=known, epoch=1))
        ledger.append(WorkerLoss(trial_id=known, error="killed", node=False))
    ledger.close()
    again = replay(storage, known)
    assert (again.equal, again.epochs, again.metrics, again.model) == (True, 1, 0, None)
    (note,) = again.notes
    assert "(killed (4 times" in note
    assert again.error is None


def test_a_prefix_that_only_one_trial_has_is_enough(swept):
    known = ids(swept)
    prefixes = (known[0][:n] for n in range(1, 17))
    short = next(p for p in prefixes if sum(i.startswith(p) for i in known) == 1)
    assert replay(swept, short).trial_id == known[0]


def test_a_prefix_that_several_have_is_refused_with_their_ids(swept):
    states = {"core": SimpleNamespace(trials=dict.fromkeys(["ab1", "ab2", "ab3", "ab4", "c1"]))}
    sweep = replace(StoredSweep.read(swept), states=states)
    assert sweep.find("c") == ("c1", "core")
    with pytest.raises(UsageError, match=r"4 trials .*'ab'; give more of it: ab1, ab2, ab3, \.\."):
        sweep.find("ab")


def test_an_empty_id_is_refused_even_if_there_is_one_trial(swept):
    with pytest.raises(UsageError, match=rf"empty id .* such as {min(ids(swept))}"):
        replay(swept, "")


def test_an_unknown_id_is_refused_with_the_nearest(swept):
    known = ids(swept)[0]
    wrong = known[:8] + "x" + known[9:]
    with pytest.raises(UsageError, match=f"begins with '{wrong}'; nearest: {known}"):
        replay(swept, wrong)


def test_a_folder_that_is_no_storage_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no sweep; give the --storage of a run"):
        replay(tmp_path, "ab")


def test_a_population_cannot_be_replayed(copy):
    edit_manifest(copy, scheduler={"pbt": {}})
    with pytest.raises(UsageError, match="population based training changes a trial"):
        replay(copy, ids(copy)[0])


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator here")
def test_a_trial_of_a_gpu_is_refused_where_there_is_none(copy):
    edit_manifest(copy, resources={"cpu": 1, "gpu": 1})
    known = ids(copy)[0]
    with pytest.raises(UsageError, match=f"{known} was computed on a GPU; replay it where there"):
        replay(copy, known)


def test_replaying_changes_nothing(swept):
    def content():
        return {file: file.read_bytes() for file in swept.rglob("*") if file.is_file()}

    before = content()
    replay(swept, ids(swept)[0])
    assert content() == before
