"""Ledger: records become a log, one state per trial, and two derived tables."""

import itertools
import json

import pyarrow.parquet as pq
import pytest

from sweeps.errors import UsageError
from sweeps.experiments import experiment
from sweeps.journal.journal import read
from sweeps.journal.records import record_of
from sweeps.scheduling.ledger import Ledger

ABOUT = {
    "config": {"sparsity": 0.5, "lr": 1e-3, "epsilon": 0.0, "seed": 0},
    "stratum": "",
    "replicate": 0,
    "limit": 3,
    "dense_val_loss": 3.0,
    "dense_epochs_to_95pct": 4,
    "dense_cvar_05": -3.0,
    "theta_0_sha256": "t",
    "data_sha256": "d",
}
FACTS = {"sparsity_achieved": 0.5, "weights_kept": 5, "weights_total": 10}


def trial(name, index=0, **more):
    return {"type": "trial", "trial_id": name, "index": index, "group": name, **ABOUT, **more}


def row(n, loss, best=True):
    rest = ("train_loss", "val_cvar_05", "val_pnl_mean", "val_pnl_std", "y", "lr", "grad_norm")
    same = dict.fromkeys(rest, 0.1)
    losses = {"val_loss": loss, "val_clean_loss": loss}
    return {"epoch": n, **losses, "best": best, "seconds": 0.5 * n, **same}


def segment(name, *rows, end=None):
    record = {"type": "segment", "trial_id": name, "rows": list(rows), "facts": FACTS}
    return record if end is None else {**record, "end": end}


def completed(**more):
    return {"status": "completed", **more}


def begin(name, epoch=0):
    return {"type": "begin", "trial_id": name, "epoch": epoch}


def stop(*names, epoch, rank=2, of=2):
    verdict = {"goes_on": False, "ended": False, "value": 4.0, "rank": rank, "of": of}
    return {"type": "decision", "group": "g", "trials": list(names), "epoch": epoch, **verdict}


def table(storage, name="trials"):
    return pq.read_table(storage / f"{name}.parquet").to_pylist()


def write(storage, *records, core="c"):
    ledger = Ledger(storage, core=core, experiment=experiment("tickets"))
    for record in records:
        ledger.append(record_of(record))
    ledger.close()
    return ledger.state


def test_a_trial_becomes_one_row_and_its_epochs_one_each(tmp_path):
    write(
        tmp_path,
        trial("a"),
        begin("a"),
        segment("a", row(1, 4.0)),
        segment(
            "a", row(2, 3.5), row(3, 3.6, best=False), end=completed(cvar_05=-3.4, seconds=9.0)
        ),
    )
    (got,) = table(tmp_path)
    assert got["status"] == "completed"
    assert (got["epochs"], got["best_epoch"], got["val_loss"]) == (3, 2, 3.5)
    assert (got["epochs_to_95pct"], got["converged"]) == (None, False)
    assert (got["config/sparsity"], got["config/seed"]) == (0.5, 0)
    assert (got["cvar_05"], got["seconds"], got["weights_kept"]) == (-3.4, 9.0, 5)
    assert [r["epoch"] for r in table(tmp_path, "epochs")] == [1, 2, 3]


def test_a_stopped_trial_is_censored_and_says_why(tmp_path):
    write(
        tmp_path,
        trial("a"),
        begin("a"),
        segment("a", row(1, 4.0), row(2, 5.0, best=False)),
        stop("a", epoch=2),
    )
    (got,) = table(tmp_path)
    assert (got["status"], got["stopped_at"], got["cvar_05"]) == ("stopped", 2, None)
    assert got["reason"] == "rank 2 of 2 at epoch 2"
    assert got["converged"] is None


def test_an_audit_leaves_the_row_of_the_stopped_trial_as_it_was(tmp_path):
    stopped = [trial("a"), begin("a"), segment("a", row(1, 4.0)), stop("a", epoch=1)]
    write(tmp_path / "one", *stopped)
    write(
        tmp_path / "two",
        *stopped,
        {"type": "audit", "group": "g", "trials": ["a"]},
        segment("a", row(2, 3.0), row(3, 2.0), end=completed(cvar_05=-1.0)),
    )
    (before,), (after,) = table(tmp_path / "one"), table(tmp_path / "two")
    assert (after.pop("audited"), after.pop("audit_val_loss")) == (True, 2.0)
    assert (before.pop("audited"), before.pop("audit_val_loss")) == (False, None)
    assert before == after
    assert [r["audit"] for r in table(tmp_path / "two", "epochs")] == [False, True, True]


def test_an_audit_that_fails_is_no_failure_of_the_sweep(tmp_path):
    write(
        tmp_path,
        *(trial("a"), begin("a"), segment("a", row(1, 4.0)), stop("a", epoch=1)),
        {"type": "audit", "group": "g", "trials": ["a"]},
        segment("a", end={"status": "failed", "error": "x"}),
    )
    (got,) = table(tmp_path)
    assert (got["status"], got["error"], got["audited"]) == ("stopped", None, True)


