"""Requests of users to a sweep: stops, further configurations, retries; their place in the log."""

import json
import shutil

import pytest
from local_sweep import edit_log, failing, run_locally, table_of_trials
from spaces import TINY

from sweeps import UsageError, steering
from sweeps.inspection.verify import verify
from sweeps.journal import requests
from sweeps.journal.history import History
from sweeps.journal.records import Retry, TrialRequest, UserStop
from sweeps.journal.requests import Request
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.planning.plan import plan
from sweeps.planning.recorded_space import recorded_space

ASHA = {"asha": {"grace_period": 1, "reduction_factor": 2, "block": 4}}
SMALL = TINY.replace("test_paths: 512", "test_paths: 128")
# Eight configurations in one stratum, each a single trial.
JUDGED = {"space.sparsity.grid": [0.5], "space.lr.grid": [1e-2, 3e-3, 1e-3, 1e-4]}
JUDGED |= {"scheduler": ASHA}
SEEDS = {"space.sparsity.grid": [0.5], "space.seed.grid": [0, 1]}
SEEDS |= {"scheduler": {"asha": {**ASHA["asha"], "replicates": "seed"}}}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """A driver in this process cannot take up what its own process waits for."""
    monkeypatch.setattr(steering, "_PATIENCE", 0.0)


def states(storage):
    return StoredSweep.read(storage).state.trials


def at(number, action):
    """A hook that calls ``action`` before segment ``number``."""
    return lambda done: action() if done == number else None


