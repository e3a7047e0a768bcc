"""Commands that need a completed trial name one, or the command that yields one."""

import re
import shlex

import pytest
from local_sweep import run_locally
from spaces import TINY

from sweeps.journal.stored_sweep import StoredSweep

pytestmark = pytest.mark.usefixtures("quick_card")

FEW = {"space.sparsity.grid": [0.5], "space.epsilon.grid": [0.0]}
DIVERGENT = 1e15
COMMANDS = ("onnx", "seal", "export-model", "evaluate")


@pytest.fixture(scope="module")
def storages(tmp_path_factory):
    """Some trials completed; all failed; and none begun."""
    folder = tmp_path_factory.mktemp("a folder")
    rates = {"some": [DIVERGENT, 1e-2], "failed": [DIVERGENT], "unbegun": [1e-2]}
    for name, lr in rates.items():
        stop = 0 if name == "unbegun" else None
        run_locally(TINY, folder / name, overrides={**FEW, "space.lr.grid": lr}, stop_after=stop)
    return folder


@pytest.fixture
def arguments(typed, tmp_path):
    assert typed("keys", "--out", tmp_path / "keys", "--unencrypted")[0] == 0

    def of(name, storage, trial_id):
        new, private = tmp_path / "new", tmp_path / "keys" / "private.pem"
        return {
            "onnx": ["export", storage, trial_id, "--onnx", new],
            "seal": ["seal", storage, trial_id, "--key", private, "--out", new],
            "export-model": ["export-model", storage, trial_id, "--out", new],
            "evaluate": ["evaluate", storage, "--set", "study.evaluation.path_noise=[0.2]"],
        }[name]

    return of


def without_model(storage):
    trials = StoredSweep.read(storage).state.trials
    return next(i for i, trial in trials.items() if trial.ended != "completed")


@pytest.mark.parametrize("name", set(COMMANDS) - {"evaluate"})
def test_where_trials_completed_the_id_in_the_message_works(name, storages, arguments, typed):
    storage = storages / "some"
    status, text = typed(*arguments(name, storage, without_model(storage)))
    assert status == 2
    trial_id = re.search(r"such as (\w+)", text)[1]
    if name == "onnx":
        pytest.importorskip("onnxscript")
    assert typed(*arguments(name, storage, trial_id))[0] == 0


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("kind", ["failed", "unbegun"])
def test_where_none_completed_the_message_names_the_command_that_starts_them(
    name, kind, storages, arguments, typed
):
    storage = storages / kind
    status, text = typed(*arguments(name, storage, without_model(storage)))
    assert status == 2
    (line,) = text.splitlines()
    if kind == "failed":
        command = shlex.split(line[line.index("hedgesweep ") :])
        assert command == ["hedgesweep", "retry", str(storage)]
    else:
        assert "same hedgesweep run command" in line


def test_the_next_command_after_sealing_verifies_the_bundle(storages, arguments, typed):
    storage = storages / "some"
    trials = StoredSweep.read(storage).state.trials
    completed = next(i for i, trial in trials.items() if trial.ended == "completed")
    status, text = typed(*arguments("seal", storage, completed))
    assert status == 0
    command = shlex.split(text[text.index("hedgesweep ") :])
    assert typed(*command[1:])[0] == 0
