"""Data files that only the driver's machine has, and bytes of shared objects by node."""

import os
import zipfile
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_type_hints

import pandas as pd
import pytest
from local_sweep import run_locally
from printed import numbers
from reliability.sweeping import tables
from spaces import TINY_XNN

import sweeps
from hedgecore.config import from_mapping
from hedgecore.insurance.data.synthetic import generate
from hedgecore.rng import numpy_stream
from sweeps import PreparationError, SilentProgress
from sweeps.environment import defaults, environment
from sweeps.execution import ray_sweep
from sweeps.execution.data_files import data_files, read_data_files
from sweeps.experiments import experiment
from sweeps.inspection.verify import verify
from sweeps.journal.history import History
from sweeps.journal.records import SharedBytes
from sweeps.monitoring.status import status

FEW = {"space.adj_weight.grid": [0.0, 0.3], "space.clusters.grid": [2], "space.seed.grid": [0]}


def in_ray(test):
    # Ray and what it imports warn of their own future; nothing here can mend that.
    ignored = ("DeprecationWarning", "FutureWarning", "ResourceWarning")
    for warning in (*ignored, "pytest.PytestUnraisableExceptionWarning"):
        test = pytest.mark.filterwarnings(f"ignore::{warning}")(test)
    return pytest.mark.ray(test)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A space, and a table beside it."""
    folder = tmp_path_factory.mktemp("driver")
    table = generate(400, seed=0)
    frame = pd.DataFrame({"Id": range(1, 401), **table.columns, "Response": table.response})
    frame.to_csv(folder / "train.csv", index=False)
    (folder / "xnn.yaml").write_text(TINY_XNN)
    return folder


@pytest.fixture
def unplugged(monkeypatch):
    """Files are out of the way once the driver has read them, and back at the end."""
    away: dict[Path, Path] = {}

    def read(plan):
        contents = read_data_files(plan)
        for path in map(Path, contents):
            away[path] = path.with_suffix(".away")
            path.rename(away[path])
        return contents

    monkeypatch.setattr(ray_sweep, "read_data_files", read)
    yield away
    for path, elsewhere in away.items():
        elsewhere.rename(path)


def text_settings(cls, at=""):
    """Dotted paths of the settings that are free text or null."""
    hints = get_type_hints(cls)
    for field in fields(cls):
        kind = hints[field.name]
        if is_dataclass(kind):
            yield from text_settings(kind, f"{at}{field.name}.")
        elif kind == str | None or kind is Path:
            yield at + field.name


@pytest.mark.parametrize("name", ["tickets", "xnn"])
def test_every_path_of_a_study_is_a_data_file(name):
    swept = experiment(name)
    study = from_mapping(swept.study, {})
    paths = {setting: f"/data/{i}.csv" for i, setting in enumerate(text_settings(swept.study))}
    assert len(paths) == (name == "xnn")
    assert [*swept.data_files(study.with_axes(paths))] == [*paths.values()]
    assert [*swept.data_files(study)] == []


def test_every_file_is_read_once_for_the_preparations_that_add_to_no_other(folder, tmp_path):
    other = tmp_path / "other.csv"
    other.write_bytes((folder / "train.csv").read_bytes()[:-1])
    axis = {"choice": [str(folder / "train.csv"), str(other)]}
    plan = sweeps.plan(
        folder / "xnn.yaml", overrides={"space.data.path": {"grid": axis["choice"]}}
    )
    assert {p: len(c) for p, c in read_data_files(plan).items()} == {
        path: os.path.getsize(path) for path in axis["choice"]
    }
    assert sum(bool(data_files(plan, key)) for key in plan.preparations) == 4


def test_a_file_that_is_gone_is_an_error_of_one_line(folder, tmp_path):
    path = tmp_path / "train.csv"
    plan = sweeps.plan(folder / "xnn.yaml", overrides={"study.data.path": str(path)})
    with pytest.raises(PreparationError, match=r"train\.csv cannot be read \(No such file") as e:
        read_data_files(plan)
    assert "\n" not in str(e.value)


@pytest.fixture(scope="module")
def two_nodes():
    """A node for the driver, without CPUs, and one for workers, on this machine."""
    import ray
    from ray.cluster_utils import Cluster

    from sweeps.execution.authentication import authentication
    from sweeps.execution.ray_runtime import STARTING

    with environment(defaults(STARTING)), authentication(None, insecure=True):
        options = {"include_dashboard": False, "object_store_memory": 80 * 2**20}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **options})
        cluster.add_node(num_cpus=2, object_store_memory=80 * 2**20)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()
        cluster.shutdown()


def shared(storage: Path) -> list[SharedBytes]:
    return [record for record in History(storage) if isinstance(record, SharedBytes)]


def swept(space: Path, storage: Path, progress=None, **overrides) -> sweeps.Sweep:
    return sweeps.run(
        space, storage=storage, overrides=overrides, progress=progress or SilentProgress()
    )


def assert_equal(storage: Path, other: Path) -> None:
    for mine, theirs in zip(tables(storage), tables(other), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)


def nbytes(preparation, base=None) -> int:
    """Bytes of the inputs, without those of the base."""
    known = base.inputs if base else {}
    return sum(t.numpy().nbytes for n, t in preparation.inputs.items() if t is not known.get(n))


@in_ray
@pytest.mark.slow
def test_only_the_driver_needs_the_file_and_every_node_gets_a_copy_of_its_content(
    two_nodes, folder, tmp_path, unplugged, monkeypatch
):
    space, out, alone = folder / "xnn.yaml", tmp_path / "out", tmp_path / "alone"
    run_locally(space, alone, overrides=FEW | {"study.data.path": str(folder / "train.csv")})
    monkeypatch.chdir(folder)
    sweep = swept(space, out, **FEW, **{"study.data.path": "train.csv"})
    assert sweep.counts == {"completed": 2}
    assert [*unplugged] == [folder / "train.csv"]
    assert_equal(out, alone)

    *_, last = records = shared(out)
    content = unplugged[folder / "train.csv"].read_bytes()
    assert len(content) <= last.files < len(content) + 100
    study, prepare = sweep.plan.trials[0].study, experiment("xnn").trainer.prepare
    contents = {str(folder / "train.csv"): content}
    base = prepare(study.base_study(), seed=0, contents=contents)
    data = nbytes(base) + nbytes(prepare(study, seed=0, base=base), base)
    # Ray adds a name and a header to every array.
    assert data <= last.data < data + 500 * len(base.inputs)
    total = last.theta_0 + last.data + last.files
    # Every trial and preparation was on the other node, which received every object once.
    assert (last.nodes, last.sent) == (2, total)
    for before, after in pairwise(records):
        assert (before.files, before.data) == (after.files, after.data)
        assert (before.nodes, before.sent) <= (after.nodes, after.sent)
    assert status(out).shared == last


@in_ray
@pytest.mark.slow
def test_a_stored_preparation_is_restored_where_the_file_is_missing(
    two_nodes, folder, tmp_path, unplugged
):
    space, path = folder / "xnn.yaml", folder / "train.csv"
    few = FEW | {"study.data.path": str(path)}
    run_locally(space, tmp_path / "alone", overrides=few)
    run_locally(space, tmp_path / "out", overrides=few, stop_after=1)
    assert swept(space, tmp_path / "out", **few).counts == {"completed": 2}
    unplugged.popitem()[1].rename(path)
    assert_equal(tmp_path / "out", tmp_path / "alone")
    assert verify(tmp_path / "out", data=True).ok


@in_ray
@pytest.mark.slow
def test_a_file_larger_than_the_object_store_is_spilled_and_said_in_one_line(
    two_nodes, folder, tmp_path, unplugged
):
    texts: list[str] = []

    class Messages(SilentProgress):
        def message(self, text: str) -> None:
            texts.append(text)

    big, out = tmp_path / "train.zip", tmp_path / "out"
    with zipfile.ZipFile(big, "w") as archive:
        archive.write(folder / "train.csv", "train.csv")
        archive.writestr(".padding", numpy_stream(0, "padding").bytes(120 * 10**6))
    overrides = FEW | {"study.data.path": str(big)}
    assert swept(folder / "xnn.yaml", out, Messages(), **overrides).counts == {"completed": 2}
    (line,) = [text for text in texts if text.startswith(f"{big}: ")]
    assert numbers(line.removeprefix(f"{big}: "))[0] == pytest.approx(120.2, abs=0.1)
    assert "of 83.9 MB free" in line
    assert Path(line.split()[-1]).is_dir()
    assert shared(out)[-1].files > 120 * 10**6
