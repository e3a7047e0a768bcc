"""A sweep on a cluster of three hosts: the rows, models and views of one machine."""

import pytest
from cluster.clusters import (
    BIN,
    BUCKET,
    ROOT,
    RemoteSweep,
    fetched,
    fetched_from_s3,
    on_one_machine,
)
from cluster.hosts import eventually
from reliability.sweeping import same

SMOKE = ROOT / "search_spaces" / "tickets_smoke.yaml"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The sweep on one machine."""
    storage = tmp_path_factory.mktemp("alone") / "out"
    assert on_one_machine(SMOKE, storage).wait() == 0
    return storage


def test_all_nodes_install_one_wheel(hosts, cluster):
    hashes = {hosts.output(n, "sha256sum ~/wheel/*.whl").split()[0] for n in (1, 2, 3)}
    assert len(hashes) == 1


def test_rows_on_disk_are_those_of_one_machine(hosts, cluster, alone, tmp_path):
    sweep = "hedgesweep run ~/hedgesweep/search_spaces/tickets_smoke.yaml"
    cluster.ray("exec", str(cluster.file), f"{sweep} --storage ~/results/smoke --address auto")
    same(fetched(hosts, "results/smoke", tmp_path / "copy"), alone)


def test_rows_on_s3_are_those_of_one_machine_and_are_visible_from_elsewhere(
    hosts, cluster, alone, tmp_path
):
    url = f"s3://{BUCKET}/smoke"
    sweep = RemoteSweep(hosts, "~/hedgesweep/search_spaces/tickets_smoke.yaml", url)
    hedgesweep = str(BIN / "hedgesweep")

    def visible():
        return "driver on" in hosts.user(hedgesweep, "status", url, check=False)

    eventually(visible, seconds=120)
    sweep.wait()
    same(fetched_from_s3(hosts, url, tmp_path / "copy"), alone)
    report = hosts.user(hedgesweep, "report", url, "--out", str(tmp_path / "report"))
    assert "4 trials" in report
