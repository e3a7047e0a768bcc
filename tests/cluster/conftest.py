import os
import subprocess
import sys

import pytest
from cluster.clusters import BIN, BUCKET, HEAD, LATE, S3, Cluster, credentials
from cluster.hosts import NETWORK, Hosts, eventually, missing_tools
from cluster.packages import FOLDER, packages


def pytest_collection_modifyitems(items):
    for item in items:
        if "cluster" in item.path.parts:
            item.add_marker(pytest.mark.cluster)
            # The first test waits for `ray up`.
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def hosts(tmp_path_factory):
    """Hosts 1 to 3, and an S3 server with one bucket on the user's machine."""
    if missing := missing_tools():
        pytest.skip(f"isolated hosts need {', '.join(missing)}")
    # Kernels of BLAS that this machine needs, if it says so.
    blas = {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS_")}
    folder = tmp_path_factory.mktemp("cluster")
    hosts = Hosts(folder, FOLDER, packages() | dict(credentials()) | blas)
    server = None
    try:
        command = hosts.command(sys.executable, "-m", "moto.server", "-H", f"{NETWORK}.254")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        port = S3.rpartition(":")[2]
        server = subprocess.Popen([*command, "-p", port], env=hosts.environment, **quiet)
        create = f"import urllib.request as r; r.urlopen(r.Request('{S3}/{BUCKET}', method='PUT'))"
        eventually(
            lambda: "Error" not in hosts.user(sys.executable, "-c", create, check=False),
            seconds=60,
        )
        hosts.start(HEAD, 2, 3)
        hosts.user(str(BIN / "ray"), "get-auth-token", "--generate")
        (hosts.home / ".ray" / "auth_token").chmod(0o600)
        yield hosts
    finally:
        if server:
            server.kill()
            server.wait()
        hosts.close()


@pytest.fixture(scope="session")
def cluster(hosts):
    """Cluster of hosts 1 to 3, as deploy/on-premises.yaml describes it."""
    cluster = Cluster(hosts, (2, 3, LATE))
    cluster.up()
    cluster.complete((2, 3))
    return cluster
