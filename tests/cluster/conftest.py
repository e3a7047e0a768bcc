import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cluster.clusters import BIN, BUCKET, HEAD, LATE, PORT, SPACE, Cluster, on_one_machine
from cluster.hosts import USER, Hosts, eventually, missing_tools
from cluster.packages import FOLDER, packages
from moto_server import CREDENTIALS

TIMES = Path(__file__).resolve().parents[2] / ".cluster-times.csv"
# Those that damage the cluster, or replace it, come last.
ORDER = ("sweep", "jobs", "errors", "security", "faults", "tls", "aws")


def pytest_collection_modifyitems(items):
    here = [item for item in items if "cluster" in item.path.parts]
    for item in here:
        item.add_marker(pytest.mark.cluster)
    last = sorted(here, key=lambda item: ORDER.index(item.path.stem.rpartition("_")[2]))
    items[:] = [item for item in items if item not in here] + last


@pytest.fixture(scope="session", autouse=True)
def tools():
    """Skip all where this machine cannot have isolated hosts."""
    if missing := missing_tools():
        pytest.skip(f"isolated hosts need {', '.join(missing)}")


@contextmanager
def isolated_hosts(folder, *, network, user, variables=None) -> Iterator[Hosts]:
    """Network without hosts, with a server of AWS on the user's machine."""
    endpoint = f"http://{network}.{USER}:{PORT}"
    # Kernels of BLAS that this machine needs, if it says so.
    blas = {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS_")}
    aws = CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    try:
        environment = packages() | aws | blas | (variables or {})
    except subprocess.CalledProcessError as error:
        pytest.skip(f"packages of the hosts can be had neither here nor from an index: {error}")
    hosts = Hosts(folder, FOLDER, environment, network=network, user=user)
    server = None
    try:
        server = subprocess.Popen(
            hosts.command(
                *(sys.executable, str(Path(__file__).with_name("aws_account.py"))),
                *("-H", hosts.address(USER), "-p", str(PORT)),
            ),
            env=hosts.environment | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        put = f"r.urlopen(r.Request('{endpoint}/{BUCKET}', method='PUT'))"
        create = (sys.executable, "-c", f"import urllib.request as r; {put}")
        eventually(lambda: "Error" not in hosts.user(*create, check=False), seconds=60)
        hosts.user(str(BIN / "ray"), "get-auth-token", "--generate")
        (hosts.home / ".ray" / "auth_token").chmod(0o600)
        yield hosts
    finally:
        if server:
            server.kill()
            server.wait()
        hosts.close()


@pytest.fixture(scope="session")
def seconds():
    """Durations by event, written to ``TIMES`` at the end; docs/cluster_times.csv is a copy."""
    seconds = {}
    yield seconds
    lines = [f"{name},{value:.0f}\n" for name, value in seconds.items()]
    TIMES.write_text("".join(["event,seconds\n", *lines]))


@pytest.fixture(scope="session")
def hosts(tmp_path_factory):
    """Hosts 1 to 3, and a server of S3 with one bucket."""
    folder = tmp_path_factory.mktemp("cluster")
    with isolated_hosts(folder, network="10.77.0", user="sweeper") as hosts:
        hosts.start(HEAD, 2, 3)
        yield hosts


@pytest.fixture(scope="session")
def cluster(hosts, reference, seconds):
    """Cluster of hosts 1 to 3, as deploy/on-premises.yaml describes it."""
    cluster, began = Cluster(hosts, (2, 3, LATE)), time.monotonic()
    cluster.up()
    cluster.complete((2, 3))
    seconds["up"] = time.monotonic() - began
    return cluster


@pytest.fixture(scope="session")
def space(tmp_path_factory):
    """File of ``SPACE``."""
    path = tmp_path_factory.mktemp("space") / "space.yaml"
    path.write_text(SPACE)
    return path


@pytest.fixture(scope="session")
def reference(space, tmp_path_factory):
    """Process that sweeps ``space`` on one machine meanwhile, and its storage."""
    storage = tmp_path_factory.mktemp("undisturbed") / "out"
    with on_one_machine(space, storage) as process:
        yield process, storage
        process.terminate()


@pytest.fixture(scope="session")
def undisturbed(reference):
    """Storage of the sweep of ``space`` on one machine."""
    process, storage = reference
    assert process.wait() == 0
    return storage
