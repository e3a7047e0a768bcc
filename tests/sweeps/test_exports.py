"""Exports to the formats of other tools hold what the storage holds."""

import base64
import hashlib
import json

import numpy as np
import optuna
import pandas as pd
import pytest
from click.testing import CliRunner
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hedged_paths import assert_positions_of
from local_sweep import run_locally
from spaces import TINY, TINY_XNN

import analysis
import sweeps
from analysis.csv_files import write_csv
from analysis.optuna_study import write_study
from sweeps.__main__ import cli
from sweeps.exports.onnx_model import export_onnx

ASHA = TINY.replace("scheduler: null", "scheduler: {asha: {grace_period: 1, reduction_factor: 2}}")
ONE_XNN = {"space.adj_weight.grid": [0.3], "space.clusters.grid": [3], "space.seed.grid": [0]}


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "out"
    run_locally(ASHA, folder)
    return folder


@pytest.fixture(scope="module")
def trial(storage):
    trials = analysis.load_trials(storage)
    return str(trials.loc[trials["status"].eq("completed"), "trial_id"].iloc[0])


def evaluator(file):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(onnx.load(file)), onnx.load(file)


def test_an_onnx_hedge_has_the_positions_of_the_model_on_paths(storage, trial, tmp_path):
    pytest.importorskip("onnxscript")
    assert export_onnx(storage, trial[:8], out=tmp_path / "hedge.onnx") < 1e-5
    run, model = evaluator(tmp_path / "hedge.onnx")
    hedge = sweeps.load_model(storage, trial)
    assert_positions_of(hedge, lambda rows: run.run(None, {"rows": rows})[0])
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["trial_id"] == trial
    assert b"site-packages" not in (tmp_path / "hedge.onnx").read_bytes()


def test_an_onnx_classifier_has_the_probabilities_of_the_model(tmp_path):
    pytest.importorskip("onnxscript")
    run_locally(TINY_XNN, tmp_path / "xnn", overrides=ONE_XNN)
    (one,) = analysis.load_trials(tmp_path / "xnn")["trial_id"]
    assert export_onnx(tmp_path / "xnn", one, out=tmp_path / "xnn.onnx") < 1e-5
    run, model = evaluator(tmp_path / "xnn.onnx")
    inputs = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    (shares,) = run.run(None, {"rows": np.zeros((7, inputs), dtype=np.float32)})
    np.testing.assert_allclose(shares.sum(axis=1), np.ones(7), rtol=1e-6)


def test_an_optuna_study_has_states_losses_and_curves(storage, tmp_path):
    trials, epochs = analysis.load_trials(storage), analysis.load_epochs(storage)
    assert write_study(storage, tmp_path / "study.db") == len(trials)
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{tmp_path / 'study.db'}")
    loaded = optuna.load_study(
        study_name=study.study_name, storage=f"sqlite:///{tmp_path / 'study.db'}"
    )
    states = {"completed": "COMPLETE", "stopped": "PRUNED"}
    for row, made in zip(trials.to_dict("records"), loaded.trials, strict=True):
        assert made.state.name == states[row["status"]]
        assert made.params["sparsity"] == row["config/sparsity"]
        assert made.user_attrs["trial_id"] == row["trial_id"]
        curve = epochs[epochs["trial_id"].eq(row["trial_id"])]
        assert made.intermediate_values == dict(
            zip(curve["epoch"], curve["val_loss"], strict=True)
        )
        if made.state.name == "COMPLETE":
            assert made.value == row["val_loss"]


def test_csv_files_have_the_rows_of_the_tables(storage, tmp_path):
    for path in write_csv(storage, tmp_path):
        frame = pd.read_csv(path)
        loaded = getattr(analysis, f"load_{path.stem}")(storage)
        assert list(frame.columns) == list(loaded.columns)
        np.testing.assert_allclose(frame["val_loss"], loaded["val_loss"], rtol=1e-9)


def invoked(*arguments):
    return CliRunner().invoke(cli, [str(one) for one in arguments])


@pytest.fixture
def signed(storage, trial, tmp_path):
    made = invoked("keys", "--out", tmp_path / "keys", "--for", "model-signing", "--unencrypted")
    assert made.exit_code == 0, made.output
    folder = tmp_path / "signed"
    private = tmp_path / "keys" / "private.pem"
    result = invoked("export", storage, trial, "--model-signing", folder, "--key", private)
    assert result.exit_code == 0, result.output
    return folder, load_pem_public_key((tmp_path / "keys" / "public.pem").read_bytes())


def test_a_signature_covers_the_digests_of_all_files(signed):
    folder, key = signed
    bundle = json.loads((folder / "model.sig").read_text())
    envelope = bundle["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    content = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    key.verify(signature, content, ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(signature, content + b" ", ECDSA(SHA256()))
    statement = json.loads(payload)
    digests = {one["name"]: one["digest"] for one in statement["predicate"]["resources"]}
    files = {path.name for path in folder.iterdir()} - {"model.sig"}
    assert digests.keys() == files
    for name, digest in digests.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    root = hashlib.sha256(b"".join(bytes.fromhex(digests[n]) for n in sorted(digests)))
    assert statement["subject"][0]["digest"]["sha256"] == root.hexdigest()


def wrong(storage, trial, tmp_path):
    (tmp_path / "there").write_text("mine")
    keys = tmp_path / "ed25519"
    invoked("keys", "--out", keys, "--unencrypted")
    new = tmp_path / "new"
    return {
        "nothing": [storage],
        "no trial": [storage, "--onnx", new],
        "no use for a trial": [storage, trial, "--csv", new],
        "no key": [storage, trial, "--model-signing", new],
        "another key": [storage, trial, "--model-signing", new, "--key", keys / "private.pem"],
        "a file of the user": [storage, trial, "--onnx", tmp_path / "there"],
        "no such trial": [storage, "zzzz", "--onnx", new],
    }


MISTAKES = (
    *("nothing", "no trial", "no use for a trial", "no key", "another key"),
    *("a file of the user", "no such trial"),
)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_and_nothing_is_written(mistake, storage, trial, tmp_path):
    result = invoked("export", *wrong(storage, trial, tmp_path)[mistake])
    assert isinstance(result.exception, sweeps.HedgesweepError)
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_an_existing_database_is_left_alone(storage, tmp_path):
    (tmp_path / "study.db").write_text("mine")
    with pytest.raises(analysis.AnalysisError, match="exists"):
        write_study(storage, tmp_path / "study.db")
    assert (tmp_path / "study.db").read_text() == "mine"
