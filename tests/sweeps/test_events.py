"""Events of a storage and of its trials, as the command ``logs`` prints them."""

import pytest
from click.testing import CliRunner
from local_sweep import run_locally
from spaces import TINY

from sweeps.__main__ import cli
from sweeps.inspection.events import event_lines
from sweeps.journal.stored_sweep import StoredSweep

ASHA = TINY.replace("scheduler: null", "scheduler: {asha: {grace_period: 1, reduction_factor: 2}}")


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events") / "out"
    run_locally(ASHA, folder)
    return folder


def test_every_trial_has_its_entry_its_epochs_its_rungs_and_its_end(storage):
    trials = StoredSweep.read(storage).state.trials
    assert {trial.ended for trial in trials.values()} == {"completed", "stopped"}
    for trial_id, trial in trials.items():
        text = "\n".join(map(str, event_lines(storage, trial_id[:8])))
        assert "entered, at most 3 epochs" in text
        assert "training starts from theta_0" in text
        assert f"{trial.ended}" in text
        others = [other[:8] for other in trials if other != trial_id]
        assert not any(other in text for other in others)


def test_all_events_name_their_trials_and_the_last_are_the_end(storage):
    lines = [str(line) for line in event_lines(storage)]
    assert all(
        any(i[:8] in line for line in lines) for i in StoredSweep.read(storage).state.trials
    )
    result = CliRunner().invoke(cli, ["logs", str(storage), "--last", "3"])
    assert result.output.splitlines() == lines[-3:]
    assert "driver end" in lines[-1]


def test_an_unknown_trial_and_an_unknown_storage_are_usage_errors(storage, tmp_path):
    for arguments in ([str(storage), "zz"], [str(tmp_path / "nothing")]):
        result = CliRunner().invoke(cli, ["logs", *arguments])
        assert type(result.exception).__name__ == "UsageError"
