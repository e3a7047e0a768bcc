import json
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from local_sweep import run_locally
from printed import numbers
from safetensors.torch import load_file
from spaces import TINY_XNN

import analysis
import sweeps
from hedgecore.bundle.sealing import unseal
from hedgecore.config import from_mapping, to_mapping
from hedgecore.insurance.classifier import Classifier
from hedgecore.insurance.config import XnnStudy
from hedgecore.insurance.data.applicants import Applicants
from hedgecore.insurance.xnn.network import probabilities
from sweeps import SpaceError
from sweeps.execution.object_store import _arrays, _assembled, prepare_task
from sweeps.experiments import experiment
from sweeps.inspection.replay import replay
from sweeps.inspection.verify import verify
from sweeps.journal.preparations import Facts
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.monitoring.progress import State, _best_table
from sweeps.planning.estimate import estimate
from sweeps.planning.probe import probe
from sweeps.planning.summary import lines
from sweeps.sealing import ARCHITECTURES, seal_trial

ONE_SEED = {"space.seed.grid": [0]}


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    storage = tmp_path_factory.mktemp("xnn") / "out"
    run_locally(TINY_XNN, storage, overrides=ONE_SEED, shuffle_seed=1)
    return storage


@pytest.fixture(scope="module")
def trials(storage):
    return analysis.load_trials(storage)


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY_XNN)
    return path


def test_every_trial_completes_with_every_column_of_its_experiment(trials):
    assert trials["status"].eq("completed").all()
    assert {column.name for column in experiment("xnn").columns.trials([])} <= {*trials.columns}
    # So few rows leave some groups without a case, and some centroids without a node.
    told = ["cross_entropy", "kappa", "r2_mean", "explanation_gain", "rho_gain", "ece"]
    assert trials[told].notna().all(axis=None)


def test_without_an_explanation_a_trial_is_the_plain_network_of_its_seed(trials):
    plain = trials[trials["config/adj_weight"] == 0]
    assert len(plain) == 2
    assert (plain["cross_entropy"] == plain["plain_cross_entropy"]).all()
    assert (plain["explanation_gain"] <= 0).all()
    assert plain.groupby("config/seed")["theta_0_sha256"].nunique().eq(1).all()


def test_a_finished_sweep_is_found_right_and_its_data_come_out_again(storage):
    found = verify(storage, data=True)
    assert found.ok, found.lines()
    data = found.checks[-1]
    assert data.name == "data"
    assert numbers(data.summary) == [2], "of each, data and baseline"


def test_a_trial_trained_again_is_equal_to_the_last_bit(storage, trials):
    known = trials.loc[trials["config/adj_weight"] == 0.3, "trial_id"].iloc[0]
    again = replay(storage, known)
    assert again.equal, again.lines()
    assert again.model


def test_a_sweep_that_is_cut_and_resumed_in_another_order_gives_the_same_table(
    storage, trials, tmp_path
):
    for stop_after in (3, None):
        cut = tmp_path / "cut"
        run_locally(TINY_XNN, cut, overrides=ONE_SEED, stop_after=stop_after, shuffle_seed=2)
    again = analysis.load_trials(tmp_path / "cut")
    assert again.drop(columns="seconds").equals(trials.drop(columns="seconds"))


def test_a_preparation_with_other_clusters_holds_only_those_in_the_object_store(space):
    study = sweeps.plan(space).trials[0].study
    base_study, two = to_mapping(study.base_study()), to_mapping(study.shared_study())
    prepared = prepare_task._function
    base_facts, base = prepared("xnn", base_study, 0, "core", None)
    facts, own = prepared("xnn", two, 0, "core", None, base_facts, base)
    assert isinstance(base_facts, Facts)
    assert 0 < sum(a.nbytes for a in own.values()) < sum(a.nbytes for a in base.values()) / 20
    made = _arrays(_assembled("xnn", facts, base, own))
    whole = _arrays(experiment("xnn").trainer.prepare(study, seed=0))
    assert whole.keys() == made.keys()
    assert all(np.array_equal(a, made[k], equal_nan=True) for k, a in whole.items())


def test_a_plan_prepares_each_seed_once_and_its_clusters_upon_it(space):
    plan = sweeps.plan(space)
    assert numbers(lines(plan)[1])[:2] == [2, 4]
    bases = [t.study for k, t in plan.preparations.items() if plan.base(k) is None]
    held = sum(plan.experiment.cost.stored_bytes(study) for study in bases)
    assert held < estimate(plan, cpus=2).store < 1.2 * held


