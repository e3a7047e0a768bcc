"""A Ray cluster that is to be joined: found, and asked for an answer, before Ray waits for one."""

import socket

from ray._private import services

from sweeps.errors import UsageError
from sweeps.text import first_line

_TIMEOUT = 3.0  # seconds for a connection, and for each part of an answer
# What a client of HTTP/2 begins with: its preface, and settings that change nothing.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS = 4  # the type of the frame that a server answers with


def joinable(address: str) -> str:
    """Host and port of the cluster at ``address``, which may be "auto".

    Raises:
        UsageError: nobody answers there, or this machine is none of its nodes.
    """
    if "://" in address:
        client = address.startswith("ray://")
        kind = "an address of Ray Client, through which" if client else "a URL, by which"
        raise UsageError(
            f"{address!r} is {kind} no sweep can run; start on a node of the cluster, with "
            "--address auto"
        )
    endpoint = None
    try:
        endpoint = services.canonicalize_bootstrap_address(address)
        if endpoint is None:
            raise ConnectionError("none runs on this machine")
        host, _, port = endpoint.rpartition(":")
        _greet(host.strip("[]"), int(port))
    except (OSError, ValueError, OverflowError) as error:
        # Of a loopback address Ray makes that of the machine.
        other = f", which Ray takes for {endpoint}" if endpoint not in (None, address) else ""
        raise UsageError(
            f"no Ray cluster at {address!r}{other} ({first_line(error)}); start one with "
            "'ray start --head', or leave out --address"
        ) from error
    if not services.find_node_ids():
        raise UsageError(
            f"this machine is no node of the cluster at {address!r}; start on one that is, or "
            f"make it one with 'ray start --address={address}'"
        )
    return str(endpoint)


def _greet(host: str, port: int) -> None:
    """Hear from a server of gRPC at ``host``; anything else is as good as nobody.

    Raises:
        OSError: nobody answers in time, or not as such a server does.
    """
    with socket.create_connection((host, port), timeout=_TIMEOUT) as connection:
        connection.sendall(_GREETING)
        answer = connection.recv(9)  # the head of a frame: length, type, flags, stream
    if len(answer) < 4 or answer[3] != _SETTINGS:
        raise ConnectionError("what answers there is no Ray")
