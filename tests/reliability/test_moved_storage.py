"""F15: a storage that is moved, removed or replaced while its driver runs."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from logs import manifest

from sweeps.experiments import experiment
from sweeps.journal.journal import read
from sweeps.journal.records import SegmentStart, TrialEntry
from sweeps.journal.storage import WriteError
from sweeps.scheduling.ledger import Ledger


def trial(name: str) -> TrialEntry:
    return TrialEntry(
        trial_id=name,
        index=0,
        config={"seed": 0},
        group=name,
        stratum="[]",
        replicate=0,
        limit=9,
        columns={},
    )


def opened(storage: Path) -> Ledger:
    return Ledger(storage, core="c", experiment=experiment("tickets"))


def moved(storage: Path) -> None:
    storage.rename(storage.with_name("elsewhere"))


def removed(storage: Path) -> None:
    shutil.rmtree(storage)


def without_log(storage: Path) -> None:
    shutil.rmtree(storage / "log")


def without_file(storage: Path) -> None:
    (storage / "log" / "0001.jsonl").unlink()


def with_another_file(storage: Path) -> None:
    path = storage / "log" / "0001.jsonl"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def with_another_lock(storage: Path) -> None:
    (storage / "log" / "lock").unlink()
    (storage / "log" / "lock").touch()


def linked(storage: Path) -> None:
    storage.rename(storage.with_name("elsewhere"))
    (storage.parent / "decoy" / "log").mkdir(parents=True)
    storage.symlink_to(storage.parent / "decoy")


def emptied(storage: Path) -> None:
    os.truncate(storage / "log" / "0001.jsonl", 0)


def cut(storage: Path) -> None:
    os.truncate(path := storage / "log" / "0001.jsonl", path.stat().st_size - 1)


def with_another_line(storage: Path) -> None:
    with (storage / "log" / "0001.jsonl").open("ab") as stream:
        stream.write(b"{}\n")


CHANGES = (
    moved, removed, without_log, without_file, with_another_file, with_another_lock, linked,
    emptied, cut, with_another_line,
)  # fmt: skip
USES: dict[str, Callable[[Ledger], object]] = {
    "append": lambda ledger: ledger.append(trial("b")),
    "snapshot": lambda ledger: ledger.snapshot(),
    "keep_model": lambda ledger: ledger.keep_model("a", b"model"),
    "keep_checkpoint": lambda ledger: ledger.keep_checkpoint("a", b"checkpoint"),
    "keep_manifest": lambda ledger: ledger.keep_manifest(manifest()["content"], "text"),
}


def files(folder: Path) -> dict[str, bytes]:
    paths = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_nothing_is_written_where_the_storage_is_another_one(tmp_path, change, use):
    ledger = opened(storage := tmp_path / "storage")
    ledger.append(trial("a"))
    ledger.append_unsynced(SegmentStart(trial_id="a", epoch=0))  # so that a snapshot is due
    ledger._changed = True
    change(storage)
    before = files(storage) if storage.exists() else {}
    with pytest.raises(WriteError, match=r"was moved, removed.* while its sweep ran"):
        USES[use](ledger)
    ledger.close()
    assert (files(storage) if storage.exists() else {}) == before


@pytest.mark.parametrize("change", [moved, removed])
def test_a_second_driver_in_its_place_keeps_its_tables(tmp_path, change):
    first = opened(storage := tmp_path / "storage")
    first.append(trial("a"))
    change(storage)
    second = opened(storage)
    second.append(trial("z"), SegmentStart(trial_id="z", epoch=0))
    second.snapshot()
    before = files(storage)
    with pytest.raises(WriteError):
        first.append(trial("b"))
    first.close()
    assert files(storage) == before
    second.close()


def test_what_was_recorded_went_with_the_storage(tmp_path):
    ledger = opened(storage := tmp_path / "storage")
    ledger.append(trial("a"))
    moved(storage)
    with pytest.raises(WriteError, match="what was is where its log went"):
        ledger.append(trial("b"))
    ledger.close()
    there = [r["trial_id"] for r in read(storage.with_name("elsewhere")) if r["type"] == "trial"]
    assert there[0] == "a"


def test_control_a_driver_that_looks_at_no_inode_overwrites_the_tables_of_another(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(Ledger, "check", lambda self: None)
    first = opened(storage := tmp_path / "storage")
    first.append(trial("a"), SegmentStart(trial_id="a", epoch=0))
    moved(storage)
    second = opened(storage)
    second.append(trial("z"), SegmentStart(trial_id="z", epoch=0))
    second.close()
    before = os.stat(storage / "trials.parquet").st_ino
    first.close()
    assert os.stat(storage / "trials.parquet").st_ino != before
