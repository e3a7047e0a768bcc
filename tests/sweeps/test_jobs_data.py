"""Data files of submitted sweeps, on their way to the head."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from fake_head import FakeHead
from reliability import hostile
from reliability.hostile import Ended
from spaces import TINY_XNN

from hedgecore.insurance.data.synthetic import generate
from sweeps.jobs import package

pytestmark = pytest.mark.ray  # imports it, starts none


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    table = generate(400, seed=0)
    return pd.DataFrame({"Id": range(1, 401), **table.columns, "Response": table.response})


@pytest.fixture
def xnn(tmp_path, table, monkeypatch) -> Path:
    """A space in a folder with its data file."""
    monkeypatch.chdir(tmp_path)
    table.to_csv("my train.csv", index=False)
    path = tmp_path / "xnn.yaml"
    path.write_text(TINY_XNN)
    return path


def submit(capsys, head: FakeHead, space: Path, setting: str, storage: str = "/r") -> Ended:
    arguments = ("--storage", storage, "--set", setting)
    return hostile.hedgesweep(capsys, "submit", head.url, space, *arguments)


def entrypoint(head: FakeHead) -> str:
    text = head.submitted["entrypoint"]
    assert isinstance(text, str)
    return text


def test_a_data_file_travels_and_is_given_by_a_path_of_its_content(head, xnn, capsys, tmp_path):
    assert submit(capsys, head, xnn, "study.data.path=my train.csv").code == 0
    assert head.unpacked()["data/my train.csv"] == (tmp_path / "my train.csv").read_bytes()
    first = entrypoint(head)
    head.jobs.clear()
    absolute = tmp_path / "my train.csv"
    assert submit(capsys, head, xnn, f"study.data.path={absolute}").code == 0
    moved = first.split("--set ")[-1]
    assert moved == entrypoint(head).split("--set ")[-1]
    assert "~/.cache/hedgesweep/data/" in moved


@pytest.mark.parametrize("name", ["my train.csv", "a: b #c.csv", "it's $HOME.csv", "-a\nb.csv"])
def test_the_shell_of_the_head_moves_the_file_and_becomes_the_driver(
    head, xnn, capsys, tmp_path, name
):
    (tmp_path / "my train.csv").rename(tmp_path / name)
    setting = f"study.data.path={json.dumps(name)}"
    assert submit(capsys, head, xnn, setting, "/a'b $HOME").code == 0
    folder, home, bin_ = tmp_path / "job", tmp_path / "head home", tmp_path / "bin"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / name).write_bytes(head.unpacked()[f"data/{name}"])
    bin_.mkdir()
    (bin_ / "python").write_text(
        f"#!{sys.executable} -ISE\nimport json, os, sys\n"
        "print(json.dumps([os.getpid(), *sys.argv[1:]]))\n"
    )
    (bin_ / "python").chmod(0o755)
    environment = {"HOME": str(home), "PATH": f"{bin_}:/usr/bin:/bin"}
    for _ in range(2):
        process = subprocess.Popen(
            entrypoint(head), shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE
        )
        output, _ = process.communicate(timeout=30)
        pid, *words = json.loads(output)
        assert pid == process.pid
        assert words[words.index("--storage") + 1] == "/a'b $HOME"
        key, _, value = words[words.index("--set") + 1].partition("=")
        assert key == "study.data.path"
        path = home / yaml.safe_load(value).removeprefix("~/")
        assert path.read_bytes() == (tmp_path / name).read_bytes()
        assert path.stat().st_mode & 0o077 == 0
        assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("path", ["/on/the/head/train.csv", f"/{'a' * 300}/train.csv"])
def test_a_file_on_the_head_alone_is_left_there(head, xnn, capsys, path):
    """Also at a path that this machine cannot even look up."""
    there = f"study.data.path={path}"
    assert submit(capsys, head, xnn, there).code == 0
    assert not [name for name in head.unpacked() if name.startswith("data/")]
    assert f"--set={there}" in entrypoint(head)


def test_a_missing_data_file_and_an_axis_of_files_are_refused(head, xnn, capsys):
    missing = submit(capsys, head, xnn, "study.data.path=none.csv")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    assert "none.csv" in missing.err
    axis = submit(capsys, head, xnn, "space.data.path.grid=[my train.csv]")
    assert (axis.code, axis.err.count("\n")) == (2, 1)
    assert "one data file" in axis.err
    assert not head.requests


def test_a_data_file_beyond_the_limit_of_the_head_is_refused(head, xnn, capsys, monkeypatch):
    monkeypatch.setattr(package, "MOST_BYTES", 2**10)
    ended = submit(capsys, head, xnn, "study.data.path=my train.csv")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "my train.csv makes a job of" in ended.err
    assert "ray rsync-up" in ended.err
    assert not head.requests
