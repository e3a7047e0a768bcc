"""Verification of a storage: intact ones pass, and every damage is found and named."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from local_sweep import edit_log, forge_network, forge_study, run_locally
from printed import files
from spaces import TINY

from hedgecore.hedging.preparation import NETWORKS
from sweeps import UsageError
from sweeps.experiments import experiment
from sweeps.inspection.verify import verify
from sweeps.journal.checksums import Sums
from sweeps.journal.code_identity import code_identity
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.scheduling.ledger import Ledger

OVERRIDES = {
    "space.sparsity.grid": [0.8],
    "space.lr.grid": [1e-2, 3e-3, 1e-4, 1e15],
    "study.training.schedule": "constant",
    "scheduler": {"asha": {"grace_period": 1, "reduction_factor": 2}},
}
FIRST, LAST = "0001.jsonl", "0002.jsonl"


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep that was interrupted and then completed."""
    storage = tmp_path_factory.mktemp("swept") / "out"
    run_locally(TINY, storage, overrides=OVERRIDES, audit=0.1, stop_after=7, shuffle_seed=1)
    run_locally(TINY, storage, overrides=OVERRIDES, audit=0.1, shuffle_seed=2)
    return storage


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A sweep whose trials wait for one another."""
    storage = tmp_path_factory.mktemp("interrupted") / "out"
    run_locally(TINY, storage, overrides=OVERRIDES, stop_after=7)
    return storage


@pytest.fixture
def copy(swept, tmp_path):
    return shutil.copytree(swept, tmp_path / "copy")


@pytest.fixture
def waiting(interrupted, tmp_path):
    return shutil.copytree(interrupted, tmp_path / "copy")


def flip(path, place=-1):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def kill(storage):
    """Leave ``storage`` as after a killed driver: without the last record."""
    path = storage / "log" / LAST
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def wrong(storage, *, data=False):
    """Faults by check."""
    return {
        check.name: ", ".join(check.faults)
        for check in verify(storage, data=data).checks
        if check.faults
    }


def named(storage):
    """The files in which each check finds a fault."""
    return {name: files(text) for name, text in wrong(storage).items()}


def said(storage, name, *, data=False):
    (check,) = [check for check in verify(storage, data=data).checks if check.name == name]
    return str(check)


def completed(storage):
    trials = StoredSweep.read(storage).state.trials
    return next(known for known, trial in trials.items() if trial.ended == "completed")


def test_a_sweep_that_was_interrupted_and_resumed_is_found_right(swept):
    verified = verify(swept, data=True)
    assert verified.ok, verified.lines()
    names = [
        "log",
        "epochs",
        "decisions",
        "manifest",
        "tables",
        "models",
        "checkpoints",
        "study",
        "data",
    ]
    assert [line.split()[:2] for line in verified.lines()] == [[name, "ok:"] for name in names]


def test_a_sweep_that_is_interrupted_is_found_right(interrupted):
    assert wrong(interrupted) == {}
    assert "ok: 0, " not in said(interrupted, "checkpoints")


def test_a_sweep_without_early_stopping_is_found_right(tmp_path):
    one = {"space.lr.grid": [1e-2], "space.epsilon.grid": [0.0]}
    run_locally(TINY, tmp_path / "out", overrides=one)
    assert wrong(tmp_path / "out") == {}


def test_verifying_changes_nothing(copy):
    def content():
        return {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}

    flip(copy / "trials.parquet")
    before = content()
    verify(copy, data=True)
    assert content() == before


def test_a_folder_that_is_no_storage_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no sweep; give the --storage of a run"):
        verify(tmp_path)


def forgeries(content):
    """Every leaf of a manifest, changed."""
    for name, value in content.items():
        if isinstance(value, dict) and value:
            for inner in forgeries(value):
                yield {**content, name: inner}
        else:
            yield {**content, name: f"{value} or not"}


def test_any_change_to_the_files_for_people_is_named_and_the_cure_cures(copy):
    path = copy / "manifest.json"
    whole, forged = path.read_bytes(), 0
    for content in forgeries(json.loads(whole)):
        path.write_text(json.dumps(content, indent=1))
        assert named(copy) == {"manifest": ["manifest.json"]}
        forged += 1
    assert forged > 60
    path.write_text('{"study": ')
    with (copy / "space.yaml").open("a") as stream:
        stream.write("# more\n")
    assert named(copy) == {"manifest": ["manifest.json", "space.yaml"]}
    for name in ("manifest.json", "space.yaml", "SHA256SUMS"):
        (copy / name).unlink()
    assert wrong(copy)["manifest"].count("is missing") >= 2
    assert {"manifest.json", "space.yaml"} <= set(named(copy)["manifest"])
    run_locally(TINY, copy, overrides=OVERRIDES, audit=0.1)
    assert wrong(copy) == {}


def test_a_removed_manifest_lets_no_other_study_in(copy):
    (copy / "manifest.json").unlink()
    other = {**OVERRIDES, "study.pruning.min_kept": 3}
    with pytest.raises(UsageError, match=r"another study or rule \(study.pruning.min_kept"):
        run_locally(TINY, copy, overrides=other, audit=0.1)
    assert wrong(copy) == {"manifest": "manifest.json is missing"}


def test_damage_in_the_middle_of_the_log_is_named_with_file_and_line(copy):
    path = copy / "log" / FIRST
    flip(path, len(b"".join(path.read_bytes().splitlines(keepends=True)[:2])) + 30)
    assert named(copy) == {"log": [f"{FIRST}:3"]}
    (only,) = verify(copy).checks
    assert "can be trusted" in str(only)


def test_damage_in_two_files_of_the_log_is_named_twice(copy):
    for name in (FIRST, LAST):
        flip(copy / "log" / name, 30)
    assert wrong(copy)["log"].count("damaged") == 2


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_file_of_the_log_that_is_gone_is_found(damage, copy):
    path = copy / "log" / FIRST
    path.unlink() if damage == "missing" else path.write_bytes(b"")
    assert wrong(copy).keys() == {"log"}


def test_a_torn_tail_is_no_damage_and_is_measured(copy):
    kill(copy)
    path = copy / "log" / LAST
    lines = path.read_bytes().count(b"\n")
    path.write_bytes(path.read_bytes() + b'{"type":"segm')
    assert wrong(copy) == {}
    assert f"13 bytes after {LAST}:{lines}" in said(copy, "log")


def test_a_driver_that_died_at_birth_is_no_damage(copy):
    (copy / "log" / "0003.jsonl").write_bytes(b'{"type":"sta')
    assert wrong(copy) == {}
    assert "0003.jsonl" in files(said(copy, "log"))


def test_bytes_behind_a_close_record_are_damage(copy):
    path = copy / "log" / LAST
    lines = path.read_bytes().count(b"\n")
    path.write_bytes(path.read_bytes() + b"\0\0\0")
    assert named(copy) == {"log": [f"{LAST}:{lines + 1}"]}
    assert "3 bytes behind" in wrong(copy)["log"]


def test_an_epoch_that_is_missing_is_named(copy):
    known = completed(copy)

    def change(record):
        if record["type"] != "segment" or record["trial_id"] != known:
            return None
        return {**record, "rows": [row for row in record["rows"] if row["epoch"] != 2]}

    assert sum(edit_log(copy, name, change) for name in (FIRST, LAST))
    fault = wrong(copy)["epochs"]
    assert fault.startswith("epoch 2 of")
    assert known in fault
    assert "missing" in fault


def test_a_decision_that_was_turned_round_is_named(copy):
    turned = []

    def change(record):
        if record["type"] != "decision" or turned:
            return None
        turned.append(record)
        return {**record, "goes_on": not record["goes_on"]}

    assert edit_log(copy, LAST, change) == 1
    (decision,) = turned
    logged, computed = wrong(copy)["decisions"].split(", where")
    verdicts = ["goes on", "stops"] if decision["goes_on"] else ["stops", "goes on"]
    for verdict, text in zip(verdicts, (computed, logged), strict=True):
        assert f"{decision['group']} {verdict} at" in text
        assert f"(rank {decision['rank']} of" in text


def test_a_value_that_was_changed_after_the_decision_is_found(copy):
    ranks = {
        (trial, record["epoch"]): record["rank"]
        for _, record in decisions(copy)
        for trial in record["trials"]
    }
    (known, _) = next(key for key, rank in ranks.items() if key[1] == 1 and rank == 1)

    def change(record):
        if record["type"] != "segment" or record["trial_id"] != known:
            return None
        rows = [{**r, "val_loss": 1e9} if r["epoch"] == 1 else r for r in record["rows"]]
        return {**record, "rows": rows}

    assert sum(edit_log(copy, name, change) for name in (FIRST, LAST))
    assert "decisions" in wrong(copy)


def decisions(storage):
    for file in sorted((storage / "log").glob("*.jsonl")):
        for line in file.read_text().splitlines():
            if (record := json.loads(line))["type"] == "decision":
                yield file.name, record


def test_a_decision_that_is_missing_is_named(copy):
    name, last = list(decisions(copy))[-1]

    def change(record):
        same = record["type"] == "decision" and record["group"] == last["group"]
        return {"type": "closed"} if same and record["epoch"] == last["epoch"] else None

    assert edit_log(copy, name, change) == 1
    logged, computed = wrong(copy)["decisions"].split(", where")
    assert "decides nothing" in logged
    assert last["group"] in computed


@pytest.mark.parametrize("name", ["trials.parquet", "epochs.parquet"])
def test_a_table_that_was_changed_is_named(name, copy):
    table = pq.read_table(copy / name)
    pq.write_table(table.slice(1), copy / name)
    assert named(copy) == {"tables": [name]}
    pq.write_table(pa.concat_tables([table, table]), copy / name)
    assert named(copy) == {"tables": [name]}
    (copy / name).write_bytes(b"no table")
    assert named(copy) == {"tables": [name]}


def test_a_table_that_is_missing_or_a_link_is_named(copy):
    (copy / "trials.parquet").unlink()
    moved = (copy / "epochs.parquet").rename(copy.parent / "epochs.parquet")
    (copy / "epochs.parquet").symlink_to(moved)
    assert wrong(copy).keys() == {"tables"}
    link, missing = wrong(copy)["tables"].split(", ")
    assert "epochs.parquet" in files(link)
    assert "symbolic link" in link
    assert missing == "trials.parquet is missing"


def name_the_content(storage, name):
    sums = Sums(storage)
    with (storage / name).open("rb") as content:
        sums.announce(name)(content)
    sums.settle()


def written_by_another(path):
    content, own = path.read_bytes(), pq.read_metadata(path).created_by.encode()
    other = own[:-1] + b"x"
    assert content.count(own) == 1
    path.write_bytes(content.replace(own, other))
    return other.decode()


def test_a_table_of_another_pyarrow_is_compared_by_value(copy):
    made = written_by_another(copy / "trials.parquet")
    assert named(copy) == {"tables": ["trials.parquet"]}
    assert "SHA256SUMS" in wrong(copy)["tables"]
    name_the_content(copy, "trials.parquet")
    assert wrong(copy) == {}
    by_value = said(copy, "tables")
    assert files(by_value) == ["trials.parquet"]
    assert made in by_value
    assert "equal by value" in by_value
    pq.write_table(pq.read_table(copy / "trials.parquet").slice(1), copy / "trials.parquet")
    written_by_another(copy / "trials.parquet")
    assert named(copy) == {"tables": ["trials.parquet"]}
    assert "SHA256SUMS" not in wrong(copy)["tables"]


def test_tables_may_lag_while_a_driver_runs_and_not_afterwards(copy):
    stale = (copy / "trials.parquet").read_bytes()[:-8]
    ledger = Ledger(copy, core=code_identity("tickets"), experiment=experiment("tickets"))
    try:
        (copy / "trials.parquet").write_bytes(stale)
        assert wrong(copy) == {}
        assert "behind the log" in said(copy, "tables")
    finally:
        ledger.close()
    assert wrong(copy) == {}
    (copy / "trials.parquet").write_bytes(stale)
    assert wrong(copy).keys() == {"tables"}


def test_a_flipped_byte_in_a_model_is_named_with_its_trial(copy):
    known = completed(copy)
    flip(copy / "models" / known / "ticket.safetensors")
    assert wrong(copy)["models"].startswith(f"models/{known}/ticket.safetensors has sha256 ")


def test_missing_and_extra_models_are_named(copy):
    known = completed(copy)
    shutil.move(copy / "models" / known, copy / "models" / "stranger")
    missing, extra = wrong(copy)["models"].split(", ")
    assert missing == f"models/{known}/ticket.safetensors is missing"
    assert files(extra) == ["models/stranger/ticket.safetensors"]
    assert "no trial" in extra


def test_many_faults_are_counted_and_three_are_shown(copy):
    for file in (copy / "models").rglob("*.safetensors"):
        flip(file)
    count = len(wrong(copy)["models"].split(", not "))
    assert said(copy, "models").count("has sha256") == 3
    assert f" and {count - 1 - 3} more; " in said(copy, "models")


def test_a_model_of_a_trial_that_a_crash_cut_off_is_no_fault(waiting):
    trials = StoredSweep.read(waiting).state.trials
    unfinished = next(known for known, trial in trials.items() if trial.ended is None)
    folder = waiting / "models" / unfinished
    folder.mkdir(parents=True)
    (folder / "ticket.safetensors").write_bytes(b"filed, and then the power went")
    (folder / "ticket.safetensors.partial").write_bytes(b"")
    assert wrong(waiting) == {}


def checkpoint(storage):
    """Checkpoint of a resumable trial."""
    recorded = StoredSweep.read(storage)
    trials = recorded.state.trials
    known = next(i for i, trial in trials.items() if trial.checkpoint)
    (path,) = (storage / "checkpoints").glob(f"{known}-*")
    return path


def test_a_checkpoint_that_is_missing_or_changed_is_named(waiting):
    path = checkpoint(waiting)
    flip(path)
    assert wrong(waiting)["checkpoints"].startswith(f"checkpoints/{path.name} has sha256 ")
    path.unlink()
    assert wrong(waiting) == {"checkpoints": f"checkpoints/{path.name} is missing"}


def test_a_checkpoint_of_nobody_is_named(waiting):
    (waiting / "checkpoints" / "stranger.safetensors").write_bytes(b"")
    found = "checkpoints/stranger.safetensors is of no trial in the log"
    assert wrong(waiting) == {"checkpoints": found}


def test_the_cure_of_a_missing_checkpoint_cures(interrupted, swept, tmp_path):
    storage = shutil.copytree(interrupted, tmp_path / "copy")
    checkpoint(storage).unlink()
    run_locally(TINY, storage, overrides=OVERRIDES, audit=0.1)
    assert wrong(storage) == {}
    mine, theirs = (pq.read_table(out / "trials.parquet") for out in (storage, swept))
    assert mine.drop(["seconds"]).equals(theirs.drop(["seconds"]))


def preparation(storage, name):
    (path,) = (storage / "study").glob(f"*/{name}")
    return path


@pytest.mark.parametrize("network", NETWORKS)
def test_a_flipped_byte_in_a_network_that_trials_started_from_is_named(copy, network):
    path = preparation(copy, f"{network}.safetensors")
    flip(path)
    found = f"study/{path.parent.name}/{network}.safetensors is not what was recorded"
    assert wrong(copy)["study"].startswith(found)
    assert wrong(copy).keys() == {"study"}


def test_a_sweep_does_not_go_on_from_a_changed_network(copy):
    flip(preparation(copy, "theta_mask.safetensors"))
    with pytest.raises(UsageError, match=r"theta_mask\.safetensors is not what was recorded"):
        run_locally(TINY, copy, overrides=OVERRIDES, audit=0.1)


def test_a_torn_theta_0_is_named(copy):
    path = preparation(copy, "theta_0.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    assert named(copy)["study"][0] == f"study/{path.parent.name}/theta_0.safetensors"
    path.unlink()
    assert wrong(copy).keys() == {"study"}
    assert wrong(copy)["study"].startswith(f"study/{path.parent.name} is missing")


def test_a_preparation_of_other_code_is_named(copy):
    path = preparation(copy, "facts.json")
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "core": "other"}))
    found = f"study/{path.parent.name}/facts.json is not what was recorded"
    assert wrong(copy)["study"].startswith(found)


def test_a_trial_of_another_theta_0_is_named(copy):
    known = completed(copy)

    def change(record):
        mine = record["type"] == "trial" and record["trial_id"] == known
        return {**record, "theta_0_sha256": "0" * 64} if mine else None

    assert edit_log(copy, FIRST, change)
    key = preparation(copy, "facts.json").parent.name
    found = wrong(copy)
    assert found["study"].startswith(f"theta_0_sha256 of trial {known}")
    assert found["study"].endswith(f"study/{key}")
    assert found.keys() == {"study", "tables"}


def test_other_paths_than_are_simulated_are_found_on_demand_only(copy):
    path = preparation(copy, "facts.json")
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "data_sha256": "0" * 64}))
    forge_study(copy)
    assert "data" not in wrong(copy)
    found = wrong(copy, data=True)
    assert "data_sha256 of" in found["study"]
    assert "other data" in found["data"]


def test_a_forged_theta_star_is_found_by_its_metrics(copy):
    forge_network(copy, "theta_star", lambda value: torch.nextafter(value, value + 1))
    assert wrong(copy) == {}
    key = preparation(copy, "facts.json").parent.name
    found = f"study/{key} holds a theta_star that does not reproduce the metrics of"
    assert wrong(copy, data=True)["data"].startswith(found)


def test_a_table_that_describes_no_columns_is_compared_by_value(copy):
    path = copy / "trials.parquet"
    table = pq.read_table(path)
    bare = pa.schema([field.remove_metadata() for field in table.schema])
    pq.write_table(table.cast(bare), path, write_page_checksum=True)
    name_the_content(copy, "trials.parquet")
    assert wrong(copy) == {}
    assert "describes no columns" in said(copy, "tables")
    pq.write_table(table.cast(bare).slice(1), path)
    name_the_content(copy, "trials.parquet")
    assert named(copy) == {"tables": ["trials.parquet"]}


def test_a_changed_description_of_a_column_is_noticed(copy):
    path = copy / "trials.parquet"
    table = pq.read_table(path)
    field = table.schema.field("seconds").with_metadata({"unit": "h"})
    place = table.schema.get_field_index("seconds")
    pq.write_table(table.cast(table.schema.set(place, field)), path)
    written_by_another(path)
    name_the_content(copy, "trials.parquet")
    assert named(copy) == {"tables": ["trials.parquet"]}
