"""F21: a stranger's storage, in which any name may be a link, a pipe, or a file of any size.

Every attack at every place, under every command: it ends by itself, with an exit status and one
line, and nothing outside the storage is touched.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from local_sweep import run_locally
from reliability.hostile import ATTACKS, SPACE, Ended, commands, hedgesweep, places, snapshot

from hedgecore.bundle.keys import public_pem
from sweeps.errors import UsageError
from sweeps.journal import files, layout
from sweeps.journal.storage import Lock


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """A finished sweep, an interrupted one, and their space."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "space.yaml").write_text(SPACE)
    run_locally(folder / "space.yaml", folder / "finished")
    run_locally(folder / "space.yaml", folder / "interrupted", stop_after=10)
    (folder / "finished" / "report").mkdir()
    (folder / "finished" / "report" / "best_lr.csv").write_text("a,b\n")
    return folder


def attacked(swept: Path, here: Path, kind: str, place: str, name: str) -> Path:
    """The folder outside that a copy of a storage leads to, ``place`` in it attacked."""
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(swept / kind, here / "storage")
    (here / "outside").mkdir()
    ATTACKS[name](here / "storage" / place, here / "outside")
    return here / "outside"


def one_line(ended: Ended) -> bool:
    """Whether there is a verdict: silence and 0, or a line."""
    assert ended.code in (0, 1, 2)
    faults = ended.err or ended.out
    return not ended.err if ended.code == 0 else bool(faults) and len(ended.err.splitlines()) <= 1


@pytest.mark.parametrize(
    ("name", "every"),
    [("pipe", 6), *(pytest.param(name, 1, marks=pytest.mark.slow) for name in ATTACKS)],
)
def test_every_command_has_a_verdict_and_touches_nothing_outside(
    swept, tmp_path, capsys, name, every
):
    here = tmp_path / "case"
    whole = [("finished", place) for place in places(swept / "finished")]
    cut = [("interrupted", p) for p in places(swept / "interrupted") if "checkpoints" in p]
    assert (len(whole), len(cut)) == (22, 2)
    for kind, place in (whole + cut)[::every]:
        attacked(swept, here, kind, place, name)
        for command in commands(here / "storage", swept, tmp_path):
            outside = attacked(swept, here, kind, place, name)
            before = snapshot(outside)
            ended = hedgesweep(capsys, *command)
            assert one_line(ended), (place, command, ended)
            assert snapshot(outside) == before, (place, command)


@pytest.mark.parametrize("place", ["log", "checkpoints", "models", "study", "report"])
def test_a_folder_that_is_a_link_is_refused_by_every_command(swept, tmp_path, capsys, place):
    for command in commands(tmp_path / "case" / "storage", swept, tmp_path):
        attacked(swept, tmp_path / "case", "finished", place, "link to the same")
        ended = hedgesweep(capsys, *command)
        assert ended.code == 2
        assert f"{place} is a symbolic link" in ended.err


def stale(swept: Path, here: Path) -> Path:
    """The checkpoint of a user outside, which the next driver would take for one of its own."""
    outside = attacked(swept, here, "interrupted", "checkpoints", "link to the same")
    trial = next((outside / "checkpoints").iterdir()).name.partition("-")[0]
    (precious := outside / "checkpoints" / f"{trial}-{'0' * 16}.safetensors").write_text("kept")
    return precious


def test_nothing_is_deleted_through_a_link(swept, tmp_path, capsys):
    precious = stale(swept, tmp_path / "case")
    run = ("run", swept / "space.yaml", "--storage", tmp_path / "case" / "storage")
    assert hedgesweep(capsys, *run).code == 2
    assert precious.read_text() == "kept"


def test_control_with_links_followed_a_file_outside_is_deleted(
    swept, tmp_path, capsys, monkeypatch
):
    precious = stale(swept, tmp_path / "case")
    monkeypatch.setattr(layout, "_check_folder", lambda path: None)
    opened = os.open
    monkeypatch.setattr(
        files.os, "open", lambda p, flags, *a, **k: opened(p, flags & ~os.O_NOFOLLOW, *a, **k)
    )
    run = ("run", swept / "space.yaml", "--storage", tmp_path / "case" / "storage")
    assert hedgesweep(capsys, *run).code == 0
    assert not precious.exists()


def test_only_checkpoints_of_trials_of_the_log_are_deleted(swept, tmp_path, capsys):
    shutil.copytree(swept / "interrupted", storage := tmp_path / "storage")
    folder = storage / "checkpoints"
    trial = next(folder.iterdir()).name.partition("-")[0]
    gone = folder / f"{trial}-{'0' * 16}.safetensors"
    kept = [
        folder / f"{'0' * 16}-{'0' * 16}.safetensors",  # of no trial
        folder / f"{trial}-notes.safetensors",
        folder / f"{trial}-{'0' * 16}.safetensors.bak",
        folder / f"{trial}-{'0' * 15}.safetensors",
    ]
    for path in (gone, *kept):
        path.write_text("mine")
    (link := folder / f"{trial}-{'1' * 16}.safetensors").symlink_to(kept[0])
    assert hedgesweep(capsys, "run", swept / "space.yaml", "--storage", storage).code == 0
    assert not gone.exists()
    assert all(path.exists() for path in (*kept, link))


