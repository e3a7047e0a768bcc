"""cluster.yaml with moto as AWS and hosts at the addresses that it hands out: 0, 4, 0 workers."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cluster.clusters import BIN, ROOT, SPACE, RemoteSweep, fetched
from cluster.conftest import isolated_hosts
from cluster.hosts import USER, eventually
from cluster.packages import FOLDER
from reliability.sweeping import same

from sweeps.journal.journal import read

# Of moto, in the subnet that Ray chooses: it counts from 4, and never uses an address again.
HEAD, WORKERS, NETWORK = 4, range(5, 13), "172.31.80"
MOST = 4
STORAGE = "results/aws"
METADATA_PORT = 5001
WARNING = timedelta(seconds=40)  # two minutes at AWS


def adapted(key: Path) -> str:
    """cluster.yaml for these hosts: no internet, one CPU a worker, idle for a minute at most."""
    text = (ROOT / "cluster.yaml").read_text()
    # The build of Python that uv downloads is out of reach.
    download, local = "--managed-python --python 3.11.18", "--no-managed-python --python 3.11"
    assert download in text
    text = text.replace(download, local)
    config = yaml.safe_load(text)
    config |= {"idle_timeout_minutes": 1, "max_workers": MOST}
    config["provider"]["use_internal_ips"] = True
    config["auth"]["ssh_private_key"] = str(key)
    for name, kind in config["available_node_types"].items():
        kind["node_config"]["KeyName"] = "hedgesweep"
        if name != "head":
            kind |= {"resources": {"CPU": 1}, "max_workers": MOST}
    return str(yaml.safe_dump(config, sort_keys=False))


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """Hosts of an account of AWS, on which uv is installed, and its metadata service."""
    folder = tmp_path_factory.mktemp("aws")
    endpoint = f"http://{NETWORK}.{USER}:{METADATA_PORT}"
    variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint}
    with isolated_hosts(folder, network=NETWORK, user="ubuntu", variables=variables) as hosts:
        notices = folder / "notices"
        notices.mkdir()
        service = [sys.executable, str(Path(__file__).with_name("metadata.py"))]
        process = subprocess.Popen(
            hosts.command(*service, hosts.address(USER), str(METADATA_PORT), str(notices)),
            env=hosts.environment,
        )
        try:
            hosts.start(HEAD, *WORKERS)
            for number in (HEAD, *WORKERS):
                hosts.output(
                    number,
                    "python3.11 -m venv ~/uv && ~/uv/bin/pip install --quiet --no-deps "
                    f"--require-hashes -r {FOLDER}/installer.lock",
                )
            yield hosts, notices
        finally:
            process.kill()
            process.wait()


def machines(hosts):
    """Addresses of the machines that run, by the account of AWS."""
    code = (
        "import boto3; print(*[i['PrivateIpAddress'] for r in "
        "boto3.client('ec2').describe_instances()['Reservations'] for i in r['Instances'] "
        "if i['State']['Name'] in ('pending', 'running')])"
    )
    return set(hosts.user(sys.executable, "-c", code).split())


@pytest.fixture(scope="module")
def swept(aws, seconds, tmp_path_factory):
    """Storage of a sweep that one machine left with notice, and the numbers of machines."""
    hosts, notices = aws
    file = hosts.home / "cluster.yaml"
    file.write_text(adapted(hosts.key))
    hosts.user(str(BIN / "ray"), "up", "--yes", str(file))
    counts, began = [len(machines(hosts)) - 1], time.monotonic()
    hosts.output(HEAD, f"cat > space.yaml <<'end'\n{SPACE}\nend")
    sweep = RemoteSweep(hosts, "space.yaml", STORAGE, head=HEAD)
    eventually(lambda: len(machines(hosts)) == 1 + MOST, seconds=180)
    seconds["0 to 4"] = time.monotonic() - began
    counts.append(MOST)

    first = hosts.address(WORKERS[0])
    eventually(lambda: sweep.records("segment") >= 4, seconds=180)
    end = datetime.now(UTC) + WARNING
    (notices / first).write_text(
        json.dumps({"action": "terminate", "time": f"{end:%Y-%m-%dT%H:%M:%SZ}"})
    )
    time.sleep(WARNING.total_seconds())
    hosts.kill(WORKERS[0])
    sweep.wait()
    began = time.monotonic()
    eventually(lambda: len(machines(hosts)) == 1, seconds=240, pause=3)
    seconds["4 to 0"] = time.monotonic() - began
    counts.append(len(machines(hosts)) - 1)
    return fetched(hosts, STORAGE, tmp_path_factory.mktemp("swept") / "copy", head=HEAD), counts


def test_workers_are_started_for_a_sweep_and_terminated_after_it(swept):
    assert swept[1] == [0, MOST, 0]


def test_rows_models_and_decisions_are_those_of_one_machine(swept, undisturbed):
    same(swept[0], undisturbed)


def test_a_machine_that_leaves_with_notice_costs_no_trial(swept):
    assert [record for record in read(swept[0]) if record["type"] == "lost"] == []
