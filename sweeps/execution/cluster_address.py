"""Address of a Ray cluster to join, checked for a response before Ray would wait for one."""

import os
import socket
import ssl

from ray._private import services

from sweeps.errors import UsageError
from sweeps.text import first_line

_TIMEOUT = 3.0  # seconds for a connection, and for each part of a response
# The preface of an HTTP/2 client and an empty settings frame.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS = 4  # type of the frame in a server's response


def joinable(address: str) -> str:
    """Host and port of the cluster at ``address``, which may be "auto".

    Raises:
        UsageError: no cluster responds there, or this machine is not one of its nodes.
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
        # Ray replaces a loopback address with that of the machine.
        other = f", which Ray takes for {endpoint}" if endpoint not in (None, address) else ""
        raise UsageError(
            f"no Ray cluster at {address!r}{other} ({first_line(error)}); start one with "
            "'ray start --head', or leave out --address"
        ) from error
    if not services.find_node_ids():
        raise UsageError(
            f"this machine is not a node of the cluster at {address!r}; start on one that is, or "
            f"make it one with 'ray start --address={address}'"
        )
    return str(endpoint)


def _greet(host: str, port: int) -> None:
    """Check that a gRPC server responds at ``host``.

    Raises:
        OSError: no response in time, or not that of a gRPC server.
    """
    with (
        socket.create_connection((host, port), timeout=_TIMEOUT) as plain,
        _encrypted(plain) as connection,
    ):
        connection.sendall(_GREETING)
        answer = connection.recv(9)  # the head of a frame: length, type, flags, stream
    if len(answer) < 4 or answer[3] != _SETTINGS:
        raise ConnectionError("the server there is not Ray")


def _encrypted(connection: socket.socket) -> socket.socket:
    """``connection`` under TLS with the certificates of Ray, if Ray is to use it.

    Raises:
        OSError: a variable is missing, or a certificate cannot be read or is refused.
    """
    if os.environ.get("RAY_USE_TLS", "0").lower() not in ("1", "true"):
        return connection
    certificate, key, authority = map(_tls_file, ("SERVER_CERT", "SERVER_KEY", "CA_CERT"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # Ray checks the address itself, when it connects
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    return context.wrap_socket(connection)


def _tls_file(name: str) -> str:
    path = os.environ.get(f"RAY_TLS_{name}")
    if not path:
        raise ConnectionError(f"RAY_USE_TLS needs RAY_TLS_{name} too")
    return path
