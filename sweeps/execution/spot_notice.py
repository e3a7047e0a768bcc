"""Watcher of a worker on AWS: drains its node when AWS gives notice that it reclaims the machine.

Ray's provider for AWS ignores the notice, which comes two minutes ahead. A node that is drained
accepts no new trials, and those that run there move at their next rung. Started by cluster.yaml:
``python -P -m sweeps.execution.spot_notice``.

Source: Amazon EC2 User Guide, "Spot Instance interruption notices".
"""

import json
import os
import time
from datetime import datetime
from http.client import HTTPException
from urllib.request import ProxyHandler, Request, build_opener

from ray._private import services
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.core.generated.autoscaler_pb2 import DrainNodeReason  # type: ignore[attr-defined]
from ray.exceptions import RayError

_SERVICE = "http://169.254.169.254"  # link-local, answered by the machine's own hypervisor
_PAUSE = 5.0  # seconds between two requests, as AWS recommends
_TIMEOUT = 2.0  # seconds for a response
_SESSION = 300  # seconds for which a session token of the service is valid


def main() -> None:
    """Wait for a notice, drain this node, and end."""
    drain(wait_for_notice())


def wait_for_notice(*, pause: float = _PAUSE) -> datetime:
    """Time at which AWS ends this machine; returns once a notice is there."""
    while (notice := _notice()) is None:
        time.sleep(pause)
    return notice


def drain(deadline: datetime, *, pause: float = _PAUSE) -> None:
    """Ask the cluster to drain the node of this machine, until it accepts or time is over."""
    while not _accepted(deadline) and time.time() < deadline.timestamp():
        time.sleep(pause)


def _notice() -> datetime | None:
    """Time of the announced end; None without a notice, or if the service does not respond."""
    try:
        token = _response("api/token", "PUT", "token-ttl-seconds", str(_SESSION)).decode()
        notice = _response("meta-data/spot/instance-action", "GET", "token", token)
        return datetime.fromisoformat(json.loads(notice)["time"])
    # 404 without a notice; a response that is cut off or has another form is not one either.
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None


def _response(path: str, method: str, header: str, value: str) -> bytes:
    """Body of a response of the metadata service of this machine.

    Raises:
        OSError: there is none, or its status is an error.
        HTTPException: it is not one of HTTP, or is cut off.
    """
    service = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", _SERVICE).rstrip("/")
    headers = {f"X-aws-ec2-metadata-{header}": value}
    # The scheme is that of the service, which AWS or the owner of the machine sets.
    request = Request(f"{service}/latest/{path}", method=method, headers=headers)  # noqa: S310
    with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT) as response:
        return bytes(response.read())


def _accepted(deadline: datetime) -> bool:
    """True if the cluster drains the node of this machine."""
    reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    try:
        address = services.canonicalize_bootstrap_address("auto")
        client = GcsClient(address=address)
        drained = [
            client.drain_node(node_id, reason, "spot notice", int(deadline.timestamp() * 1000))[0]
            for node_id in services.find_node_ids()
        ]
    except (OSError, RayError, RuntimeError, ValueError):
        return False  # Ray does not run here, or does not respond
    return bool(drained) and all(drained)


if __name__ == "__main__":
    main()
