"""AWS of the tests' own: moto's server as a process that listens on 127.0.0.1."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ports import free_port

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# No request may leave this machine, whatever the environment says.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def aws_server(**variables: str) -> Iterator[int]:
    """Port of a server that answers, and forgets at the end."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    environment |= CREDENTIALS | variables
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env=environment, **quiet)
    try:
        for _ in range(300):
            with suppress(OSError):
                request(port, "/moto-api/", "GET")
                break
            assert server.poll() is None, "the server of AWS did not start"
            time.sleep(0.1)
        yield port
    finally:
        server.kill()
        server.wait()


def request(port: int, path: str, method: str) -> None:
    """Send a request without a body.

    Raises:
        OSError: it is not answered, or not with success.
    """
    address = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    _OPENER.open(address, timeout=5).close()


def point_to(monkeypatch, endpoint: str) -> None:
    """Let every client of AWS in this process, and in those that it starts, use ``endpoint``."""
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}).items():
        monkeypatch.setenv(name, value)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