def test_a_failed_trial_says_why(tmp_path):
    failed = {"status": "failed", "error": "training loss is nan in epoch 1"}
    write(tmp_path, trial("a"), begin("a"), segment("a", end=failed))
    (got,) = table(tmp_path)
    assert (got["status"], got["error"]) == ("failed", "training loss is nan in epoch 1")
    assert (got["epochs"], got["val_loss"]) == (0, None)


def test_tables_can_be_read_while_trials_run(tmp_path):
    ledger = Ledger(
        tmp_path, core="c", clock=itertools.count(0, 10).__next__, experiment=experiment("tickets")
    )
    ledger.append(*map(record_of, (trial("a"), begin("a"), segment("a", row(1, 4.0)))))
    ledger.snapshot()
    (got,) = table(tmp_path)
    assert (got["status"], got["val_loss"]) == ("running", 4.0)
    ledger.close()
    assert table(tmp_path)[0]["status"] == "interrupted"


def test_trials_that_never_began_are_in_no_table(tmp_path):
    write(tmp_path, trial("a"), trial("b", 1), begin("b"))
    assert [got["trial_id"] for got in table(tmp_path)] == ["b"]


def test_rows_come_in_the_order_of_the_space_whatever_the_order_of_events(tmp_path):
    ends = [stop("b", epoch=1), stop("a", epoch=1)]
    write(tmp_path, trial("b", 1), trial("a", 0), begin("b"), begin("a"), *ends)
    assert [got["index"] for got in table(tmp_path)] == [0, 1]


def test_a_second_driver_reads_what_the_first_wrote_and_appends_to_a_file_of_its_own(tmp_path):
    write(tmp_path, trial("a"), begin("a"), segment("a", row(1, 4.0), end=completed()))
    second = write(tmp_path, trial("b", 1), begin("b"), segment("b", end=completed()))
    assert [trial.ended for trial in second.trials.values()] == ["completed", "completed"]
    assert len(list((tmp_path / "log").glob("*.jsonl"))) == 2
    assert len(table(tmp_path)) == 2


def test_an_epoch_that_is_trained_again_counts_once(tmp_path):
    first = [trial("a"), begin("a"), segment("a", row(1, 4.0), row(2, 3.0))]
    write(tmp_path, *first)
    again = segment("a", row(1, 4.0), row(2, 3.0), row(3, 2.0), end=completed())
    write(tmp_path, begin("a"), again)
    assert [r["epoch"] for r in table(tmp_path, "epochs")] == [1, 2, 3]


def test_results_of_other_code_stay_in_the_log_but_enter_no_table(tmp_path):
    write(tmp_path, trial("a"), begin("a"), core="old")
    write(tmp_path, trial("b"), begin("b"), core="new")
    assert [got["trial_id"] for got in table(tmp_path)] == ["b"]
    assert sum(record["type"] == "trial" for record in read(tmp_path)) == 2


def test_list_valued_axes_are_text_and_flags_and_counts_keep_their_type(tmp_path):
    axes = {"network.hidden": [8, 4], "cost.unwind": True, "n": 3}
    write(tmp_path, trial("a", config=axes), begin("a"))
    schema = pq.read_schema(tmp_path / "trials.parquet")
    (got,) = table(tmp_path)
    assert got["config/network.hidden"] == "8-4"
    assert [str(schema.field(f"config/{n}").type) for n in ("cost.unwind", "n")] == [
        "bool",
        "int64",
    ]


def test_every_log_line_is_plain_json(tmp_path):
    write(tmp_path, trial("a"), begin("a"), segment("a", row(1, 4.0)))
    for path in (tmp_path / "log").glob("*.jsonl"):
        assert all(json.loads(line)["type"] for line in path.read_text().splitlines())


def test_tables_written_again_from_the_log_have_the_same_bytes(tmp_path):
    write(tmp_path, trial("a"), begin("a"), segment("a", row(1, 4.0), end=completed()))
    before = {path: path.read_bytes() for path in tmp_path.glob("*.parquet")}
    for path in before:
        path.unlink()
    write(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.parquet")} == before


def test_two_drivers_cannot_write_to_one_storage(tmp_path):
    first = Ledger(tmp_path, core="c", experiment=experiment("tickets"))
    with pytest.raises(UsageError, match=r"host .*, pid \d+ is writing to"):
        Ledger(tmp_path, core="c", experiment=experiment("tickets"))
    first.close()
    Ledger(tmp_path, core="c", experiment=experiment("tickets")).close()


def test_storage_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written .*; give another --storage"):
        Ledger(tmp_path / "file" / "below", core="c", experiment=experiment("tickets"))
