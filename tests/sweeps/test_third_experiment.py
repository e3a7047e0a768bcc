"""An experiment of another package: found by name, and swept with the defaults of the border."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import toy_experiment
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from local_sweep import run_locally
from reliability.sweeping import ROOT, Driver, models, tables
from toy_experiment import PARABOLA, ParabolaStudy

from hedgecore.config import to_mapping
from hedgecore.fingerprints import tensor_sha256
from search_spaces import SpaceError
from sweeps import UsageError, plan
from sweeps.experiments import experiment
from sweeps.journal.code_identity import modules
from sweeps.planning.estimate import estimate, probe
from sweeps.sealing import seal_trial

SPACE = """\
experiment: parabola
space:
  training.lr: {grid: [%s]}
  seed: {grid: [0, 1]}
study: {training: {epochs: 9}}
scheduler: {asha: {grace_period: 1, reduction_factor: 3, stratify_by: [], replicates: seed}}
"""
FEW, MANY = "0.05, 0.1, 0.2", ", ".join(f"{n / 100}" for n in range(1, 41))


def offer(folder: Path, **entries: str) -> Path:
    """Install a distribution with these entry points in ``folder``."""
    information = folder / f"{folder.name}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {folder.name}\nVersion: 1\n"
    )
    lines = [f"{name} = {value}\n" for name, value in entries.items()]
    (information / "entry_points.txt").write_text("[hedgesweep.experiments]\n" + "".join(lines))
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    folder = offer(tmp_path_factory.mktemp("toy"), parabola="toy_experiment:PARABOLA")
    shutil.copy(toy_experiment.__file__, folder)
    return folder


@pytest.fixture
def installed(package, monkeypatch):
    experiment.cache_clear()
    monkeypatch.syspath_prepend(package)
    yield
    experiment.cache_clear()


def write(path: Path, rates: str) -> Path:
    path.write_text(SPACE % rates)
    return path


def segments(storage: Path) -> int:
    logs = (storage / "log").glob("*.jsonl")
    return sum(log.read_bytes().count(b'"type":"segment"') for log in logs)


@pytest.mark.ray
@pytest.mark.slow
def test_a_driver_killed_midway_ends_as_if_it_had_never_been(package, installed, tmp_path):
    space = write(tmp_path / "space.yaml", MANY)
    run_locally(space, tmp_path / "whole")
    storage, environment = tmp_path / "out", {"PYTHONPATH": str(package)}
    with Driver(space, storage, **environment) as driver:
        assert driver.meets(lambda: segments(storage) >= 5), driver.errors
        driver.kill()
    assert segments(storage) < segments(tmp_path / "whole")
    with Driver(space, storage, **environment) as driver:
        assert driver.ends() == 0, driver.errors
    for mine, theirs in zip(tables(storage), tables(tmp_path / "whole"), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    assert models(storage) == models(tmp_path / "whole")


@pytest.mark.slow
def test_every_command_reads_a_sweep_of_it(package, installed, tmp_path):
    space, storage = write(tmp_path / "space.yaml", FEW), tmp_path / "out"
    run_locally(space, storage)
    commands = [("plan", "--no-probe", space), *((c, storage) for c in ("status", "verify"))]
    for command in [*commands, ("report", storage)]:
        done = subprocess.run(
            [sys.executable, "-m", "sweeps", *map(str, command)],
            env={**os.environ, "PYTHONPATH": str(package)},
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, ""), command
    written, trials = pd.read_csv(storage / "report" / "trials.csv"), tables(storage)[0]
    assert written["val_loss"].min() == pytest.approx(trials["val_loss"].min())
    assert sorted(written["status"]) == sorted(trials["status"].astype(str))
    assert written["config/training.lr"].nunique() == 3


def test_a_trial_that_was_cut_goes_on_to_the_last_bit():
    study = ParabolaStudy().with_axes({"training.epochs": 5, "training.lr": 0.03})
    preparation = PARABOLA.trainer.prepare(study, seed=1)
    trial = {
        "study": to_mapping(study),
        "theta_0_sha256": tensor_sha256(preparation.files["theta_0"].values()),
    }

    def opened(checkpoint=None):
        return PARABOLA.open_run(trial, checkpoint, preparation=preparation, device="cpu")

    def course(run):
        rows = [{**row, "seconds": 0} for row in run.epochs()]
        return rows, run.finish()[1]

    rows, model = course(opened())
    for cut in range(1, 6):
        first, epochs = opened(), []
        for row in first.epochs():
            epochs.append({**row, "seconds": 0})
            if row["epoch"] == cut:
                break
        remainder, again = course(opened(first.checkpoint()))
        assert (epochs + remainder, again) == (rows, model)
    error = (1 - 2 * 0.03) ** 5 * (float(preparation.theta_0["theta"]) - 3.0)
    assert rows[-1]["val_loss"] == pytest.approx(error**2, rel=1e-12)


def test_the_default_cost_is_what_a_probe_measures(package, installed, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(package))
    planned = plan(write(tmp_path / "space.yaml", FEW))
    measured = probe(planned)
    cost = estimate(planned, measured, cpus=2).cost
    assert cost.trial_hours > 0
    assert cost.guessed == 0
    assert len(measured.epochs) == 4  # three learning rates, and that of the preparation


def test_its_identity_is_of_its_own_module_and_no_other_experiment(installed):
    traced = modules("parabola")
    assert {"toy_experiment", "hedgecore.training.run", "hedgecore.config"} <= traced.keys()
    assert not any(name.startswith(("hedgecore.hedging", "hedgecore.insur")) for name in traced)


def test_a_model_without_a_deployed_form_is_not_sealed(installed, tmp_path):
    run_locally(write(tmp_path / "space.yaml", "0.1"), tmp_path / "out")
    trial = tables(tmp_path / "out")[0]["trial_id"].iloc[0]
    with pytest.raises(UsageError, match="'parabola' cannot be sealed"):
        seal_trial(
            tmp_path / "out", trial, key=Ed25519PrivateKey.generate(), folder=tmp_path / "bundle"
        )


@pytest.mark.parametrize("name", ["parabol", "toy_experiment:PARABOLA", "./toy_experiment.py"])
def test_another_name_or_a_path_is_refused_and_nothing_is_loaded(installed, tmp_path, name):
    space = write(tmp_path / "space.yaml", FEW)
    space.write_text(space.read_text().replace("parabola", json.dumps(name)))
    with pytest.raises(SpaceError, match=r"unknown experiment.*known: parabola, tickets, xnn"):
        plan(space)
    with pytest.raises(ValueError, match=r"unknown experiment.*known: parabola"):
        experiment(name)


def test_a_name_of_hedgesweep_stays_its_own(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(offer(tmp_path / "usurper", tickets="toy_experiment:PARABOLA"))
    experiment.cache_clear()
    assert experiment("tickets").study.__name__ == "TicketStudy"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("no_such_module:X", "cannot be loaded from no_such_module:X"),
        ("toy_experiment:NOTHING", "cannot be loaded from toy_experiment:NOTHING"),
        ("toy_experiment:train", "not an Experiment of that name"),
        ("toy_experiment:PARABOLA", "not an Experiment of that name"),
    ],
)
def test_a_package_that_offers_none_is_one_line(tmp_path, monkeypatch, entry, problem):
    monkeypatch.syspath_prepend(offer(tmp_path / "broken", cubic=entry))
    with pytest.raises(UsageError, match=problem):
        experiment("cubic")


def test_two_packages_with_one_name_are_named(tmp_path, monkeypatch):
    for package in ("first", "second"):
        monkeypatch.syspath_prepend(offer(tmp_path / package, parabola="toy_experiment:PARABOLA"))
    experiment.cache_clear()
    with pytest.raises(UsageError, match="first and second; uninstall all but one"):
        experiment("parabola")