def of_kind(storage, kind):
    return [record for record in History(storage) if isinstance(record, kind)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Rows of a sweep without a scheduler, which nobody steered."""
    storage = tmp_path_factory.mktemp("undisturbed") / "out"
    run_locally(SMALL, storage)
    return table_of_trials(storage)


@pytest.fixture(scope="module")
def unbegun(tmp_path_factory):
    """A sweep whose trials are entered, and none of which has run."""
    storage = tmp_path_factory.mktemp("unbegun") / "out"
    run_locally(SMALL, storage, stop_after=0)
    return storage


def test_a_stop_leaves_every_other_row_as_it_was(unbegun, undisturbed, tmp_path):
    storage = shutil.copytree(unbegun, tmp_path / "out")
    victim = sorted(undisturbed)[0]
    left = steering.stop(storage, victim[:12])
    assert (left.driver, left.recorded) == (None, False)
    run_locally(SMALL, storage)
    run_locally(SMALL, storage)  # a later run does not start it
    rows = table_of_trials(storage)
    assert (rows[victim]["status"], rows[victim]["reason"]) == ("stopped", "by request at epoch 0")
    assert {i: row for i, row in rows.items() if i != victim} == {
        i: row for i, row in undisturbed.items() if i != victim
    }
    assert states(storage)[victim].ended == "stopped"
    assert verify(storage).ok
    assert not any((storage / "requests").iterdir())


@pytest.mark.parametrize("shuffle_seed", [None, 1])
def test_a_stop_in_a_running_sweep_says_so_in_its_row_and_counts_at_no_rung(
    shuffle_seed, tmp_path
):
    storage, victims = tmp_path / "out", []

    def stop():
        begun = [i for i, trial in states(storage).items() if trial.epochs and not trial.ended]
        victims.append(begun[0])
        steering.stop(storage, begun[0])

    run_locally(
        SMALL, storage, overrides=JUDGED, shuffle_seed=shuffle_seed, before_segment=at(2, stop)
    )
    row = table_of_trials(storage)[victims[0]]
    assert (row["status"], row["stopped_at"], row["audited"]) == ("stopped", None, False)
    assert row["reason"] == "by request at epoch 1"
    assert verify(storage).ok
    ended = {trial.ended for trial in states(storage).values()}
    assert ended == {"completed", "stopped"}


def test_the_other_seeds_of_a_configuration_stop_with_it_and_no_rival_waits(tmp_path):
    storage = tmp_path / "out"
    victims = []

    def stop():
        victims.append(next(i for i, t in states(storage).items() if t.ended is None))
        steering.stop(storage, victims[0])

    run_locally(SMALL, storage, overrides=SEEDS, before_segment=at(3, stop), audit=1.0)
    (record,) = of_kind(storage, UserStop)
    found = states(storage)
    group = {i for i, t in found.items() if t.entry.group == found[victims[0]].entry.group}
    assert set(record.trials) == group
    assert len(group) == 2
    # All others went on to verdicts, and none of the two was audited.
    assert all(trial.ended for trial in found.values())
    assert not any(found[i].audited for i in group)
    assert verify(storage).ok
    grown = {**SEEDS, "space.seed.grid": [0, 1, 2]}
    run_locally(SMALL, storage, overrides=grown)
    assert {found[i].entry.group for i in group} == {
        t.entry.group for t in states(storage).values() if isinstance(t.stop, UserStop)
    }


def test_what_was_stopped_starts_again_if_a_retry_names_it(unbegun, undisturbed, tmp_path):
    storage = shutil.copytree(unbegun, tmp_path / "out")
    victim = sorted(undisturbed)[0]
    steering.stop(storage, victim)
    run_locally(SMALL, storage)
    with pytest.raises(UsageError, match="no trial failed"):
        steering.retry(storage)
    requests.leave(storage, Request(kind="retry", trials=(victim,)))
    run_locally(SMALL, storage)
    assert table_of_trials(storage) == undisturbed
    assert verify(storage).ok


def test_failures_from_outside_start_again_and_end_as_undisturbed(
    undisturbed, tmp_path, monkeypatch
):
    storage = tmp_path / "out"
    victims = sorted(undisturbed)[:2]
    with monkeypatch.context() as patched:
        failing(patched, *victims)
        run_locally(SMALL, storage)
    assert {i for i, row in table_of_trials(storage).items() if row["status"] == "failed"} == {
        *victims
    }
    requests.leave(storage, Request(kind="retry"))
    run_locally(SMALL, storage)
    assert table_of_trials(storage) == undisturbed
    assert set(of_kind(storage, Retry)[0].trials) == {*victims}
    assert verify(storage).ok


def test_a_failure_of_the_trial_itself_happens_again(tmp_path):
    diverging = {**JUDGED, "space.lr.grid": [1e-2, 1e15], "study.training.schedule": "constant"}
    storage = tmp_path / "out"
    run_locally(SMALL, storage, overrides=diverging)
    before = {i: t.end.error for i, t in states(storage).items() if t.ended == "failed"}
    assert before
    requests.leave(storage, Request(kind="retry"))
    run_locally(SMALL, storage, overrides=diverging)
    after = {i: t.end.error for i, t in states(storage).items() if t.ended == "failed"}
    assert after == before
    assert verify(storage).ok


def test_seeds_that_were_stopped_for_a_failed_one_start_again_with_it(tmp_path, monkeypatch):
    storage = tmp_path / "out"
    run_locally(SMALL, storage, overrides=SEEDS, stop_after=0)
    victim = next(iter(states(storage)))
    with monkeypatch.context() as patched:
        failing(patched, victim)
        run_locally(SMALL, storage, overrides=SEEDS)
    requests.leave(storage, Request(kind="retry"))
    run_locally(SMALL, storage, overrides=SEEDS)
    (record,) = of_kind(storage, Retry)
    assert len(record.trials) == 2
    found = states(storage)
    assert {found[i].ended for i in record.trials} <= {"completed", "stopped"}
    assert all(len(found[i].epochs) >= 1 for i in record.trials)
    assert verify(storage).ok


def test_a_further_configuration_trains_at_every_seed_as_in_a_space_that_has_it(
    undisturbed, tmp_path
):
    storage = tmp_path / "out"
    narrow = {"space.lr.grid": [1e-2]}

    def enqueue():
        steering.enqueue(storage, ["sparsity=0.8", "lr=3e-3", "epsilon=0"])

    run_locally(SMALL, storage, overrides=narrow, before_segment=at(1, enqueue))
    (record,) = of_kind(storage, TrialRequest)
    assert record.config == {"sparsity": 0.8, "lr": 3e-3, "epsilon": 0.0}
    rows = table_of_trials(storage)
    assert len(rows) == 5
    new = next(i for i, row in rows.items() if row["config/lr"] == 3e-3)
    expected = {n: v for n, v in undisturbed[new].items() if n != "index"}
    assert {n: v for n, v in rows[new].items() if n != "index"} == expected
    run_locally(SMALL, storage, overrides=narrow)  # it does not leave the space
    assert not StoredSweep.read(storage).state.withdrawn
    assert verify(storage).ok


def test_a_further_configuration_is_judged_in_its_stratum(tmp_path):
    storage = tmp_path / "out"

    def enqueue():
        steering.enqueue(storage, {"sparsity": 0.5, "lr": 2e-3, "epsilon": 0.2})

    run_locally(SMALL, storage, overrides=SEEDS, before_segment=at(2, enqueue))
    found = states(storage)
    added = [t for t in found.values() if t.config["lr"] == 2e-3]
    assert sorted(t.config["seed"] for t in added) == [0, 1]
    assert all(trial.ended for trial in found.values())
    assert verify(storage).ok


def test_a_driver_that_dies_between_request_and_record_loses_and_doubles_nothing(
    unbegun, undisturbed, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    def kill(*_, **__):
        raise Killed

    victim = sorted(undisturbed)[0]
    for name in ("pending", "remove"):  # before the record; after it
        storage = shutil.copytree(unbegun, tmp_path / name)
        steering.stop(storage, victim)
        with monkeypatch.context() as patched:
            patched.setattr(requests, name, kill)
            with pytest.raises(Killed):
                run_locally(SMALL, storage)
        assert len(list((storage / "requests").iterdir())) == 1
        run_locally(SMALL, storage)
        assert len(of_kind(storage, UserStop)) == 1
        assert not any((storage / "requests").iterdir())
        assert states(storage)[victim].ended == "stopped"
        assert verify(storage).ok


def test_the_same_log_gives_the_same_state_and_tables(tmp_path):
    storage = tmp_path / "out"

    def steer():
        begun = [i for i, trial in states(storage).items() if not trial.ended]
        steering.stop(storage, begun[-1])
        steering.enqueue(storage, {"sparsity": 0.8, "lr": 2e-3, "epsilon": 0.1})

    run_locally(SMALL, storage, overrides=JUDGED, before_segment=at(3, steer), shuffle_seed=3)
    before = {n: (storage / f"{n}.parquet").read_bytes() for n in ("trials", "epochs")}
    run_locally(SMALL, storage, overrides=JUDGED)
    assert before == {n: (storage / f"{n}.parquet").read_bytes() for n in before}


def test_the_recorded_space_is_planned_as_the_file_was(unbegun, tmp_path):
    file = tmp_path / "tiny.yaml"
    for text in (
        SMALL,
        SMALL.replace("lr: {grid: [1.0e-2, 3.0e-3]}", "lr: {loguniform: [1.0e-3, 1.0e-2]}")
        + "search: {algorithm: random, num_samples: 3}\n",
    ):
        file.write_text(text)
        written = plan(file)
        storage = tmp_path / f"s{len(text)}"
        run_locally(file, storage, stop_after=0)
        sweep = StoredSweep.read(storage)
        recorded = plan(recorded_space(sweep.manifest, sweep.space_text))
        assert recorded.trials == written.trials
        assert recorded.space.search == written.space.search


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (["lr=1e-3"], "no value of sparsity, epsilon; give all axes"),
        (["sparsity=0.5", "lr=1e-3", "epsilon=0", "seed=1"], "seed cannot be given"),
        (["sparsity=0.5", "lrr=1e-3"], "'lrr' is not an axis of the sweep; did you mean 'lr'"),
        (["sparsity=0.5", "lr"], "lr is not AXIS=VALUE"),
        (["lr=1", "lr=2"], "lr is given twice"),
        (["sparsity=1.5", "lr=1e-3", "epsilon=0"], "sparsity: "),
        (["sparsity=0.8", "lr=1e-3", "epsilon=much"], "epsilon: "),
        (["sparsity=0.8", "lr=1e-2", "epsilon=0"], "in the sweep already, as trial"),
    ],
)
def test_configurations_that_cannot_be_trained_are_refused_in_one_line(unbegun, values, line):
    with pytest.raises(UsageError, match=line) as caught:
        steering.enqueue(unbegun, values)
    assert "\n" not in str(caught.value)
    assert not (unbegun / "requests").exists()


@pytest.mark.parametrize("value", ["nan", ".inf", "1e999", "[1", "{", "'", "*a", "!!python/x"])
def test_a_text_that_is_no_value_is_one_line_on_its_axis(unbegun, value):
    with pytest.raises(UsageError, match=r"^lr: .*; [a-z]+") as caught:
        steering.enqueue(unbegun, [f"lr={value}", "sparsity=0.7", "epsilon=0.0"])
    assert "--set" not in str(caught.value)


def test_a_configuration_that_needs_other_data_is_refused(tmp_path):
    robust = {"study.pruning.source": "robust", "space.epsilon.grid": [0.0, 0.2]}
    run_locally(SMALL, tmp_path / "out", overrides=robust, stop_after=0)
    with pytest.raises(UsageError, match="did not prepare; add its values to the space"):
        steering.enqueue(tmp_path / "out", {"sparsity": 0.8, "lr": 1e-2, "epsilon": 0.3})


def test_trials_that_ended_and_storages_without_an_engine_are_refused(tmp_path, monkeypatch):
    storage = tmp_path / "out"
    run_locally(SMALL, storage, stop_after=1)
    done = next(i for i, trial in states(storage).items() if trial.ended)
    with pytest.raises(UsageError, match=r"has ended already \(completed\)") as caught:
        steering.stop(storage, done)
    other = str(caught.value).rpartition(" ")[2]
    assert states(storage)[other].ended is None
    with pytest.raises(UsageError, match="object store"):
        steering.stop("s3://bucket/out", done)
    with pytest.raises(UsageError, match="no trial failed"):
        steering.retry(storage)
    with monkeypatch.context() as patched:
        patched.setattr(steering, "code_identity", lambda name: "0" * 64)
        with pytest.raises(UsageError, match="computed by other code"):
            steering.retry(storage)

    def median(record):
        if record["type"] != "manifest":
            return None
        rule = {"median": {"metric": "val_loss", "mode": "min", "max_t": None}}
        return {**record, "content": {**record["content"], "scheduler": rule}}

    edit_log(storage, "0001.jsonl", median)
    with pytest.raises(UsageError, match="scheduled by Ray"):
        steering.stop(storage, done)


def test_files_that_hold_no_request_are_told_once_and_change_nothing(unbegun, tmp_path):
    storage = shutil.copytree(unbegun, tmp_path / "out")
    folder = storage / "requests"
    folder.mkdir()
    names = [f"{n:020d}-0123abcd.json" for n in range(4)]
    (folder / names[0]).write_text("{")
    (folder / names[1]).write_text(json.dumps({"kind": "stop", "trials": ["../x"], "config": 0}))
    (folder / names[2]).mkdir()
    (folder / names[3]).symlink_to(storage / "manifest.json")
    (folder / "notes.txt").write_text("kept")
    said = []
    run_locally(SMALL, storage, say=said.append, stop_after=3)
    assert len(said) == 4
    assert all("\n" not in line for line in said)
    assert not (folder / names[0]).exists()
    assert (folder / "notes.txt").exists()
    assert (storage / "manifest.json").exists()


TPE = TINY.replace("{grid: [1.0e-2, 3.0e-3]}", "{loguniform: [1.0e-3, 1.0e-2]}")
TPE += "search: {algorithm: tpe, num_samples: 5, delay: 2}\n"


def test_what_a_search_proposes_stays_after_stops_retries_and_further_configurations(
    tmp_path, monkeypatch
):
    storage = tmp_path / "out"
    failed = []

    def fail_one():
        failed.append(next(i for i, t in states(storage).items() if t.ended is None))
        failing(monkeypatch, *failed)

    def stop_one():
        assert states(storage)[failed[0]].ended == "failed"
        steering.stop(storage, next(i for i, t in states(storage).items() if t.ended is None))
        steering.enqueue(storage, {"sparsity": 0.5, "lr": 2e-3, "epsilon": 0.1})

    run_locally(TPE, storage, before_segment=at(1, fail_one), stop_after=3)
    monkeypatch.undo()
    monkeypatch.setattr(steering, "_PATIENCE", 0.0)
    run_locally(TPE, storage, before_segment=at(1, stop_one))
    before = {*states(storage)}
    assert len(before) == 6
    requests.leave(storage, Request(kind="retry"))
    for _ in range(2):
        run_locally(TPE, storage)
        assert {*states(storage)} == before
        assert StoredSweep.read(storage).state.withdrawn == set()
    assert states(storage)[failed[0]].ended == "completed"
    assert verify(storage).ok
