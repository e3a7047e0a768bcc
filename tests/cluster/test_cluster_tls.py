"""Cluster whose nodes encrypt what they send each other, as docs/tls.md describes it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cluster.clusters import HEAD, ROOT, Cluster, RemoteSweep
from cluster.hosts import eventually
from cluster.packages import FOLDER

TLS = (
    "RAY_USE_TLS=1 RAY_TLS_SERVER_CERT=~/tls/tls.crt RAY_TLS_SERVER_KEY=~/tls/tls.key "
    "RAY_TLS_CA_CERT=~/tls/ca.crt"
)
STRANGER = 8
PYTHON = FOLDER / "venv" / "bin" / "python"
MARKER = "sparsity"  # a key of every configuration that the driver sends to a lane
SMOKE = "~/hedgesweep/search_spaces/tickets_smoke.yaml"


@pytest.fixture(scope="module")
def worker(hosts, cluster):
    """Number of a worker that is on."""
    return max(hosts.running)


def sniffed(hosts, worker, sweep):
    """Packets of a worker while a sweep runs: all, and those with the marker in clear."""
    tap = [sys.executable, str(Path(__file__).with_name("wiretap.py"))]
    with subprocess.Popen(
        hosts.command(*tap, f"host{worker}", MARKER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        run = sweep()
        run.wait()
        packets, found = map(int, process.communicate()[0].split())
    return packets, found


@pytest.fixture(scope="module")
def certify(hosts, tmp_path_factory):
    """Function that puts the certificate of a host in its place."""
    folder = tmp_path_factory.mktemp("tls") / "tls"

    def certify(number):
        node = f"host{number}={hosts.address(number)}"
        script = str(ROOT / "deploy" / "certificates.sh")
        subprocess.run([script, str(folder), node], check=True)
        hosts.rsync(f"{folder}/host{number}/", f"{hosts.login}@{hosts.address(number)}:tls/")

    return certify


@pytest.fixture(scope="module")
def encrypted(hosts, worker, certify):
    """The same hosts as a cluster with TLS."""
    for number in (HEAD, worker):
        certify(number)
    cluster = Cluster(hosts, (worker,))
    config = yaml.safe_load(cluster.file.read_text())
    cluster.write(
        **{
            key: [re.sub(r"(?=RAY_AUTH_MODE=token)", f"{TLS} ", c) for c in config[key]]
            for key in ("head_start_ray_commands", "worker_start_ray_commands")
        }
    )
    cluster.variables = TLS
    cluster.up()
    cluster.complete()
    return cluster


def test_without_tls_configurations_travel_in_clear(hosts, worker):
    packets, found = sniffed(hosts, worker, lambda: RemoteSweep(hosts, SMOKE, "results/clear"))
    assert packets > 100
    assert found


def test_with_tls_they_do_not(hosts, worker, encrypted):
    packets, found = sniffed(
        hosts, worker, lambda: RemoteSweep(hosts, SMOKE, "results/encrypted", variables=TLS)
    )
    assert packets > 100
    assert not found


def test_only_a_node_with_a_certificate_joins(hosts, encrypted, certify):
    hosts.start(STRANGER)
    token = (hosts.home / ".ray" / "auth_token").read_text().strip()
    variables = f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN={token}"
    ray = f"{PYTHON} -m ray.scripts.scripts"
    start = f"{ray} start --address={hosts.address(HEAD)}:6379 --num-cpus=1"
    hosts.ssh(STRANGER, f"{variables} timeout 15 {start}; {variables} {ray} stop --force")
    assert hosts.address(STRANGER) not in encrypted.alive()
    certify(STRANGER)
    hosts.ssh(STRANGER, f"{TLS} {variables} {start}")
    eventually(lambda: hosts.address(STRANGER) in encrypted.alive(), seconds=30)
