"""State of the user's process that imports and sweeps leave unchanged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spaces import TINY

ROOT = Path(__file__).resolve().parents[2]
# Other packages are imported first: what they set is not ours. Nothing of theirs is patched.
WATCHED = """
import json, logging, os, signal, sys, tempfile, warnings
import fairlearn.metrics, matplotlib, numpy, optuna, pandas, pyarrow, rich.live, scipy.stats
import sklearn.cluster, torch, xgboost

def state():
    return {
        "environment": dict(os.environ),
        "optuna": optuna.logging.get_verbosity(),
        "matplotlib": {**matplotlib.rcParams, "backend": None}.__repr__(),
        "warnings": [repr(filter) for filter in warnings.filters],
        "signals": {number: repr(signal.getsignal(number)) for number in signal.valid_signals()},
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "logging": [logging.root.level, repr(logging.root.handlers)],
        "directory": os.getcwd(),
    }
"""


def unchanged(code: str, folder: Path) -> list[str]:
    """Names of the state of a process that ``code`` changes."""
    script = (
        f"{WATCHED}\nbefore = state()\n{code}\nafter = state()\n"
        "print(json.dumps([name for name in before if before[name] != after[name]]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    changed: list[str] = json.loads(done.stdout.splitlines()[-1])
    return changed


def test_importing_the_packages_changes_nothing_else(tmp_path):
    code = (
        "import analysis, analysis.report, hedgecore, search_spaces, sweeps\n"
        "import sweeps.scheduling.optuna_search, sweeps.monitoring.status\n"
        "sweeps.run, sweeps.plan, sweeps.Sweep\n"
        "assert 'ray' not in sys.modules"
    )
    assert unchanged(code, tmp_path) == []


SWEEP = """
import ray, ray.tune, sweeps
before = state()
sweep = sweeps.run("tiny.yaml", storage="out", max_concurrent=2, progress=sweeps.SilentProgress())
assert sweep.counts == {"completed": 2}, sweep.counts
assert not ray.is_initialized()
"""


@pytest.mark.ray
@pytest.mark.slow
def test_a_sweep_leaves_the_process_as_it_was_although_ray_was_imported_before(tmp_path):
    text = TINY.replace("sparsity: {grid: [0.0, 0.8]}", "sparsity: {uniform: [0.0, 0.9]}")
    text = text.replace("lr: {grid: [1.0e-2, 3.0e-3]}", "lr: {grid: [1.0e-2]}")
    text = text.replace("epsilon: {grid: [0.0, 0.2]}", "epsilon: {grid: [0.0]}")
    (tmp_path / "tiny.yaml").write_text(text + "search: {algorithm: tpe, num_samples: 2}\n")
    assert unchanged(SWEEP, tmp_path) == []


@pytest.mark.ray
def test_workers_of_a_sweep_have_the_priority_of_whoever_started_it(tmp_path, monkeypatch):

    import ray

    from search_spaces import Resources
    from sweeps.execution.ray_runtime import runtime

    monkeypatch.delenv("RAY_worker_niceness", raising=False)
    with runtime(None, Resources()):
        niceness = ray.remote(lambda: os.getpriority(os.PRIO_PROCESS, 0))
        assert ray.get(niceness.remote()) == os.getpriority(os.PRIO_PROCESS, 0)
    assert "RAY_worker_niceness" not in os.environ
