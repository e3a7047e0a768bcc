"""Lock and replacement of files; tests/reliability covers crashes."""

import os

import pytest

from sweeps.errors import UsageError
from sweeps.journal import storage
from sweeps.journal.storage import Lock, replace, replaced


def test_a_storage_that_cannot_be_made_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/s cannot be written \(.*\); give another --stor"):
        Lock(tmp_path / "file" / "s")


def test_a_lock_never_follows_a_link_out_of_the_storage(tmp_path):
    (tmp_path / "log").mkdir()
    (precious := tmp_path / "precious").write_text("kept")
    (tmp_path / "log" / "lock").symlink_to(precious)
    with pytest.raises(UsageError, match="cannot be written"):
        Lock(tmp_path)
    assert precious.read_text() == "kept"


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_log_file_that_is_none_is_named(tmp_path, kind):
    Lock(tmp_path).close()
    path = tmp_path / "log" / "0001.jsonl"
    {"pipe": os.mkfifo, "folder": os.mkdir, "link": lambda p: p.symlink_to(tmp_path)}[kind](path)
    with pytest.raises(UsageError, match=r"cannot be written \(0001\.jsonl is "):
        Lock(tmp_path)


def test_a_lock_that_fails_halfway_is_let_go(tmp_path, monkeypatch):
    def interrupted(name: str, at: int) -> None:
        raise KeyboardInterrupt

    Lock(tmp_path).close()
    (tmp_path / "log" / "0001.jsonl").touch()
    monkeypatch.setattr(storage, "_settle", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Lock(tmp_path)
    monkeypatch.undo()
    Lock(tmp_path).close()


def test_a_lock_not_yet_signed_still_refuses_a_second_driver(tmp_path):
    with Lock(tmp_path):
        (tmp_path / "log" / "lock").write_text("")
        with pytest.raises(UsageError, match=r"^another sweep is writing to"):
            Lock(tmp_path)


def test_replacing_leaves_the_new_content_and_no_temporary_file(tmp_path):
    replace(tmp_path / "table", b"old")
    replace(tmp_path / "table", b"new")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"table": b"new"}


def test_a_temporary_file_left_by_a_kill_is_in_nobodys_way(tmp_path):
    places = [tmp_path, *(tmp_path / name for name in ("checkpoints", "study/b"))]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{'5' * 32}.partial").write_bytes(b"left by a kill")
        (place / "notes.partial").touch()
    Lock(tmp_path).close()
    assert [file.name for file in tmp_path.rglob("*.partial")] == ["notes.partial"] * len(places)


def test_a_failure_while_replacing_leaves_the_old_content_alone(tmp_path):
    replace(tmp_path / "table", b"old")

    def fail() -> None:
        with replaced(tmp_path / "table") as stream:
            stream.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"table": b"old"}
