"""Ray runtime of a sweep: the caller's, that of a cluster, or a new one."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import ray
from ray._private import ray_constants
from ray._private.resource_and_label_spec import ResourceAndLabelSpec

from search_spaces import Resources
from sweeps.environment import defaults, environment
from sweeps.errors import SweepError, UsageError
from sweeps.execution.authentication import authentication
from sweeps.execution.cluster_address import joinable
from sweeps.execution.job_config import Job, driver_environment
from sweeps.execution.liveness import SAFE, watched
from sweeps.execution.ray_messages import messages_in_file
from sweeps.execution.session_folder import INNER_FOLDER, session_folder
from sweeps.exits import message_if_aborted
from sweeps.origin import ROOT
from sweeps.signals import handler_restored
from sweeps.text import first_line

_ABORTED = f"error: Ray has ended this process, or it was killed; {SAFE}"
# Read by Ray's processes when they start and not on import, so a Ray that the user has imported or
# configured before is unaffected. Workers run at the priority of the driver.
STARTING = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
# No processes in advance: Tune gives its actors an environment, for which Ray starts others.
_ON_DEMAND = {"RAY_prestart_worker_first_driver": "0"}
# Ray waits at its end to flush events for a dashboard, which a sweep does not start.
_PACE = {"RAY_task_events_shutdown_flush_timeout_ms": "500"}
# Attempts, of a second each, to connect to a cluster that has responded.
_JOINING = {"RAY_gcs_server_port_wait_time_s": "2"}


@contextmanager
def runtime(
    address: str | None, resources: Resources, *, insecure: bool = False
) -> Iterator[None]:
    """A running Ray with room for a trial of ``resources``.

    Raises:
        UsageError: no cluster responds at ``address``, this machine is too small for one trial,
            Ray cannot write its files, or authentication is off and not ``insecure``.
        SweepError: Ray has died.
    """
    if ray.is_initialized():
        _fits(resources, ray.cluster_resources())
        with message_if_aborted(_ABORTED), watched():
            yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    options["job_config"] = Job(local=address is None)
    with ExitStack() as closing:
        if address is None:  # a cluster may still grow
            _fits(resources, ResourceAndLabelSpec().resolve(is_head=True).to_resource_dict())
            folder = closing.enter_context(session_folder())
            closing.enter_context(message_if_aborted(_ABORTED, folder))
            options |= {
                "address": "local",
                "include_dashboard": False,
                "_temp_dir": f"{folder}/{INNER_FOLDER}",
                "_node_ip_address": "127.0.0.1",
            }
        else:
            messages = closing.enter_context(messages_in_file())
            aborted = f"{_ABORTED}; Ray's messages are in {messages}"
            closing.enter_context(message_if_aborted(aborted))
            options["address"] = joinable(address)
            options["runtime_env"] = {"py_modules": _packages()}
        variables = defaults(STARTING) | _PACE | (_ON_DEMAND if address is None else _JOINING)
        # Ray sets PYTHONBREAKPOINT for its own debugger.
        closing.enter_context(environment({**variables, "PYTHONBREAKPOINT": None}))
        closing.enter_context(driver_environment())
        closing.enter_context(authentication(address, insecure=insecure))
        closing.callback(ray.shutdown)
        # Ray replaces the handler with a silent one.
        with handler_restored(signal.SIGTERM), watched(starting=True):
            _start(address, options)
        closing.enter_context(watched())
        yield


def _start(address: str | None, options: Mapping[str, Any]) -> None:
    """Start or join Ray.

    Raises:
        UsageError: the environment or the address must be changed.
        SweepError: it failed for another reason.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    # Otherwise Ray replaces a loopback address and opens every port to the network.
    ray_constants.ENABLE_RAY_CLUSTER = before and address is not None
    try:
        ray.init(**options)
    except OSError as error:
        if error.filename is None:
            raise _failure(address, error) from error
        raise UsageError(
            f"Ray could not start: {error.filename} cannot be written ({error.strerror}); "
            "set HOME and RAY_TMPDIR to folders that can"
        ) from error
    except Exception as error:  # Ray raises a bare Exception if its processes die meanwhile
        raise _failure(address, error) from error
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _failure(address: str | None, error: BaseException) -> UsageError | SweepError:
    """``error`` of ``ray.init`` as one of this project, with the cure."""
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    messages = "\n".join(map(str, causes))
    first = first_line(error)
    if address is None:
        return SweepError(f"Ray could not start on this machine ({first}); try it again")
    if "AuthToken" in messages or "authentication token" in messages:
        return UsageError(
            f"the cluster at {address!r} takes another token, or none; copy that of its head node "
            "to ~/.ray/auth_token, or join a cluster without tokens with --insecure"
        )
    if "ersion mismatch" in messages:
        return UsageError(
            f"the cluster at {address!r} runs other versions of Ray or Python ({first}); install "
            "the same on all its nodes"
        )
    return UsageError(
        f"no Ray cluster at {address!r} ({first}); start one with 'ray start --head', "
        "or leave out --address"
    )


def _fits(resources: Resources, available: Mapping[str, float]) -> None:
    """Refuse requests that exceed ``available``, for which Ray would wait forever."""
    for name, requested in (("CPU", resources.cpu), ("GPU", resources.gpu)):
        if requested > (amount := available.get(name, 0.0)):
            raise UsageError(
                f"a trial asks for {requested:g} {name}, and Ray has {amount:g} here; "
                f"lower resources.{name.lower()}, or join a larger cluster with --address"
            )


def _packages() -> list[str]:
    """Folders of the packages that workers of a cluster need."""
    return [str(ROOT / name) for name in ("hedgecore", "search_spaces", "sweeps")]
