"""Lines of our code that run more than twice as often in a sweep that is twice as large."""

import sys
from collections import Counter
from pathlib import Path

import faked_sweep
import pytest
from spaces import TINY

import sweeps
from sweeps.inspection.verify import verify
from sweeps.journal import lock_holder
from sweeps.monitoring.status import status
from sweeps.scheduling.ledger import Ledger
from sweeps.scheduling.trials import TrialQueue

OURS = tuple(
    str(Path(package.__file__).parent)
    for package in (sweeps, sys.modules["search_spaces"], sys.modules["hedgecore"])
)
SPACE = (
    TINY.replace("sparsity: {grid: [0.0, 0.8]}", "sparsity: {uniform: [0.0, 0.9]}")
    .replace("lr: {grid: [1.0e-2, 3.0e-3]}", "lr: {uniform: [0.01, 1.0]}")
    .replace("epsilon: {grid: [0.0, 0.2]}", "epsilon: {grid: [0.0]}")
    .replace(
        "scheduler: null",
        "scheduler: {asha: {grace_period: 1, reduction_factor: 2, block: 4, lag: 4}}",
    )
)


def lines(action):
    """How often each line of our code runs in ``action``, each time round a loop counted.

    Who holds a lock is read from a list of all locks of the machine, as long as others make it.
    """
    counts = Counter()

    def line(frame, event, _):
        if event == "line":
            counts[frame.f_code.co_filename, frame.f_lineno] += 1
        return line

    def call(frame, *_):
        name = frame.f_code.co_filename
        return line if name.startswith(OURS) and name != lock_holder.__file__ else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        action()
    finally:
        sys.settrace(before)
    return counts


@pytest.fixture
def steep(tmp_path, monkeypatch):
    # Snapshots come by the clock, and only the last one here.
    monkeypatch.setitem(Ledger.__init__.__kwdefaults__, "clock", lambda: 0.0)

    def counted(algorithm, trials):
        space, storage = tmp_path / f"{trials}.yaml", tmp_path / str(trials)
        space.write_text(f"{SPACE}search: {{algorithm: {algorithm}, num_samples: {trials}}}\n")

        def swept():
            faked_sweep.run(space, storage, lambda config, epoch: config["lr"] + 1 / epoch)

        return {
            "the plan": lines(lambda: sweeps.plan(space)),
            "the sweep": lines(swept),
            "the same again": lines(swept),
            "its status": lines(lambda: status(storage)),
            "its verification": lines(lambda: verify(storage)),
        }

    def steep(algorithm):
        """Lines that grow faster than the sweep does, by what was done."""
        few, many = counted(algorithm, TRIALS), counted(algorithm, 2 * TRIALS)
        return {
            part: found
            for part in few
            if (
                found := [n for n, c in many[part].items() if c > max(LIMIT * few[part][n], LEAST)]
            )
        }

    return steep


TRIALS = 40
# Twice as often is linear, four times quadratic; what begins after a few trials lies between.
LIMIT, LEAST = 3.2, 2 * TRIALS


@pytest.mark.parametrize(
    "algorithm",
    [pytest.param(n, marks=pytest.mark.slow) for n in ("random", "tpe", "nsga2")],
)
def test_no_line_runs_more_often_a_trial_in_a_larger_sweep(steep, algorithm):
    assert steep(algorithm) == {}


@pytest.mark.slow
def test_a_look_at_every_trial_for_each_would_be_noticed(steep, monkeypatch):
    """The control."""
    spec = TrialQueue.spec
    monkeypatch.setattr(
        TrialQueue, "spec", lambda self, known: self.unfinished and spec(self, known)
    )
    assert [*steep("random")] == ["the sweep"]
