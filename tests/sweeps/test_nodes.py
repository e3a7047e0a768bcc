"""Attribution of a lost worker to its node, with a cluster that is a list."""

import socket
from types import SimpleNamespace

import pytest

from search_spaces import Resources
from sweeps.execution import nodes as module
from sweeps.execution.nodes import Nodes


@pytest.fixture
def raylet():
    """Port that listens, as the raylet of a node that lives."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def cluster(monkeypatch, raylet):
    """Entries of GCS, and the nodes that are being drained."""
    entries, draining = [], {}
    monkeypatch.setattr(module.ray, "nodes", lambda: entries)
    fake = SimpleNamespace(get_draining_nodes=lambda: draining)
    monkeypatch.setattr(module.state, "state", fake)

    def add(node_id, *, alive=True, port=raylet):
        entries[:] = [entry for entry in entries if entry["NodeID"] != node_id]
        address = {"NodeManagerAddress": "127.0.0.1", "NodeManagerPort": port}
        entries.append({"NodeID": node_id, "Alive": alive, **address})

    return SimpleNamespace(add=add, draining=draining)


def test_a_worker_of_a_node_that_lives_died_by_itself(cluster):
    cluster.add("a")
    assert not Nodes().lost("a")


def test_a_node_that_gcs_counts_as_dead_is_lost(cluster):
    cluster.add("a", alive=False)
    assert Nodes().lost("a")


def test_a_node_whose_raylet_does_not_listen_is_lost_before_gcs_notices(cluster):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    cluster.add("a", port=closed)
    assert Nodes().lost("a")


def test_a_node_that_gcs_has_forgotten_is_lost(cluster):
    assert Nodes().lost("a")


def test_a_node_that_is_drained_is_lost_with_its_workers(cluster):
    cluster.add("a")
    cluster.draining["a"] = 0
    assert Nodes().lost("a")


def test_a_lost_node_stays_lost(cluster):
    nodes = Nodes()
    cluster.add("a", alive=False)
    assert nodes.lost("a")
    cluster.add("a")
    assert nodes.lost("a")


def test_a_node_that_was_silent_for_a_while_is_judged_anew(cluster, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    nodes = Nodes()
    cluster.add("a", port=closed)
    assert nodes.lost("a")
    cluster.add("a")
    assert nodes.lost("a")
    now = module.time.monotonic() + module._SILENCE
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    assert not nodes.lost("a")


@pytest.mark.parametrize("cpus", [1, 2, 7, 64])
@pytest.mark.parametrize("share", range(1, 21))
def test_lanes_of_a_fraction_of_a_core_fill_every_core_and_no_more(monkeypatch, cpus, share):
    monkeypatch.setattr(module.ray, "cluster_resources", lambda: {"CPU": float(cpus)})
    assert module.slots(Resources(cpu=1 / share)) == cpus * share
    assert module.slots(Resources(cpu=1.01 / share)) < cpus * share
