"""A finished storage that lost or changed files: repaired to equal content, or refused."""

import shutil
import subprocess

import pytest
from local_sweep import edit_log, run_locally
from spaces import TINY

import sweeps
from sweeps import SilentProgress, UsageError
from sweeps.inspection.verify import verify
from sweeps.journal.history import History
from sweeps.journal.preparations import StoredPreparation
from sweeps.journal.records import PreparationRecord
from sweeps.journal.storage import WriteError
from sweeps.journal.stored_sweep import StoredSweep


class Recording(SilentProgress):
    def __init__(self):
        self.messages = []

    def message(self, text):
        self.messages.append(text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    storage = tmp_path_factory.mktemp("finished") / "tiny"
    run_locally(TINY, storage)
    return storage


def test_a_preparation_is_read_only_as_the_log_names_it(finished, tmp_path):
    (folder,) = (finished / "study").iterdir()
    (record,) = [r for r in History(finished) if isinstance(r, PreparationRecord)]
    assert StoredPreparation.read(folder, record) is not None
    assert StoredPreparation.read(folder, None) is None
    for name in record.files:
        copy = shutil.copytree(folder, tmp_path / name / folder.name)
        content = (copy / name).read_bytes()
        (copy / name).unlink()
        assert StoredPreparation.read(copy, record) is None
        for damaged in (content[:50], b"", b"[]", b"\xff\xfe", content + b" "):
            (copy / name).write_bytes(damaged)
            with pytest.raises(UsageError, match=r"not what was recorded .*remove .*prepare it"):
                StoredPreparation.read(copy, record)


def test_a_model_that_is_gone_is_trained_again_to_the_last_bit(finished, tmp_path):
    copy = shutil.copytree(finished, tmp_path / "out")
    models = sorted((copy / "models").glob("*/*.safetensors"))
    content = {path: path.read_bytes() for path in models}
    shutil.rmtree(models[0].parent)
    models[1].unlink()
    shown = Recording()
    again = sweeps.run(finished.with_suffix(".yaml"), storage=copy, progress=shown)
    assert {path: path.read_bytes() for path in models} == content
    assert (again.missing_models, again.exit_status) == ({}, 0)
    assert sum("trained again" in text for text in shown.messages) == 2


@pytest.mark.parametrize(
    "change", ["cut", "emptied", "one bit", "another's", "linked", "folder linked"]
)
def test_a_model_that_was_changed_is_trained_again_to_the_last_bit(finished, tmp_path, change):
    copy = shutil.copytree(finished, tmp_path / "out")
    path, other = sorted((copy / "models").glob("*/*.safetensors"))[:2]
    content = path.read_bytes()
    damaged = {
        "cut": content[:100],
        "emptied": b"",
        "one bit": content[:-1] + bytes([content[-1] ^ 1]),
        "another's": other.read_bytes(),
    }
    path.unlink()
    if change in damaged:
        path.write_bytes(damaged[change])
    elif change == "linked":
        (tmp_path / "kept").write_bytes(content)
        path.symlink_to(tmp_path / "kept")
    else:
        path.parent.rmdir()
        path.parent.symlink_to(tmp_path)
        (tmp_path / path.name).write_bytes(b"another's")
    assert not verify(copy).ok
    if change == "folder linked":
        with pytest.raises(WriteError, match="remove what is in its place"):
            sweeps.run(finished.with_suffix(".yaml"), storage=copy, progress=SilentProgress())
        assert (tmp_path / path.name).read_bytes() == b"another's"
        path.parent.unlink()
    again = sweeps.run(finished.with_suffix(".yaml"), storage=copy, progress=SilentProgress())
    assert (again.missing_models, again.exit_status) == ({}, 0)
    assert path.read_bytes() == content
    assert not path.is_symlink()
    assert verify(copy).ok


def test_a_model_that_cannot_be_trained_again_is_lost_and_said(finished, tmp_path):
    copy = shutil.copytree(finished, tmp_path / "out")
    known = next(i for i, trial in StoredSweep.read(copy).state.trials.items() if trial.end)

    def change(record):
        mine = record["type"] == "segment" and record["trial_id"] == known and "end" in record
        return {**record, "end": {**record["end"], "model": "0" * 64}} if mine else None

    assert sum(edit_log(copy, file.name, change) for file in (copy / "log").glob("*.jsonl")) == 1
    shutil.rmtree(copy / "models" / known)
    again = sweeps.run(finished.with_suffix(".yaml"), storage=copy, progress=SilentProgress())
    assert again.missing_models.keys() == {known}
    assert again.exit_status == 1
    assert "restore it from a copy" in again.problems()[0]
    assert not (copy / "models" / known).exists()


def test_the_copies_for_people_are_written_again_from_the_log(finished, silent, tmp_path):
    copy = shutil.copytree(finished, tmp_path / "out")
    names = ("manifest.json", "space.yaml", "trials.parquet", "epochs.parquet", "SHA256SUMS")
    whole = {name: (copy / name).read_bytes() for name in names}
    for name in names:
        for damage in (b'{"study": ', None):
            (copy / name).unlink() if damage is None else (copy / name).write_bytes(damage)
            sweeps.run(finished.with_suffix(".yaml"), storage=copy, progress=silent)
            assert {name: (copy / name).read_bytes() for name in names} == whole


def test_sha256sum_accepts_a_finished_storage(finished):
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    checked = subprocess.run(command, cwd=finished, capture_output=True, text=True)
    assert checked.returncode == 0
    assert len(checked.stdout.splitlines()) == 4
