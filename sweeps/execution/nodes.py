"""State of the nodes of a cluster, by which the loss of a worker is attributed.

A worker dies by a fault of its trial, or with its node. Ray's message does not tell which: a host
whose connections close gives the text of a crash, and GCS marks its node dead up to a minute
later.
"""

import time
from typing import Any

import ray
from ray._private import state

from search_spaces import Resources
from sweeps.execution.liveness import listens

_LIST_AGE = 1.0  # seconds for which a list of draining nodes is used
_SILENCE = 30.0  # seconds for which a raylet that did not respond is not tried again


class Nodes:
    """Nodes of the cluster that this process has joined, by the hexadecimal id of Ray."""

    def __init__(self) -> None:
        self._dead: set[str] = set()  # an id is never used again
        self._silent_until: dict[str, float] = {}
        self._draining: frozenset[str] = frozenset()
        self._as_of = float("-inf")

    def lost(self, node_id: str) -> bool:
        """True if ``node_id`` is dead or is being drained, or if its raylet does not respond.

        Takes up to two seconds for a node that does not respond, once in half a minute.
        """
        return self._absent(node_id) or node_id in self.draining()

    def draining(self) -> frozenset[str]:
        """Nodes that end soon, such as spot machines with a notice, and accept no new work."""
        if time.monotonic() - self._as_of > _LIST_AGE:
            self._draining = frozenset(state.state.get_draining_nodes())
            self._as_of = time.monotonic()
        return self._draining

    def _absent(self, node_id: str) -> bool:
        now = time.monotonic()
        if node_id in self._dead or now < self._silent_until.get(node_id, now):
            return True
        entry = next((node for node in ray.nodes() if node["NodeID"] == node_id), None)
        if entry is None or not entry["Alive"]:
            self._dead.add(node_id)
            return True
        # A raylet listens as long as its node is in the cluster.
        if listens((entry["NodeManagerAddress"], int(entry["NodeManagerPort"]))):
            return False
        # It may return after a partition, and its workers may then die by themselves.
        self._silent_until[node_id] = time.monotonic() + _SILENCE
        return True


def node_of(actor: Any) -> str | None:
    """Id of the node on which ``actor`` was started last; None if it was never started."""
    entry = state.actors(actor._ray_actor_id.hex())
    return (entry.get("Address") or {}).get("NodeID") or None


def node_count() -> int:
    """Number of nodes of the cluster that are alive."""
    return sum(node["Alive"] for node in ray.nodes())


def slots(resources: Resources) -> int:
    """Number of lanes of ``resources`` that fit on the cluster now."""
    available, amounts = ray.cluster_resources(), {"CPU": resources.cpu, "GPU": resources.gpu}
    # Ray counts in ten-thousandths, and 2 // 0.1 is 19.
    return min(int(available.get(name, 0.0) / n + 1e-4) for name, n in amounts.items() if n)
