from pathlib import Path

import pytest
from spaces import TINY

from sweeps import SilentProgress
from sweeps.environment import defaults, environment


@pytest.fixture
def tiny(tmp_path) -> Path:
    """A space of 8 trials that train in a second."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def silent() -> SilentProgress:
    return SilentProgress()


@pytest.fixture(scope="module")
def ray_here():
    """One Ray without tokens for the tests of a module."""
    import ray

    from sweeps.execution.authentication import authentication
    from sweeps.execution.ray_runtime import STARTING

    with environment(defaults(STARTING)), authentication(None, insecure=True):
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()
