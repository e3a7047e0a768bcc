import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress

import pytest
from objects.proxy import Proxy

BUCKET = "sweeps"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}


@pytest.fixture(scope="session")
def s3_port():
    """Port of an S3 server of this test run, with one bucket."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    # No request may leave this machine, whatever the environment says.
    environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    environment |= CREDENTIALS
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env=environment, **quiet)
    try:
        bucket = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(300):
            with suppress(OSError), direct.open(bucket, timeout=5):
                break
            assert server.poll() is None, "the S3 server did not start"
            time.sleep(0.1)
        yield port
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def s3_proxy(s3_port):
    proxy = Proxy(s3_port)
    yield proxy
    proxy.close()


@pytest.fixture
def s3(s3_port, monkeypatch):
    """URL of a new storage on S3, reached without a proxy."""
    _use(monkeypatch, f"http://127.0.0.1:{s3_port}")
    return f"s3://{BUCKET}/{secrets.token_hex(6)}"


@pytest.fixture
def s3_behind_proxy(s3_proxy, monkeypatch):
    """URL of a new storage on S3, reached through ``s3_proxy``."""
    _use(monkeypatch, s3_proxy.url)
    return f"s3://{BUCKET}/{secrets.token_hex(6)}"


def _use(monkeypatch, endpoint):
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}).items():
        monkeypatch.setenv(name, value)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
