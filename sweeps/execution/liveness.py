"""Watch on the Ray of a sweep, which itself reports a dead process after up to a minute.

After the death of its raylet Ray exits the driver, and after that of its GCS it does so later.
Both listen on a port while they live.
"""

import ctypes
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import ray
from ray._private.utils import psutil  # a copy of its own

from sweeps.errors import SweepError
from sweeps.exits import exit_with
from sweeps.signals import Interrupted

GCS = "Ray's GCS"
RAYLET = "Ray's raylet"
SAFE = "recorded results are safe; run the same command again to continue"
_PAUSE = 0.5  # seconds between two checks
_MOST_FAILURES = 2  # consecutive checks without a response
_TIMEOUT = 2.0  # seconds for a response
_PATIENCE = 6.0  # seconds for an orderly end, of which Ray takes 3


@contextmanager
def watched(*, starting: bool = False) -> Iterator[None]:
    """Interrupt the block as soon as this node's raylet or the cluster's GCS has died.

    A block that waits for Ray and cannot be interrupted ends the process: one line, status 1.

    While Ray is ``starting`` it does not listen yet, so its processes, which are children of
    this one, are watched instead.

    Raises:
        SweepError: one of them has died.
    """
    watch = _Watch((_Children() if starting else _Endpoints()).loss)
    watch.start()
    try:
        yield
    except BaseException as error:
        if watch.loss:
            raise SweepError(watch.loss) from error
        raise
    finally:
        watch.over.set()


def alive() -> bool:
    """True if the Ray of this process responds; calls to one that does not may block."""
    return all(map(listens, _endpoints().values()))


class _Endpoints:
    """Ports of the processes of Ray that every sweep needs."""

    def __init__(self) -> None:
        self._endpoints = _endpoints()
        self._failures = dict.fromkeys(self._endpoints, 0)

    def loss(self) -> str | None:
        """Name of a process that failed to respond too often; None if all respond."""
        for name, endpoint in self._endpoints.items():
            self._failures[name] = 0 if listens(endpoint) else self._failures[name] + 1
            if self._failures[name] >= _MOST_FAILURES:
                return name
        return None


class _Children:
    """Child processes that every Ray needs."""

    _NAMES: ClassVar[dict[str, str]] = {"gcs_server": GCS, "raylet": RAYLET}

    def __init__(self) -> None:
        self._seen: dict[int, str] = {}

    def loss(self) -> str | None:
        """Name of a process that has ended; None if all run."""
        alive = set()
        for child in psutil.Process().children():
            with suppress(psutil.Error):  # it has ended, or is not readable
                if name := self._NAMES.get(child.name()):
                    self._seen[child.pid] = name
                if child.status() != psutil.STATUS_ZOMBIE:
                    alive.add(child.pid)
        return next((name for pid, name in self._seen.items() if pid not in alive), None)


class _Watch(threading.Thread):
    def __init__(self, find_loss: Callable[[], str | None]) -> None:
        super().__init__(name="liveness of Ray", daemon=True)
        self._find_loss, self._driver = find_loss, threading.current_thread()
        self.over = threading.Event()
        self.loss: str | None = None

    def run(self) -> None:
        while not self.over.wait(_PAUSE):
            if name := self._find_loss():
                self._end(name)
                return

    def _end(self, name: str) -> None:
        self.loss = f"{name} has died; {SAFE}"
        if self.over.is_set():
            return
        if self._driver is threading.main_thread():
            # A signal interrupts blocking calls; its handler raises, see sweeps.signals.
            signal.pthread_kill(self._driver.ident or 0, signal.SIGTERM)
        else:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._driver.ident or 0), ctypes.py_object(_Ended)
            )
        if not self.over.wait(_PATIENCE):
            exit_with(f"error: {self.loss}", 1)


class _Ended(Interrupted):
    def __init__(self) -> None:
        super().__init__(signal.SIGTERM)


def _endpoints() -> dict[str, tuple[str, int]]:
    """Host and port of the processes that every sweep needs, by name."""
    node: Any = ray._private.worker._global_node
    host, _, port = node.gcs_address.rpartition(":")
    return {
        GCS: (host.strip("[]"), int(port)),
        RAYLET: (node.node_ip_address, int(node.node_manager_port)),
    }


def listens(endpoint: tuple[str, int]) -> bool:
    """True if a server accepts a connection at ``endpoint``, host and port, within 2 s."""
    try:
        socket.create_connection(endpoint, timeout=_TIMEOUT).close()
    except OSError:
        return False
    return True
