"""Ray job of a sweep: the import path of its workers, and the job that started its driver."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR as DESCRIPTION
from ray.job_config import JobConfig

from sweeps import origin
from sweeps.environment import environment

STORAGE = "hedgesweep_storage"
"""Key that a submitted sweep has in the metadata of its job; other jobs lack it."""


class Job(JobConfig):
    """Ray job whose workers import this package from the same place as the driver.

    Ray puts the driver's current directory first, so that a file there can shadow a module of
    this project, of a library or of Python. Here a checkout replaces that directory; a cluster
    receives the packages as ``py_modules``.
    """

    def __init__(self, *, local: bool) -> None:
        path = origin.checkout() if local else []
        super().__init__(_py_driver_sys_path=path, metadata=_submitted())

    def _runtime_env_has_working_dir(self) -> bool:
        return True  # Ray then adds nothing to the path


@contextmanager
def driver_environment() -> Iterator[None]:
    """Environment in which Ray does not give the driver's working directory to the workers.

    That of a submitted sweep may hold its data file, and the packages in it reach the workers as
    ``py_modules``.
    """
    with environment({DESCRIPTION: None}):
        if _submitted():
            del os.environ[DESCRIPTION]
        yield


def _submitted() -> dict[str, str]:
    """Metadata of the job that runs this process, if that is a submitted sweep; else empty."""
    metadata = json.loads(os.environ.get(DESCRIPTION, "{}")).get("metadata") or {}
    return metadata if STORAGE in metadata else {}
