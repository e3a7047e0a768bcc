"""Objects that the nodes of a sweep share: one copy a node, with sizes as Ray measures them."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import ray
from ray._private.state import available_resources_per_node, state
from ray.experimental import get_local_object_locations

from sweeps.journal.records import SharedBytes
from sweeps.text import bytes_text

Content: TypeAlias = Literal["theta_0", "data", "files"]
"""theta_0 with the other results of preparations, their data, or data files."""
_MEMORY = "object_store_memory"


class SharedObjects:
    """Objects of the driver in the object store, and the bytes of them that each node received.

    Nodes count by the object directory of the driver, which owns the objects: Ray copies an object
    to a node once, where all processes of the node map it.

    Args:
        message: receives a line on the first object that Ray has to spill.
    """

    def __init__(self, message: Callable[[str], None]) -> None:
        self._message = message
        self._driver_node = ray.get_runtime_context().get_node_id()
        self._live: dict[ray.ObjectRef, Content] = {}
        self._sizes: dict[Content, dict[str, int]] = {"theta_0": {}, "data": {}, "files": {}}
        """Bytes by object, also of released ones."""
        self._received: dict[str, dict[str, int]] = defaultdict(dict)
        """The same by node."""
        self._latest: SharedBytes | None = None
        self._spilled = False

    def put(self, content: Content, value: Any, *, size: int, name: str) -> "ray.ObjectRef":
        """Reference to ``value``, of about ``size`` bytes, which messages call ``name``."""
        if not self._spilled and (note := self._note(size)):
            self._spilled = True
            self._message(f"{name}: {note}")
        # Spilling this one may evict copies of others, which then are counted already.
        self._measure()
        reference = ray.put(value)
        self._live[reference] = content
        return reference

    def release(self, references: "Iterable[ray.ObjectRef]") -> None:
        """Drop ``references``, whose objects count in later measurements too."""
        self._measure()
        for reference in references:
            del self._live[reference]

    def growth(self) -> SharedBytes | None:
        """Sizes as measured now; None if they are those of the last call."""
        self._measure()
        sent = [sum(v.values()) for node, v in self._received.items() if node != self._driver_node]
        totals = {content: sum(sizes.values()) for content, sizes in self._sizes.items()}
        measured = SharedBytes(**totals, nodes=len(self._received), sent=max(sent, default=0))
        if measured == self._latest:
            return None
        self._latest = measured
        return measured

    def _note(self, size: int) -> str | None:
        """Note on an object of ``size`` bytes that exceeds the free object store of this node."""
        node = next(node for node in ray.nodes() if node["NodeID"] == self._driver_node)
        capacity = int(node["Resources"].get(_MEMORY, 0))
        free = int(
            available_resources_per_node().get(self._driver_node, {}).get(_MEMORY, capacity)
        )
        if size <= free:
            return None
        return (
            f"{bytes_text(size)} exceed the object store of this node ({bytes_text(free)} of "
            f"{bytes_text(capacity)} free), so Ray spills to {_spill_folder()}"
        )

    def _measure(self) -> None:
        """Add sizes and nodes of all objects."""
        for reference, location in get_local_object_locations(list(self._live)).items():
            name, size = reference.hex(), location["object_size"]
            self._sizes[self._live[reference]][name] = size
            for node in location["node_ids"]:
                self._received[node][name] = size


def _spill_folder() -> str:
    """Folder, or URI, to which Ray spills objects."""
    config = json.loads(state.get_system_config().get("object_spilling_config") or "{}")
    parameters = config.get("params", {})
    return str(parameters.get("directory_path") or parameters.get("uri") or "disk")
