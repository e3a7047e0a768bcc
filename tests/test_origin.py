"""A folder full of files that have the names of modules: no command imports any of them."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import packages_distributions
from pathlib import Path
from subprocess import CompletedProcess

import matplotlib as mpl
import pandas as pd
import pytest
from local_sweep import run_locally
from quick import quick_of
from spaces import TINY, TINY_XNN

import analysis
from analysis.figures.rendering import render
from hedgecore.insurance.data.applicants import Applicants
from sweeps import origin
from sweeps.__main__ import cli
from sweeps.journal.stored_sweep import StoredSweep

PACKAGES = ("hedgecore", "search_spaces", "sweeps", "analysis")
COMMAND = Path(sys.executable).parent / "hedgesweep"
ONE_XNN = {
    "space.adj_weight.grid": [0.3],
    "space.clusters.grid": [2],
    "space.seed.grid": [0],
}
ONE = {"space.sparsity.grid": [0.5], "space.lr.grid": [1e-2], "space.epsilon.grid": [0.0]}
# It imports nothing that it could shadow itself.
SPY = """\
import posix
_file = posix.open({marks!r}, posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND)
posix.write(_file, b"{name}\\n")
posix.close(_file)
"""


def plant(folder: Path, *names: str, package: bool = False) -> None:
    """Modules ``names`` in ``folder``, each of which says so in ``folder``.marks when imported."""
    for name in names:
        path = folder / name / "__init__.py" if package else folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SPY.format(marks=f"{folder}.marks", name=name))


def marks(folder: Path) -> set[str]:
    path = Path(f"{folder}.marks")
    return set(path.read_text().split()) if path.exists() else set()


def command_line(
    folder: Path, *arguments: object, by: Sequence[object] = (COMMAND,), path: object = None
) -> CompletedProcess[str]:
    """``hedgesweep`` with ``arguments``, typed in ``folder``."""
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSAFEPATH")
    }
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [str(word) for word in (*by, *arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A folder with a file for every module of Python's, of any library here, and of ours."""
    folder = tmp_path_factory.mktemp("hostile") / "folder"
    names = {*sys.stdlib_module_names, *packages_distributions(), *PACKAGES}
    plant(folder, *filter(str.isidentifier, names), "sitecustomize", "usercustomize")
    plant(folder, "ray", *PACKAGES, package=True)
    for package in PACKAGES:
        (folder / package / "__main__.py").write_text((folder / "json.py").read_text())
    return folder


@pytest.fixture(scope="module")
def files(hostile, tmp_path_factory) -> dict[str, object]:
    """Files of every kind that a command takes, by the commands that make them."""
    top = tmp_path_factory.mktemp("files")
    (top / "tiny.yaml").write_text(TINY)
    run_locally(TINY, top / "out", overrides=ONE)
    run_locally(TINY, top / "unbegun", overrides=ONE, stop_after=0)
    (waiting,) = StoredSweep.read(top / "unbegun").state.trials
    run_locally(TINY_XNN, top / "xnn", overrides=ONE_XNN)
    (trial,) = StoredSweep.read(top / "out").state.trials
    (explained,) = StoredSweep.read(top / "xnn").state.trials
    applicants = Applicants.of(StoredSweep.read(top / "xnn").study.data, seed=0)
    pd.DataFrame(applicants.table.columns).to_csv(top / "rows.csv", index=False)
    paths = {
        "space": top / "tiny.yaml",
        "storage": top / "out",
        "trial": trial,
        "new": top / "new",
        "unbegun": top / "unbegun",
        "waiting": waiting,
    }
    paths |= {"keys": top / "keys", "bundle": top / "bundle", "underwriter": top / "underwriter"}
    paths |= {"rows": top / "rows.csv", "predictions": top / "predictions.parquet"}
    seal_xnn = f"seal {top / 'xnn'} {explained} --key {{keys}}/private.pem --out {{underwriter}}"
    for line in (
        "keys --out {keys} --unencrypted",
        SEAL.replace("{new}", "{bundle}"),
        seal_xnn,
        PREDICT.replace("{new}.parquet", "{predictions}"),
    ):
        done = command_line(hostile, *line.format(**paths).split())
        assert done.returncode == 0, done.stderr
        assert marks(hostile) == set()
    return paths


SEAL = "seal {storage} {trial} --key {keys}/private.pem --out {new}"
PREDICT = "predict {underwriter} {rows} --key {keys}/public.pem --out {new}.parquet"
ARGUMENTS = {
    "plan": "plan {space}",
    "status": "status {storage} --json",
    "report": "report {storage}",
    "claims": "claims {storage}",
    "trials": "trials {storage} --sort cvar_05",
    "best": "best {storage}",
    "show": "show {storage} {trial}",
    "compare": "compare {storage} {storage}",
    "query": "query {storage} select(1)",
    "export": "export {storage} --csv {new}-csv",
    "record": "record {storage} --json",
    "predict": PREDICT,
    "plot-predictions": "plot-predictions {predictions} --out {new}-figures",
    "replay": "replay {storage} {trial}",
    "verify": "verify {storage} --data",
    "simulate": "simulate {storage}",
    "evaluate": "evaluate {storage} --set study.evaluation.path_fgsm=[0.3] --out {new}.table",
    "stop": "stop {unbegun} {waiting}",
    "enqueue": "enqueue {unbegun} sparsity=0.5 lr=2e-3 epsilon=0.0",
    "export-model": "export-model {storage} {trial} --out {new}.c",
    "keys": "keys --out {new}-keys --unencrypted",
    "seal": SEAL,
    "open": "open {bundle} --key {keys}/public.pem --out {new}-opened",
}


