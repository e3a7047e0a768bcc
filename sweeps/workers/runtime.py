"""The Ray runtime of a sweep: the caller's, a cluster's, or one of its own."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from search_spaces import Resources
from sweeps.errors import UsageError
from sweeps.workers.job import Job


@contextmanager
def runtime(address: str | None, resources: Resources) -> Iterator[None]:
    """A running Ray in which a trial of ``resources`` finds room.

    Raises:
        UsageError: nothing answers at ``address``, this machine is too small for one trial, or
            Ray finds no place for its own files.
    """
    if ray.is_initialized():
        _fits(resources)
        yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    options["job_config"] = Job(local=address is None)
    if address is None:
        options["include_dashboard"] = False
    else:
        options["runtime_env"] = {"py_modules": _packages()}
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address or "local", **options)
    except (ConnectionError, ValueError) as error:
        if address is None:
            raise
        raise UsageError(
            f"no Ray cluster at {address!r}; start one with 'ray start --head', "
            "or leave out --address"
        ) from error
    except OSError as error:
        raise UsageError(
            f"Ray could not start: {error.filename} cannot be written ({error.strerror}); "
            "set HOME and RAY_TMPDIR to folders that can"
        ) from error
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray sets one of its own, which says nothing
        if address is None:  # a cluster may still grow
            _fits(resources)
        yield
    finally:
        ray.shutdown()


def _fits(resources: Resources) -> None:
    """Ray would wait for ever, in silence, for what it does not have."""
    there = ray.cluster_resources()
    for name, wanted in (("CPU", resources.cpu), ("GPU", resources.gpu)):
        if wanted > (found := there.get(name, 0.0)):
            raise UsageError(
                f"a trial asks for {wanted:g} {name}, and Ray has {found:g} here; "
                f"lower resources.{name.lower()}, or join a larger cluster with --address"
            )


def _packages() -> list[str]:
    """The code of a sweep, which travels to the workers of a cluster."""
    root = Path(__file__).resolve().parent.parent.parent
    return [str(root / name) for name in ("hedgecore", "search_spaces", "sweeps")]
