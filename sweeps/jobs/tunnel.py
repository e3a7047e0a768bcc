"""Tunnel to the dashboard on the head of a cluster that ``ray up`` started."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ray._private.utils import psutil  # a copy of its own

from sweeps import origin
from sweeps.errors import UsageError
from sweeps.trace_file import trace_file

REMOTE_PORT = 8265
_PATIENCE = 60.0  # seconds; a cloud is asked for the head's address, then SSH connects
_PAUSE = 0.1
_LISTENING = "0A"  # state of a socket in /proc/net/tcp
_ENVIRONMENT = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}


class TunnelError(UsageError):
    """There is no tunnel to the head."""


@contextmanager
def tunnel(cluster: Path) -> Iterator[int]:
    """Port of this machine that leads to the dashboard on the head of ``cluster``.

    Raises:
        TunnelError: the cluster is not up, or another user took the port.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    output = trace_file()
    variables = {**os.environ, **_ENVIRONMENT}
    with open(output, "w") as stream:
        process = subprocess.Popen(
            _command(cluster, port),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=variables,
        )
    path_in_error = False
    try:
        _wait(process, port, cluster=cluster, output=output)
        yield port
    except TunnelError:
        path_in_error = True
        raise
    finally:
        _end(process)
        if not path_in_error:
            os.unlink(output)


def check_owner(port: int) -> None:
    """Check that a tunnel still listens, once connected: its port may be another user's since.

    Raises:
        TunnelError: nobody listens at ``port``, or another user.
    """
    owner = _listener(port)
    if owner is None:
        raise TunnelError(f"the tunnel at port {port} of this machine has ended; try again")
    _check(owner, port)


def _command(cluster: Path, port: int) -> list[str]:
    """Command that forwards ``port`` of this machine to the dashboard until it is ended."""
    ports = ["--port", str(port), "--remote-port", str(REMOTE_PORT)]
    return [*origin.PYTHON, "-m", "ray.scripts.scripts", "dashboard", str(cluster), *ports]


def _wait(process: subprocess.Popen[bytes], port: int, *, cluster: Path, output: str) -> None:
    """Wait until the tunnel listens; nothing is sent before, since it would carry the token."""
    deadline = time.monotonic() + _PATIENCE
    while (owner := _listener(port)) is None:
        if process.poll() is not None:
            raise TunnelError(
                f"no tunnel to the head of {cluster}: the cluster is not up, or refuses SSH; run "
                f"'ray up {cluster}' (the output of 'ray dashboard' is in {output})"
            )
        if time.monotonic() > deadline:
            raise TunnelError(
                f"no tunnel to the head of {cluster} within {_PATIENCE:.0f} s; check that its SSH "
                f"answers (the output of 'ray dashboard' is in {output})"
            )
        time.sleep(_PAUSE)
    _check(owner, port)


def _check(owner: int, port: int) -> None:
    if owner != os.geteuid():
        raise TunnelError(
            f"port {port} of this machine was taken by user {owner}, who would receive the "
            "token of the cluster; try again"
        )


def _listener(port: int) -> int | None:
    """User who listens at ``port`` of 127.0.0.1; None if nobody does.

    Where the kernel does not show the owner, a listener counts as this user's.
    """
    try:
        rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    except OSError:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return os.geteuid()
        return None
    places = (f"0100007F:{port:04X}", f"00000000:{port:04X}")
    for fields in map(str.split, rows):
        if fields[1] in places and fields[3] == _LISTENING:
            return int(fields[7])
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the tunnel with the SSH client that it started."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        children = []
    for child in children:
        with suppress(psutil.Error):
            child.terminate()
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
