"""Import path of the workers, without the current directory of the driver."""

from ray.job_config import JobConfig

from sweeps import origin


class Job(JobConfig):
    """Ray job whose workers import this package from the same place as the driver.

    Ray puts the driver's current directory first, so that a file there can shadow a module of
    this project, of a library or of Python. Here a checkout replaces that directory; a cluster
    receives the packages as ``py_modules``.
    """

    def __init__(self, *, local: bool) -> None:
        super().__init__(_py_driver_sys_path=origin.checkout() if local else [])

    def _runtime_env_has_working_dir(self) -> bool:
        return True  # Ray then adds nothing to the path
