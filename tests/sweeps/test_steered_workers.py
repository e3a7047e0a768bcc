"""A running sweep on Ray that is steered: its workers are killed, and all others go on."""

from threading import Thread

import pytest
from local_sweep import failing, run_locally, table_of_trials
from spaces import TINY

import sweeps
from sweeps import SilentProgress
from sweeps.inspection.verify import verify
from sweeps.journal.stored_sweep import StoredSweep

pytestmark = [
    pytest.mark.ray,
    # Ray and what it imports warn of their own future; nothing here can mend that.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# One trial that would train for minutes, and two short ones.
SPACE = {"space": {"training.epochs": {"grid": [100000, 3, 2]}, "seed": {"grid": [0]}}}
SPACE |= {"study.training.epochs": 3, "study.dense.epochs": 3}
SPACE |= {"study.training.patience": 100000, "study.training.lr": 1e-2}


class Steering(SilentProgress):
    """Steers from another thread once the long trial runs."""

    def __init__(self, storage):
        self.storage, self.thread, self.left = storage, None, []

    def steer(self, trial_id):
        # In this order: the stop of the last running trial ends the sweep.
        self.left.append(sweeps.enqueue(self.storage, {"training.epochs": 4}))
        self.left.append(sweeps.stop(self.storage, trial_id))

    def update(self, state):
        long = [i for i, t in state.trials.items() if t.config["training.epochs"] > 10]
        if self.thread is None and long and state.trials[long[0]].begun:
            self.thread = Thread(target=self.steer, args=long)
            self.thread.start()


@pytest.mark.slow
def test_a_running_trial_stops_at_once_and_a_further_one_is_trained(ray_here, tmp_path):
    file, storage = tmp_path / "tiny.yaml", tmp_path / "out"
    file.write_text(TINY)
    progress = Steering(storage)
    sweep = sweeps.run(file, overrides=SPACE, storage=storage, progress=progress, max_concurrent=2)
    progress.thread.join()
    assert [left.recorded for left in progress.left] == [True, True]
    ends = {t.config["training.epochs"]: t.ended for t in sweep.states.values()}
    assert ends == {100000: "stopped", 2: "completed", 3: "completed", 4: "completed"}
    assert StoredSweep.read(storage).state.workers_lost == set()
    assert verify(storage).ok


def test_failed_trials_start_again_with_the_recorded_space(ray_here, tmp_path, monkeypatch):
    storage, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    few = {"space.sparsity.grid": [0.8], "space.lr.grid": [1e-2]}
    run_locally(TINY, undisturbed, overrides=few)
    victim = min(table_of_trials(undisturbed))
    with monkeypatch.context() as patched:
        failing(patched, victim)
        run_locally(TINY, storage, overrides=few)
    assert table_of_trials(storage)[victim]["status"] == "failed"
    sweep = sweeps.retry(storage, progress=SilentProgress(), max_concurrent=1)
    assert sweep.counts == {"completed": 2}
    assert table_of_trials(storage) == table_of_trials(undisturbed)
    assert verify(storage).ok
