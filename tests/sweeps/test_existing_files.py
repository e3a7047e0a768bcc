"""Commands that write leave a file of the user as it is, and name a cure that works."""

import re
import sys

import pytest
from local_sweep import run_locally
from spaces import TINY

from sweeps.__main__ import main
from sweeps.journal.stored_sweep import StoredSweep

pytestmark = pytest.mark.usefixtures("quick_card")

MINE = b"mine"
NOISE = "study.evaluation.path_noise=[0.2]"
ONE = {"space.sparsity.grid": [0.5], "space.epsilon.grid": [0.0], "space.lr.grid": [1e-2]}
WRITING = {
    "csv": ["export", "STORAGE", "--csv", "OUT"],
    "optuna": ["export", "STORAGE", "--optuna", "OUT"],
    "tensorboard": ["export", "STORAGE", "--tensorboard", "OUT"],
    "onnx": ["export", "STORAGE", "TRIAL", "--onnx", "OUT"],
    "model-signing": ["export", "STORAGE", "TRIAL", "--model-signing", "OUT", "--key", "P256"],
    "export-model": ["export-model", "STORAGE", "TRIAL", "--out", "OUT"],
    "seal": ["seal", "STORAGE", "TRIAL", "--key", "ED25519", "--out", "OUT"],
    "evaluate": ["evaluate", "STORAGE", "--set", NOISE, "--out", "OUT"],
    "keys": ["keys", "--unencrypted", "--out", "OUT"],
}


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files") / "out"
    run_locally(TINY, folder, overrides=ONE)
    return folder


@pytest.fixture(name="typed")
def _typed(monkeypatch, capfd):
    """Types a command; its status and text, with that of the process of the analysis."""

    def type_words(*words):
        monkeypatch.setattr(sys, "argv", ["hedgesweep", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        return status, "".join(capfd.readouterr())

    return type_words


@pytest.fixture
def run(typed, storage, tmp_path):
    """Runs a command of words, of which those in capitals are replaced."""
    words = {"STORAGE": storage, "TRIAL": next(iter(StoredSweep.read(storage).state.trials))}
    for word, purpose in {
        "ED25519": "signing",
        "P256": "model-signing",
        "X25519": "receiving",
    }.items():
        keys = tmp_path / f"keys {word}"
        assert typed("keys", "--unencrypted", "--for", purpose, "--out", keys)[0] == 0
        words[word] = keys / "private.pem"
    return lambda command, **more: typed(*({**words, **more}.get(word, word) for word in command))


@pytest.mark.parametrize("name", WRITING)
def test_a_file_of_the_user_is_never_replaced(name, run, tmp_path):
    if name == "onnx":
        pytest.importorskip("onnxscript")
    (tmp_path / "file").write_bytes(MINE)
    status, text = run(WRITING[name], OUT=tmp_path / "file")
    assert status in (1, 2)
    assert (tmp_path / "file").read_bytes() == MINE
    (line,) = text.strip().splitlines()
    assert line.startswith("error: ")
    assert "give another" in line or "give a new" in line
    assert run(WRITING[name], OUT=tmp_path / "new")[0] == 0


def test_a_table_of_the_sweep_is_never_replaced_by_an_evaluation(run, storage, tmp_path):
    before = (storage / "trials.parquet").read_bytes()
    assert run(WRITING["evaluate"], OUT=storage / "trials.parquet")[0] == 2
    assert (storage / "trials.parquet").read_bytes() == before
    status, text = run(WRITING["evaluate"], OUT=tmp_path / "absent" / "table.parquet")
    assert (status, "is no folder" in text) == (2, True)


@pytest.mark.parametrize("key", ["ED25519", "P256", "X25519"])
@pytest.mark.parametrize("name", ["model-signing", "seal"])
def test_the_message_on_a_key_of_another_kind_names_the_command_that_makes_one(
    name, key, run, typed, tmp_path
):
    command = ["P256" if word == "ED25519" else word for word in WRITING[name]]
    status, text = run(
        command, P256=tmp_path / f"keys {key}" / "private.pem", OUT=tmp_path / "new"
    )
    if key == {"model-signing": "P256", "seal": "ED25519"}[name]:
        assert status == 0
        return
    options = re.search(r"make one with hedgesweep (keys.*)", text)[1].split()
    made = tmp_path / "made"
    assert typed(*options, "--unencrypted", "--out", made)[0] == 0
    assert run(command, P256=made / "private.pem", OUT=tmp_path / "new")[0] == 0