@pytest.mark.parametrize("command", quick_of(ARGUMENTS, every=8))
def test_nothing_of_the_current_directory_is_imported_by(command, hostile, files):
    done = command_line(hostile, *ARGUMENTS[command].format(**files).split())
    assert done.returncode == 0, done.stderr
    assert marks(hostile) == set()


CLUSTERS = {
    "submit": "submit {cluster} {space} --storage /results --insecure",
    "logs": "logs {cluster} --insecure",
    "cancel": "cancel {cluster} --insecure",
}


@pytest.mark.parametrize("command", quick_of(CLUSTERS, every=3))
def test_nothing_of_the_current_directory_is_imported_for_a_cluster_by(
    command, hostile, files, tmp_path
):
    cluster = tmp_path / "cluster.yaml"  # not up: Ray's own command, which looks for it, says so
    cluster.write_text(
        "cluster_name: none\nauth: {ssh_user: nobody}\n"
        "provider: {type: local, head_ip: 127.0.0.1, worker_ips: []}\n"
    )
    arguments = CLUSTERS[command].format(cluster=cluster, **files).split()
    done = command_line(hostile, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the cluster is not up" in done.stderr
    assert marks(hostile) == set()


@pytest.mark.ray
@pytest.mark.slow
def test_nothing_of_the_current_directory_is_imported_by_a_sweep_or_its_workers(
    hostile, files, tmp_path
):
    chosen = [f"--set={key}={json.dumps(value)}" for key, value in ONE.items()]
    done = command_line(hostile, "run", files["space"], "--storage", tmp_path / "out", *chosen)
    assert done.returncode == 0, done.stderr
    assert marks(hostile) == set()
    assert set(analysis.load_trials(tmp_path / "out")["status"]) == {"completed"}


def test_every_command_is_tried():
    assert {*ARGUMENTS, *CLUSTERS, "run", "retry"} == set(cli.commands)


def test_packages_of_two_jobs_are_of_two_places_and_those_of_a_worker_of_one():
    unpacked = "/tmp/ray/runtime_resources/{}/_ray_pkg_{}/hedgecore/__init__.py"
    for folder, places in (("working_dir_files", 2), ("py_modules_files", 1)):
        assert len({origin._home(unpacked.format(folder, p)) for p in "ab"}) == places


@pytest.mark.parametrize("name", [*PACKAGES, "ray", "json"])
def test_the_files_would_be_imported_by_a_python_that_looks_there(name, tmp_path):
    plant(tmp_path / "folder", name, package=name == "ray")
    command_line(tmp_path / "folder", "-c", f"import {name}", by=[sys.executable])
    assert marks(tmp_path / "folder") == {name}


@pytest.mark.parametrize("package", [True, False])
@pytest.mark.parametrize("name", ["hedgecore", "search_spaces", "analysis"])
def test_a_package_of_ours_on_pythonpath_is_refused_and_not_run(name, package, files, tmp_path):
    plant(tmp_path / "folder", name, package=package)
    command = "report" if name == "analysis" else "status"
    done = command_line(tmp_path, command, files["storage"], path=tmp_path / "folder")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {name} comes from {tmp_path / 'folder' / name}")
    assert "PYTHONPATH" in line
    assert marks(tmp_path / "folder") == set()
    assert command_line(tmp_path, "status", files["storage"]).returncode == 0, (
        "the cure does not cure"
    )


@pytest.mark.parametrize("name", ["hedgecore", "search_spaces"])
def test_python_m_sweeps_refuses_a_package_of_ours_in_the_current_directory(name, files, tmp_path):
    plant(tmp_path / "folder", name)
    by = [sys.executable, "-m", "sweeps"]
    done = command_line(tmp_path / "folder", "status", files["storage"], by=by)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert marks(tmp_path / "folder") == set()
    safe = [sys.executable, "-P", *by[1:]]
    assert command_line(tmp_path / "folder", "status", files["storage"], by=safe).returncode == 0


def test_imported_in_python_it_is_an_import_error(tmp_path):
    plant(tmp_path / "folder", "hedgecore")
    done = command_line(tmp_path / "folder", "-c", "import sweeps", by=[sys.executable])
    assert "ImportError: hedgecore comes from" in done.stderr
    assert marks(tmp_path / "folder") == set()


def test_figures_do_not_follow_a_matplotlibrc_of_the_current_directory():
    with mpl.rc_context({"text.usetex": True, "figure.facecolor": "red"}):
        figure = render(lambda ax: ax.set_title("$a$"))
    assert not figure.axes[0].title.get_usetex()
    assert figure.get_facecolor() == (1.0, 1.0, 1.0, 1.0)
