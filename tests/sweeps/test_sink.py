import itertools
import json

import pyarrow.parquet as pq
import pytest

from sweeps.errors import UsageError
from sweeps.sink import Sink, records

START = {
    "config": {"sparsity": 0.5, "lr": 1e-3, "epsilon": 0.0, "seed": 0},
    "dense_val_loss": 3.0,
    "dense_epochs_to_95pct": 4,
    "dense_cvar_05": -3.0,
    "theta_0_sha256": "t",
    "data_sha256": "d",
}


def trial(name, index=0):
    return {"type": "trial", "trial_id": name, "index": index, **START}


def epoch(name, n, loss, best=True):
    row = dict.fromkeys(
        ("train_loss", "val_cvar_05", "val_pnl_mean", "val_pnl_std", "y", "lr", "grad_norm"), 0.1
    )
    return {
        "type": "epoch",
        "trial_id": name,
        "epoch": n,
        "val_loss": loss,
        "best": best,
        "seconds": 0.5 * n,
        "ticket": {"sparsity_achieved": 0.5, "weights_kept": 5, "weights_total": 10},
        **row,
    }


def end(name, status, **more):
    return {"type": "end", "trial_id": name, "status": status, **more}


def table(storage, name="trials"):
    return pq.read_table(storage / f"{name}.parquet").to_pylist()


def write(storage, *rows, core="c"):
    sink = Sink(storage, core=core)
    for row in rows:
        sink.append(row)
    sink.close()
    return sink


def test_a_trial_becomes_one_row_and_its_epochs_one_each(tmp_path):
    write(
        tmp_path,
        trial("a"),
        epoch("a", 1, 4.0),
        epoch("a", 2, 3.5),
        epoch("a", 3, 3.6, best=False),
        end("a", "completed", epochs_to_95pct=None, cvar_05=-3.4, seconds=9.0),
    )
    (row,) = table(tmp_path)
    assert row["status"] == "completed"
    assert (row["epochs"], row["best_epoch"], row["val_loss"]) == (3, 2, 3.5)
    assert (row["epochs_to_95pct"], row["converged"]) == (None, False)
    assert (row["config/sparsity"], row["config/seed"]) == (0.5, 0)
    assert (row["cvar_05"], row["seconds"], row["weights_kept"]) == (-3.4, 9.0, 5)
    assert [r["epoch"] for r in table(tmp_path, "epochs")] == [1, 2, 3]


def test_a_stopped_trial_is_censored(tmp_path):
    write(tmp_path, trial("a"), epoch("a", 1, 4.0), epoch("a", 2, 5.0, False), end("a", "stopped"))
    (row,) = table(tmp_path)
    assert (row["status"], row["stopped_at"], row["cvar_05"]) == ("stopped", 2, None)
    assert row["converged"] is None


def test_a_failed_trial_says_why(tmp_path):
    write(tmp_path, trial("a"), end("a", "failed", error="training loss is nan in epoch 1"))
    (row,) = table(tmp_path)
    assert (row["status"], row["error"]) == ("failed", "training loss is nan in epoch 1")
    assert (row["epochs"], row["val_loss"]) == (0, None)


def test_tables_can_be_read_while_trials_run(tmp_path):
    sink = Sink(tmp_path, core="c", clock=itertools.count(0, 10).__next__)
    sink.append(trial("a"))
    sink.append(epoch("a", 1, 4.0))
    sink.snapshot()
    (row,) = table(tmp_path)
    assert (row["status"], row["val_loss"]) == ("running", 4.0)
    sink.close()


def test_rows_come_in_creation_order_whatever_the_order_of_events(tmp_path):
    write(tmp_path, trial("b", 1), trial("a", 0), end("b", "stopped"), end("a", "stopped"))
    assert [row["index"] for row in table(tmp_path)] == [0, 1]


def test_a_second_driver_reads_what_the_first_wrote_and_appends_to_a_file_of_its_own(tmp_path):
    write(tmp_path, trial("a"), epoch("a", 1, 4.0), end("a", "stopped"))
    second = write(tmp_path, trial("b", 1), end("b", "stopped"))
    assert {name for name, log in second.trials.items() if log.finished} == {"a", "b"}
    assert len(list((tmp_path / "log").glob("*.jsonl"))) == 2
    assert len(table(tmp_path)) == 2


def test_an_interrupted_trial_starts_over_and_a_finished_one_keeps_its_rows(tmp_path):
    write(
        tmp_path,
        trial("a"),
        epoch("a", 1, 4.0),
        end("a", "interrupted"),
        trial("b", 1),
        epoch("b", 1, 2.0),
        end("b", "stopped"),
    )
    second = write(tmp_path, trial("a"), trial("b", 7))
    assert not second.trials["a"].epochs
    assert second.trials["b"].epochs[1]["val_loss"] == 2.0
    assert second.trials["b"].row()["index"] == 7


def test_a_trial_that_lost_its_worker_is_failed_but_not_finished(tmp_path):
    sink = write(tmp_path, trial("a"), end("a", "failed", error="node died", lost=True))
    assert not sink.trials["a"].finished
    assert table(tmp_path)[0]["error"] == "node died"


def test_a_trial_that_starts_again_after_a_failure_is_judged_by_what_follows(tmp_path):
    again = {**trial("a"), "starts": True}
    sink = write(tmp_path, again, epoch("a", 1, 9.0), end("a", "failed", error="x"), again)
    assert sink.trials["a"].end is None
    assert not sink.trials["a"].epochs


def test_a_torn_last_line_loses_only_itself(tmp_path):
    write(tmp_path, trial("a"), epoch("a", 1, 4.0), end("a", "stopped"))
    log = next((tmp_path / "log").glob("*.jsonl"))
    log.write_text(log.read_text() + '{"type":"tri')
    assert [r["type"] for r in records(tmp_path)] == ["start", "trial", "epoch", "end"]
    assert write(tmp_path).trials["a"].finished


def test_results_of_other_code_stay_in_the_log_but_enter_no_table(tmp_path):
    write(tmp_path, trial("a"), end("a", "stopped"), core="old")
    write(tmp_path, trial("b"), end("b", "stopped"), core="new")
    assert [row["trial_id"] for row in table(tmp_path)] == ["b"]
    assert sum(r["type"] == "trial" for r in records(tmp_path)) == 2


def test_list_valued_axes_are_text_and_flags_and_counts_keep_their_type(tmp_path):
    about = {**trial("a"), "config": {"network.hidden": [8, 4], "cost.unwind": True, "n": 3}}
    write(tmp_path, about, end("a", "stopped"))
    schema = pq.read_schema(tmp_path / "trials.parquet")
    (row,) = table(tmp_path)
    assert row["config/network.hidden"] == "8-4"
    assert [str(schema.field(f"config/{n}").type) for n in ("cost.unwind", "n")] == [
        "bool",
        "int64",
    ]


def test_every_log_line_is_plain_json(tmp_path):
    write(tmp_path, trial("a"), epoch("a", 1, 4.0), end("a", "stopped"))
    for path in (tmp_path / "log").glob("*.jsonl"):
        assert all(json.loads(line)["type"] for line in path.read_text().splitlines())


def test_two_drivers_cannot_write_to_one_storage(tmp_path):
    first = Sink(tmp_path, core="c")
    with pytest.raises(UsageError, match="another sweep is writing"):
        Sink(tmp_path, core="c")
    first.close()
    Sink(tmp_path, core="c").close()


def test_storage_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written .*; give another --storage"):
        Sink(tmp_path / "file" / "below", core="c")