@pytest.mark.slow
def test_a_probe_of_the_experiment_foretells_its_hours(space):
    plan = sweeps.plan(space)
    told = estimate(plan, probe("xnn", (t.study for t in plan.trials)), cpus=2)
    assert told.cost.trial_hours > 0
    assert told.cost.preparation_hours > 0


def test_a_search_may_choose_among_listed_cluster_counts(space):
    learning = {
        "space.clusters": {"choice": [2, 3]},
        "space.adj_weight": {"uniform": [0.0, 1.0]},
        "search": {
            "algorithm": "nsga2",
            "num_samples": 4,
            "objectives": ["val_loss", "val_explanation_gain"],
        },
    }
    plan = sweeps.plan(space, overrides=learning)
    assert plan.objectives == {"val_loss": "min", "val_explanation_gain": "max"}
    with pytest.raises(
        SpaceError, match=r"space\.clusters: changes what is prepared .*as a choice"
    ):
        sweeps.plan(space, overrides={**learning, "space.clusters": {"randint": [2, 9]}})
    tested = {**learning["search"], "objectives": ["explanation_gain"]}
    with pytest.raises(
        SpaceError, match=r"'explanation_gain' is a test metric.*val_explanation_g"
    ):
        sweeps.plan(space, overrides={**learning, "search": tested})


@pytest.mark.parametrize("encoding", ["sound", "published"])
def test_a_sealed_network_answers_bit_equal_to_the_trained_one(encoding, tmp_path):
    storage, key = tmp_path / "out", Ed25519PrivateKey.generate()
    one = {"space.adj_weight.grid": [0.3], "space.clusters.grid": [2], "space.seed.grid": [0]}
    run_locally(TINY_XNN, storage, overrides={**one, "study.data.encoding": encoding})
    (known,) = analysis.load_trials(storage)["trial_id"]
    made = seal_trial(storage, known, key=key, folder=tmp_path / "bundle")
    assert made.architecture == "explained_classifier"
    assert len(made.facts["inputs"]) == made.sizes["widths"][0]
    assert not {"converged", "epochs_to_95pct"} & made.facts["trial"].keys()
    opened = unseal(tmp_path / "bundle", pinned=[key.public_key()], architectures=ARCHITECTURES)
    answer = Classifier.of(opened.tensors, opened.manifest.facts["encoding"])
    study = from_mapping(XnnStudy, json.loads((storage / "manifest.json").read_text())["study"])
    applicants = Applicants.of(study.data, seed=0)
    trained = load_file(storage / "models" / known / "xnn.safetensors")
    theta = {n: trained[n] for n in answer.theta}
    asked = probabilities(theta, torch.from_numpy(applicants.encoding.encode(applicants.table)))
    assert np.array_equal(answer(applicants.table), asked)


def test_the_manifest_has_the_baselines_of_every_seed(storage):
    manifest = json.loads((storage / "manifest.json").read_text())
    assert len(manifest["preparations"]) == 3
    assert {"scikit-learn", "scipy", "fairlearn"} < manifest["versions"].keys()
    assert {"xgboost", "xgboost-cpu"} & manifest["versions"].keys()
    for prepared in manifest["preparations"].values():
        assert prepared["data_sha256"]
        assert {"plain", "boosted", "boosted_offsets", "boosted_classes"} < {
            *prepared["baselines"]
        }


def test_only_axes_that_are_swept_are_shown(storage):
    trials = StoredSweep.read(storage).state.trials
    times = {"began": 0.0, "first_trial": 0.0}
    state = State(
        experiment=experiment("xnn"), trials=trials, total=4, running_ids=frozenset(), **times
    )
    headers = ["clusters", "adj_weight", "lr", "best validation loss", "epoch", "status", "trial"]
    assert [column.header for column in _best_table(state).columns] == headers
    few = {known: copy(trial) for known, trial in trials.items()}
    for trial in few.values():
        config = {name: v for name, v in trial.config.items() if name != "clusters"}
        trial.entry = replace(trial.entry, config=config)
    fewer = replace(state, trials=few)
    assert [column.header for column in _best_table(fewer).columns] == headers[1:]


@pytest.mark.ray
def test_a_table_that_is_not_there_is_one_line_before_any_trial(space, tmp_path, silent):
    with pytest.raises(SpaceError, match=r"data\.path: no file .*absent\.csv; give the path"):
        sweeps.run(
            space,
            storage=tmp_path / "out",
            overrides={"study.data.path": str(tmp_path / "absent.csv")},
            progress=silent,
        )
