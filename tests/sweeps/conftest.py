from pathlib import Path

import pytest

from sweeps.progress import Silent

TINY = """\
experiment: tickets
space:
  sparsity: {grid: [0.0, 0.8]}
  lr: {grid: [1.0e-2, 3.0e-3]}
  epsilon: {grid: [0.0, 0.2]}
  seed: {grid: [0]}
study:
  market: {train_paths: 512, val_paths: 512, test_paths: 512, steps: 6}
  network: {hidden: [8, 8]}
  training: {epochs: 3, batch_size: 128}
  dense: {lr: 1.0e-2}
  attack: {name: fgsm}
  evaluation: {attack: fgsm, epsilons: [0.2]}
scheduler: null
"""


@pytest.fixture
def tiny(tmp_path) -> Path:
    """A space of 8 trials that train in a second."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def silent() -> Silent:
    return Silent()


@pytest.fixture(scope="module")
def ray_here():
    """One Ray for the tests of a module."""
    import ray

    import sweeps  # noqa: F401 (sets Ray's environment before Ray is imported)

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()
