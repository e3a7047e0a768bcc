"""Cluster as a host without the token sees it: no job, no actor, no dashboard, no join."""

import itertools
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from cluster.clusters import HEAD, ROOT
from cluster.packages import FOLDER

STRANGER = 9
PYTHON = FOLDER / "venv" / "bin" / "python"
# Ways into Ray, each of which prints "in" where it leads there. A driver needs a node of the
# cluster, so the first two are tried on the head, by a process that does not read the token.
ON_HEAD = {
    "driver": """
import ray
ray.init(address="HEAD:6379", log_to_driver=False)
print("in")
""",
    "actor": """
import ray
ray.init(address="HEAD:6379", log_to_driver=False)
actor = ray.remote(num_cpus=0)(type("A", (), {"f": lambda self: "in"})).remote()
print(ray.get(actor.f.remote(), timeout=30))
""",
}
FROM_OUTSIDE = {
    "gcs": """
from ray._raylet import GcsClient
GcsClient(address="HEAD:6379").internal_kv_keys(b"", None, timeout=5)
print("in")
""",
    "client": """
import ray
ray.init("ray://HEAD:10001")
print("in")
""",
}
WAYS = ON_HEAD | FROM_OUTSIDE
TOKENS = {"none": "RAY_AUTH_MODE=disabled", "other": f"RAY_AUTH_TOKEN={'0' * 64}"}


@pytest.fixture(scope="module")
def stranger(hosts, cluster):
    """Host on the cluster's network, without its token."""
    hosts.start(STRANGER)
    yield STRANGER
    hosts.kill(STRANGER)


@pytest.fixture(scope="module")
def listening(hosts, cluster):
    """Ports that listen beyond loopback, by host."""
    return {
        number: {
            int(port)
            for where, port in re.findall(
                r"(\S+):(\d+)\s+\S+\s*$", hosts.output(number, "ss -ltnH"), re.M
            )
            if "127.0.0.1" not in where
        }
        for number in (HEAD, 2)
    }


def leads_in(hosts, way, variables):
    """True if ``way`` succeeds with ``variables``."""
    number = HEAD if way in ON_HEAD else STRANGER
    code = WAYS[way].replace("HEAD", hosts.address(HEAD))
    # Without a home there is no file of the token.
    run = f"HOME=/nowhere RAY_AUTH_MODE=token {variables} timeout 60 {PYTHON} -"
    return "in" in hosts.ssh(number, f"{run} <<'end'\n{code}\nend").stdout.split()


@pytest.fixture(scope="module")
def led_in(hosts, stranger):
    """Outcome of every way with every token that is not the cluster's, several at a time."""
    tried = list(itertools.product(WAYS, TOKENS))
    with ThreadPoolExecutor(4) as pool:
        outcomes = pool.map(lambda case: leads_in(hosts, case[0], TOKENS[case[1]]), tried)
        return dict(zip(tried, outcomes, strict=True))


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("way", WAYS)
def test_without_the_token_no_way_leads_in(led_in, way, token):
    assert not led_in[way, token]


@pytest.mark.parametrize("way", WAYS)
def test_with_the_token_every_way_leads_in(hosts, stranger, way):
    token = (hosts.home / ".ray" / "auth_token").read_text().strip()
    assert leads_in(hosts, way, f"RAY_AUTH_TOKEN={token}")


@pytest.fixture
def join(hosts, cluster, stranger):
    """Function that tells if a node of the stranger's joins, with variables."""
    ray = f"{PYTHON} -m ray.scripts.scripts"
    common = "HOME=/nowhere RAY_AUTH_MODE=token"

    def join(variables):
        start = f"timeout 15 {ray} start --address={hosts.address(HEAD)}:6379 --num-cpus=1"
        hosts.ssh(stranger, f"{common} {variables} {start}")
        return hosts.address(stranger) in cluster.alive()

    yield join
    hosts.ssh(stranger, f"{common} {ray} stop --force")


@pytest.mark.parametrize("token", TOKENS)
def test_a_host_without_the_token_does_not_join(join, token):
    assert not join(TOKENS[token])


def test_a_host_with_the_token_joins(hosts, join):
    token = (hosts.home / ".ray" / "auth_token").read_text().strip()
    assert join(f"RAY_AUTH_TOKEN={token}")


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/version", "/nodes?view=summary", "/logs"])
def test_the_dashboard_is_closed_to_the_network_and_to_users_without_token(hosts, stranger, path):
    url = f"http://{hosts.address(HEAD)}:8265{path}"
    assert status_of(hosts, stranger, url) == "000"
    assert status_of(hosts, HEAD, f"http://127.0.0.1:8265{path}") == "401"


def test_no_port_answers_a_request_for_a_job(hosts, stranger, listening):
    for number, ports in listening.items():
        for port in sorted(ports - {22}):
            for path in ("/api/jobs/", "/api/job_agent/jobs/"):
                body = '-H content-type:application/json -d \'{"entrypoint":"true"}\''
                status = status_of(
                    hosts, stranger, f"http://{hosts.address(number)}:{port}{path}", body
                )
                assert not status.startswith("2") or port in METRICS, (number, port, status)


# Ports of the guide, beside SSH and those that Ray draws at random.
METRICS = {44217, 44227}
FIXED = {22, 6379, 8076, 10001, 52365} | METRICS


def test_the_guide_lists_every_port_of_the_head(listening):
    guide = (ROOT / "docs" / "cluster.md").read_text()
    assert {p for p in listening[HEAD] if p in FIXED} == FIXED
    assert all(f"`{port}`" in guide for port in FIXED), "docs/cluster.md lists the ports"


def test_the_token_is_in_its_file_only_and_no_other_user_reads_it(hosts, cluster):
    token = (hosts.home / ".ray" / "auth_token").read_text().strip()
    for number in (HEAD, 2):
        assert hosts.output(number, "stat -c %a ~/.ray/auth_token ~/.ray").split() == [
            "600",
            "700",
        ]
        hosts.output(number, f"! ps -eo args | grep -v grep | grep -F {token[:16]}")
        leaks = f"grep -rlaF {token} /tmp/ray ~ --exclude=auth_token 2>/dev/null || true"
        assert hosts.output(number, leaks) == ""


def status_of(hosts, number, url, *options):
    """Status of an HTTP request from a host; 000 without a connection."""
    curl = f"curl -s -o /dev/null -m 5 -w '%{{http_code}}' {' '.join(options)} '{url}'"
    return hosts.ssh(number, curl).stdout
