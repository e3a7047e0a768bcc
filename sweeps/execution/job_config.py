"""Search path of the workers: that of any Python, without the current directory of the driver."""

from ray.job_config import JobConfig

from sweeps import origin


class Job(JobConfig):
    """A job whose workers import from where the driver did.

    Ray would put the driver's current directory first, and with it any file there that has the
    name of a module, be it of ours, of a library or of Python. On this machine a checkout takes
    that place; to a cluster the packages travel by themselves.
    """

    def __init__(self, *, local: bool) -> None:
        super().__init__(_py_driver_sys_path=origin.checkout() if local else [])

    def _runtime_env_has_working_dir(self) -> bool:
        return True  # all that Ray makes of it is to add nothing to the path
