import secrets

import pytest
from moto_server import aws_server, point_to, request
from objects.proxy import Proxy

BUCKET = "sweeps"


@pytest.fixture(scope="session")
def s3_port():
    """Port of an S3 server of this test run, with one bucket."""
    with aws_server() as port:
        request(port, f"/{BUCKET}", "PUT")
        yield port


@pytest.fixture
def s3_proxy(s3_port):
    proxy = Proxy(s3_port)
    yield proxy
    proxy.close()


@pytest.fixture
def s3(s3_port, monkeypatch):
    """URL of a new storage on S3, reached without a proxy."""
    point_to(monkeypatch, f"http://127.0.0.1:{s3_port}")
    return f"s3://{BUCKET}/{secrets.token_hex(6)}"


@pytest.fixture
def s3_behind_proxy(s3_proxy, monkeypatch):
    """URL of a new storage on S3, reached through ``s3_proxy``."""
    point_to(monkeypatch, s3_proxy.url)
    return f"s3://{BUCKET}/{secrets.token_hex(6)}"