def foreign(make: Callable[[Path], object]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        (storage := folder / "docs").mkdir()
        make(storage)
        return storage

    return build


FOREIGN = {
    "a file": lambda folder: (folder / "letter.txt").write_text("dear"),
    "a folder": lambda folder: (folder / "letters").mkdir(),
    "logs of a server": lambda folder: [(folder / "log").mkdir(), (folder / "log/x").touch()],
    "a hidden file": lambda folder: (folder / ".bashrc").touch(),
    "a link": lambda folder: (folder / "shortcut").symlink_to("/usr/share"),
    "models of somebody": lambda folder: (folder / "models" / "bert").mkdir(parents=True),
    "a manifest of the web": lambda folder: (folder / "manifest.json").write_text("{}"),
    "a manifest and more": lambda folder: [
        (folder / name).write_text("{}") for name in ("manifest.json", "index.html")
    ],
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_folder_of_something_else_is_refused_and_not_written_to(swept, tmp_path, capsys, kind):
    storage = foreign(FOREIGN[kind])(tmp_path)
    before = snapshot(storage)
    for command in commands(storage, swept, tmp_path):
        ended = hedgesweep(capsys, *command)
        assert ended.code == 2, (command, ended)
        assert len(ended.err.splitlines()) == 1
        assert snapshot(storage) == before


def test_a_system_folder_is_refused(swept, tmp_path, capsys):
    ended = hedgesweep(capsys, "run", swept / "space.yaml", "--storage", "/usr/share")
    assert ended.code == 2
    assert "/usr/share holds what is not of a sweep" in ended.err


OURS = {
    "missing": lambda folder: folder.rmdir(),
    "empty": lambda folder: None,
    "an empty log, as a first start that was cut off leaves": lambda f: (f / "log").mkdir(),
    "a lock": lambda folder: Lock(folder).close(),
    "a lock beside files": lambda f: [Lock(f).close(), (f / "notes.txt").touch()],
    "an empty disk": lambda folder: (folder / "lost+found").mkdir(),
    "a file in the making": lambda folder: (folder / f"{'0' * 32}.partial").touch(),
}


@pytest.mark.parametrize("kind", OURS)
def test_a_new_folder_or_one_of_a_sweep_is_used(swept, tmp_path, capsys, kind):
    storage = foreign(OURS[kind])(tmp_path)
    assert hedgesweep(capsys, "run", swept / "space.yaml", "--storage", storage).code == 0
    assert (storage / "log" / "0001.jsonl").exists()


@pytest.mark.parametrize(
    "storage",
    ["http://bucket/x", "hdfs://b/x", "s3:///x", "host:/data", "me@host:x", "~nobody-here/x", ""],
)
def test_what_is_no_path_of_this_machine_is_refused_and_makes_no_folder(
    swept, tmp_path, capsys, monkeypatch, storage
):
    monkeypatch.chdir(tmp_path)
    for command in commands(storage, swept, tmp_path / "other"):
        ended = hedgesweep(capsys, *command)
        assert ended.code == 2, (command, ended)
        assert len(ended.err.splitlines()) == 1
        assert str(storage) in ended.err  # as it was typed
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_a_null_character_is_refused():
    with pytest.raises(UsageError, match="is not a path"):
        layout.writable_folder("a\0b")


def test_a_storage_may_itself_be_a_link(swept, tmp_path, capsys):
    shutil.copytree(swept / "finished", tmp_path / "storage")
    (tmp_path / "link").symlink_to("storage")
    for command in commands(tmp_path / "link", swept, tmp_path):
        assert hedgesweep(capsys, *command).code == 0, command


@pytest.mark.parametrize("rest", ["manifest.json", "trials.parquet", "models", "study"])
def test_a_storage_without_its_log_is_not_called_a_new_one(swept, tmp_path, capsys, rest):
    (storage := tmp_path / "storage").mkdir()
    shutil.copytree(swept / "finished", tmp_path / "copy")
    shutil.move(tmp_path / "copy" / rest, storage / rest)
    for command in commands(storage, swept, tmp_path):
        ended = hedgesweep(capsys, *command)
        assert ended.code == 2
        assert "restore log/ from a copy" in ended.err
        assert "no sweep has begun" not in ended.out


def test_a_lock_that_is_somebody_elses_file_is_not_emptied(swept, tmp_path, capsys):
    shutil.copytree(swept / "interrupted", storage := tmp_path / "storage")
    (precious := tmp_path / "precious").write_text("kept")
    (storage / "log" / "lock").unlink()
    os.link(precious, storage / "log" / "lock")
    ended = hedgesweep(capsys, "run", swept / "space.yaml", "--storage", storage)
    assert (ended.code, precious.read_text()) == (2, "kept")
    assert "hard link; remove it" in ended.err


def test_no_output_is_written_through_a_link(swept, tmp_path, capsys):
    (precious := tmp_path / "precious").write_text("kept")
    (tmp_path / "empty").mkdir()
    for name in ("accepted.json", "accepted.json.partial", "keys/private.pem", "keys/public.pem"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(precious)
    *_, seal, _ = commands(swept / "finished", swept, tmp_path)
    (tmp_path / "bundle").symlink_to("empty")
    assert hedgesweep(capsys, *seal).code == 1
    assert hedgesweep(capsys, "keys", "--out", tmp_path / "keys", "--unencrypted").code == 2
    sealed = tmp_path / "sealed"
    assert hedgesweep(capsys, *seal[:-1], sealed).code == 0
    key = load_pem_private_key((swept / "private.pem").read_bytes(), None)
    (tmp_path / "public.pem").write_bytes(public_pem(key.public_key()))
    pinned = ("--key", tmp_path / "public.pem", "--accepted", tmp_path / "accepted.json")
    ended = hedgesweep(capsys, "open", sealed, "--out", tmp_path / "opened", *pinned)
    assert (ended.code, "is a symbolic link" in ended.err) == (2, True)
    (tmp_path / "accepted.json").unlink()
    assert hedgesweep(capsys, "open", sealed, "--out", tmp_path / "opened", *pinned).code == 0
    assert (tmp_path / "accepted.json.partial").is_symlink()
    assert (precious.read_text(), list((tmp_path / "empty").iterdir())) == ("kept", [])
