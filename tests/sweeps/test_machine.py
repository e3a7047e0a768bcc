import io
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from printed import numbers

import sweeps
from hedgecore.kernel.shared_library import OFF, SWITCH, builds
from hedgecore.training.convergence import DivergedError
from sweeps import SpaceError, UsageError
from sweeps.__main__ import cli
from sweeps.planning import machine, probe
from sweeps.planning.estimate import stored_bytes
from sweeps.planning.machine import check_data, gpus, lacking, memory, slow
from tests.spaces import TINY_XNN


def test_a_sweep_that_fits_lacks_nothing(tiny):
    plan = sweeps.plan(tiny)
    assert lacking(plan, memory=stored_bytes(plan), gpus=0) == []
    assert machine.too_large(plan, stored_bytes(plan)) == ""
    machine.check(plan, cluster=False)


def test_preparations_beyond_the_memory_are_refused_before_anything_runs(tiny, monkeypatch):
    plan = sweeps.plan(tiny)
    too_little = stored_bytes(plan) - 1
    monkeypatch.setattr(machine, "memory", lambda: too_little)
    with pytest.raises(UsageError, match="in the object store, and this machine has"):
        machine.check(plan, cluster=False)
    machine.check(plan, cluster=True)
    (line,) = lacking(plan, memory=too_little, gpus=0)
    assert "a cluster" in line


def test_a_run_that_cannot_hold_its_paths_ends_before_ray_starts(tiny, tmp_path):
    paths = ["study.market.train_paths=1000000000", "study.market.steps=1000"]
    with pytest.raises(UsageError, match=r"8,008\.0 GB"):
        sweeps.run(tiny, storage=tmp_path / "s", overrides=paths)


def test_a_probe_that_diverges_is_one_line(monkeypatch, capsys):
    def diverge(*_):
        raise DivergedError("training loss is nan in epoch 1")

    question = json.dumps({"experiment": "tickets", "groups": [[{}]]})
    monkeypatch.setattr(probe, "_measure", diverge)
    monkeypatch.setattr(probe, "one_thread", lambda: None)
    monkeypatch.setattr("sys.stdin", io.StringIO(question))
    probe.answer()
    (problem,) = json.loads(capsys.readouterr().out).values()
    assert str(DivergedError("training loss is nan in epoch 1")) in problem


def test_1e13_paths_are_refused_with_the_most_there_may_be(tiny):
    with pytest.raises(SpaceError, match="train_paths: must lie between -1,000,000,000 and"):
        sweeps.plan(tiny, overrides=["study.market.train_paths=10000000000000"])


def test_a_plan_says_that_there_is_no_gpu(tiny):
    plan = sweeps.plan(tiny, overrides=["resources.gpu=1"])
    (line,) = lacking(plan, memory=memory(), gpus=0)
    assert numbers(line)[:2] == [1, 0], "GPUs asked for, and at hand"
    assert "--set resources.gpu=0" in line
    assert lacking(plan, memory=memory(), gpus=1) == []
    assert gpus() >= 0


def test_a_machine_without_kernel_or_with_an_idle_gpu_is_told_in_a_line_each(tiny, monkeypatch):
    plan = sweeps.plan(tiny)
    monkeypatch.setenv(SWITCH, OFF)
    (without,) = slow(plan, gpus=0)
    assert "C compiler" in without
    _, idle = slow(plan, gpus=2)
    assert numbers(idle)[0] == 2
    assert len(slow(sweeps.plan(tiny, overrides=["resources.gpu=1"]), gpus=1)) == 1
    if builds():
        monkeypatch.delenv(SWITCH)
        assert slow(plan, gpus=0) == []


@pytest.fixture
def xnn(tmp_path):
    path = tmp_path / "xnn.yaml"
    path.write_text(TINY_XNN)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no file .* give the path of your own copy of train.csv"),
        (b"", "is empty"),
        (b"a,b\n1,2\n", "has no column Response"),
        (b"Id,Response\n", "lacks column"),
        (b"\xff\xfe", "is empty"),
    ],
)
def test_data_that_is_missing_or_no_train_csv_is_refused_before_ray_starts(
    xnn, tmp_path, content, message
):
    path = tmp_path / "it's train;.csv"
    if content is not None:
        path.write_bytes(content)
    overrides = {"study.data.path": str(path)}
    for refused in (
        lambda: check_data(sweeps.plan(xnn, overrides=overrides)),
        lambda: sweeps.run(xnn, storage=tmp_path / "s", overrides=overrides),
    ):
        with pytest.raises(SpaceError, match=rf"study\.data\.path: .*{message}"):
            refused()


@pytest.mark.parametrize(
    ("key", "value", "write"),
    [
        ("space.clusters.grid", [3, 99_999], "'space.clusters.grid': [3, {most}]"),
        ("study.clustering.clusters", 99_999, "'study.clustering.clusters': {most}"),
    ],
)
def test_more_clusters_than_rows_are_refused_before_ray_starts(xnn, tmp_path, key, value, write):
    if key.startswith("study."):
        xnn.write_text(TINY_XNN.replace("  clusters: {grid: [2, 3]}\n", ""))
    for refused in (
        lambda: check_data(sweeps.plan(xnn, overrides={key: value})),
        lambda: sweeps.run(xnn, storage=tmp_path / "s", overrides={key: value}),
    ):
        with pytest.raises(SpaceError, match=r"the (\d+) that the training rows allow") as raised:
            refused()
        most = int(re.search(r"exceed the (\d+)", str(raised.value))[1])
        assert write.format(most=most) in str(raised.value)
    cured = [*value[:-1], most] if isinstance(value, list) else most
    check_data(sweeps.plan(xnn, overrides={key: cured}))


@pytest.mark.parametrize("name", ["a b", "it's", "a;b", "$(x)", 'a"b', "-x"])
def test_a_printed_command_names_the_storage_in_the_quotes_of_a_shell(tmp_path, name):
    storage = tmp_path / name
    storage.mkdir()
    printed = CliRunner().invoke(cli, ["status", str(storage)]).output
    assert f"--storage {shlex.quote(str(storage))}" in printed


def test_every_printed_command_quotes_what_it_names():
    root = Path(__file__).resolve().parents[2]
    for package in ("sweeps", "analysis"):
        for file in (root / package).rglob("*.py"):
            for line in file.read_text().splitlines():
                if "hedgesweep " in line and "{" in line and "hedgesweep (" not in line:
                    assert "quote(" in line or "shlex.join(" in line, f"{file.name}: {line}"


@pytest.mark.parametrize(
    ("space", "overrides"),
    [
        ("xnn_smoke", {"study.data.path": "/nowhere/train.csv"}),
        ("tickets_smoke", {"study.market.train_paths": 900_000_000}),
    ],
)
def test_a_run_that_is_refused_leaves_nothing_behind(space, overrides, tmp_path):
    with pytest.raises((sweeps.SpaceError, UsageError)):
        sweeps.run(space, storage=tmp_path / "storage", overrides=overrides)
    assert not (tmp_path / "storage").exists()
