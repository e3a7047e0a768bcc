"""Connection to the dashboard of a cluster, opened again when it breaks."""

import ipaddress
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import ray
from ray._private.authentication.http_token_authentication import (
    get_auth_headers_if_auth_enabled,
)

from sweeps.errors import SweepError, UsageError
from sweeps.execution.authentication import authentication
from sweeps.jobs.dashboard import Dashboard, ServerError, UnreachableError, failure
from sweeps.jobs.tunnel import REMOTE_PORT, TunnelError, check_owner, tunnel
from sweeps.text import echo, first_line

Answer = TypeVar("Answer")

_FIRST_PAUSES = (0.5, 1.0, 2.0)
"""Seconds between attempts on a new connection, whose tunnel may listen too early."""
_PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds between attempts on a connection that broke."""


class Connection:
    """The dashboard of a ``cluster``: a file of ``ray up``, or a URL; see :func:`connected`."""

    def __init__(self, cluster: str, *, insecure: bool) -> None:
        self.cluster = cluster
        self._url = _url(cluster) if "://" in cluster else None
        if self._url is None and not os.path.isfile(cluster):
            raise UsageError(
                f"no such cluster file {cluster}; give the file of 'ray up', or the URL of a "
                "dashboard, such as http://127.0.0.1:8265"
            )
        self._headers = _headers(cluster, insecure=insecure)
        self._tunnel = ExitStack()
        self._dashboard: Dashboard | None = None

    def open(self) -> None:
        """Connect, and check the head.

        Raises:
            UsageError: there is no cluster, it refuses the token, has no Job API, or another Ray.
        """
        dashboard = self._connect()
        for pause in (*_FIRST_PAUSES, None):
            try:
                version = dashboard.version()
                break
            except UnreachableError as error:
                if pause is None or (self._url is not None and not error.listening):
                    raise self._no_dashboard(error) from error
                time.sleep(pause)
            except ServerError as error:
                raise failure(self.cluster, error) from error
        if version != ray.__version__:
            raise UsageError(
                f"the head of {self.cluster} runs Ray {version}, and this installation has "
                f"{ray.__version__}; install the same on both"
            )

    def ask(self, request: Callable[[Dashboard], Answer]) -> Answer:
        """Answer to a ``request`` that may be repeated, on a new connection if this one breaks.

        Raises:
            SweepError: no answer after several attempts.
            UsageError: the request fails, or the token is refused.
        """
        for pause in (*_PAUSES, None):
            try:
                return request(self._dashboard or self._connect())
            except (UnreachableError, TunnelError) as error:
                if pause is None:
                    raise SweepError(
                        f"{self.cluster} does not answer any more ({first_line(error)}); its job "
                        "continues if the head runs"
                    ) from error
                self.close()
            except ServerError as error:
                if pause is None or not error.temporary:
                    raise failure(self.cluster, error) from error
            time.sleep(pause)
        raise AssertionError

    def once(self, request: Callable[[Dashboard], Answer]) -> Answer:
        """Answer to a ``request`` that must not be repeated.

        Raises:
            UnreachableError: there is none, and the request may have taken effect.
            UsageError: it fails.
        """
        try:
            return request(self._dashboard or self._connect())
        except ServerError as error:
            raise failure(self.cluster, error) from error

    def close(self) -> None:
        """End the tunnel; harmless when repeated."""
        self._dashboard = None
        self._tunnel.close()

    def _connect(self) -> Dashboard:
        arguments: dict[str, Any] = {"name": self.cluster, "headers": self._headers}
        url = self._url
        if url is None:
            port = self._tunnel.enter_context(tunnel(Path(self.cluster)))
            url = f"http://127.0.0.1:{port}"
            arguments["check"] = partial(check_owner, port)
        self._dashboard = Dashboard(url, **arguments)
        return self._dashboard

    def _no_dashboard(self, error: UnreachableError) -> UsageError:
        if self._url is not None:
            return UsageError(
                f"no dashboard of Ray answers at {self.cluster} ({error}); open the tunnel to it, "
                "such as 'ray dashboard CLUSTER.yaml', or 'kubectl port-forward'"
            )
        return UsageError(
            f"nothing answers at port {REMOTE_PORT} of the head of {self.cluster} ({error}); "
            "install 'ray[default]' there, which has the Job API, and run "
            f"'ray up {self.cluster}'"
        )


@contextmanager
def connected(cluster: str, *, insecure: bool = False) -> Iterator[Connection]:
    """Open connection to the dashboard of ``cluster``.

    Args:
        cluster: a file of ``ray up``, whose head is reached by SSH, or the URL of a dashboard:
            on this machine, as of a tunnel, or https, since every request carries the token.
        insecure: send no token.
    Raises:
        UsageError: see :meth:`Connection.open`; or there is no such file, or no token.
    """
    connection = Connection(cluster, insecure=insecure)
    if "://" not in cluster:
        echo(f"connecting to the head of {cluster}", err=True)
    try:
        connection.open()
        yield connection
    finally:
        connection.close()


def _headers(cluster: str, *, insecure: bool) -> dict[str, str]:
    """Headers that authenticate requests to ``cluster``."""
    with authentication(cluster, insecure=insecure):
        if insecure:
            return {}
        try:
            headers = dict(get_auth_headers_if_auth_enabled({}))
        except Exception as error:  # of Ray's compiled core, for an empty or missing file
            raise UsageError(
                f"the token of the cluster cannot be used ({first_line(error)}); copy that of its "
                "head node to ~/.ray/auth_token"
            ) from error
    if not headers:
        raise UsageError(
            "no token for the cluster; copy that of its head node to ~/.ray/auth_token"
        )
    if re.search("[^ -~]", "".join(headers.values())):
        raise UsageError(
            "the token of the cluster is not one line of printable ASCII; copy that of its head "
            "node to ~/.ray/auth_token, and unset RAY_AUTH_TOKEN"
        )
    return headers


def _url(text: str) -> str:
    """``text`` without a final slash, if it is the URL of a dashboard that may receive a token.

    Raises:
        UsageError: it is not.
    """
    try:
        url = urlsplit(text)
        valid = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[@?#\s]", text):
        raise UsageError(
            f"{text!r} is not the URL of a dashboard; give one such as http://127.0.0.1:8265"
        )
    if url.scheme == "http" and not _is_loopback(url):
        raise UsageError(
            f"{text!r} would carry the token of the cluster through the network in clear; give "
            "https, or a tunnel that ends at 127.0.0.1"
        )
    return text.rstrip("/")


def _is_loopback(url: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        return url.hostname == "localhost"
