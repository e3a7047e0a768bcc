"""Cluster whose nodes encrypt what they send each other, as docs/tls.md describes it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cluster.clusters import HEAD, ROOT, Cluster, RemoteSweep
from cluster.hosts import eventually

TLS = (
    "RAY_USE_TLS=1 RAY_TLS_SERVER_CERT=~/tls/tls.crt RAY_TLS_SERVER_KEY=~/tls/tls.key "
    "RAY_TLS_CA_CERT=~/tls/ca.crt"
)
WORKER = 2
MARKER = "sparsity"  # a key of every configuration that the driver sends to a lane
SMOKE = "~/hedgesweep/search_spaces/tickets_smoke.yaml"


def sniffed(hosts, sweep):
    """Packets of the worker while a sweep runs: all, and those with the marker in clear."""
    tap = [sys.executable, str(Path(__file__).with_name("wiretap.py"))]
    with subprocess.Popen(
        hosts.command(*tap, f"host{WORKER}", MARKER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        run = sweep()
        run.wait()
        packets, found = map(int, process.communicate()[0].split())
    return packets, found


@pytest.fixture(scope="module")
def encrypted(hosts, cluster, tmp_path_factory):
    """The same hosts as a cluster with TLS, and the cluster file's changes."""
    folder = tmp_path_factory.mktemp("tls") / "tls"
    nodes = [f"host{n}={hosts.address(n)}" for n in (HEAD, WORKER)]
    subprocess.run([str(ROOT / "deploy" / "certificates.sh"), str(folder), *nodes], check=True)
    for number in (HEAD, WORKER):
        shell = f"ssh -i {hosts.key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        target = f"{hosts.login}@{hosts.address(number)}:tls/"
        hosts.user("rsync", "-a", "-e", shell, f"{folder}/host{number}/", target)
    tls = Cluster(hosts, (WORKER,))
    config = yaml.safe_load(tls.file.read_text())
    tls.write(
        **{
            key: [re.sub(r"(?=RAY_AUTH_MODE=token)", f"{TLS} ", c) for c in config[key]]
            for key in ("head_start_ray_commands", "worker_start_ray_commands")
        }
    )
    tls.variables = TLS
    tls.up()
    tls.complete()
    return tls


def test_without_tls_configurations_travel_in_clear(hosts, cluster):
    packets, found = sniffed(hosts, lambda: RemoteSweep(hosts, SMOKE, "results/clear"))
    assert packets > 100
    assert found


def test_with_tls_they_do_not(hosts, encrypted):
    packets, found = sniffed(
        hosts, lambda: RemoteSweep(hosts, SMOKE, "results/encrypted", variables=TLS)
    )
    assert packets > 100
    assert not found


def test_a_node_without_a_certificate_does_not_join(hosts, encrypted):
    start = f"~/venv/bin/ray start --address={hosts.address(HEAD)}:6379 --num-cpus=1"
    hosts.start(8)
    hosts.ssh(8, f"RAY_AUTH_MODE=token timeout 30 {start}")
    eventually(lambda: encrypted.alive(), seconds=60)
    assert hosts.address(8) not in encrypted.alive()
