"""Liveness of the Ray that a sweep runs on, whose own answer to a death takes up to a minute.

Without its raylet Ray ends the driver with an exit of its own, and without its GCS lets it work on
towards one. Both listen on a port for as long as they live.
"""

import ctypes
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from sweeps.errors import SweepError
from sweeps.exits import exit_with, message_if_aborted
from sweeps.signals import Interrupted

_SAFE = "what was recorded is safe, and the same command goes on"
_PAUSE = 0.5  # seconds between two looks
_MOST_FAILURES = 2  # looks in a row that nobody answers
_TIMEOUT = 2.0  # seconds for an answer
_PATIENCE = 6.0  # seconds in which the sweep can end in order; Ray takes 3 of them


@contextmanager
def watched() -> Iterator[None]:
    """End what runs inside as soon as this node's raylet or the cluster's GCS is dead.

    What cannot be interrupted because it waits for Ray ends with this process: one line, status 1.

    Raises:
        SweepError: one of them has died.
    """
    watch = _Watch()
    with message_if_aborted(f"error: Ray has ended this process, or it was killed; {_SAFE}"):
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
    """Whether the Ray of this process still answers; calls to one that does not may block."""
    return all(map(_listens, _endpoints().values()))


class _Watch(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="liveness of Ray", daemon=True)
        self._endpoints, self._driver = _endpoints(), threading.current_thread()
        self.over = threading.Event()
        self.loss: str | None = None

    def run(self) -> None:
        failures = dict.fromkeys(self._endpoints, 0)
        while not self.over.wait(_PAUSE):
            for name, endpoint in self._endpoints.items():
                failures[name] = 0 if _listens(endpoint) else failures[name] + 1
                if failures[name] >= _MOST_FAILURES:
                    return self._end(name)
        return None

    def _end(self, name: str) -> None:
        self.loss = f"{name} has died; {_SAFE}"
        if self.over.is_set():
            return
        if self._driver is threading.main_thread():
            # A signal ends calls that wait; its handler raises, see sweeps.signals.
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
    """Host and port of what no sweep can do without, by its name."""
    node: Any = ray._private.worker._global_node
    host, _, port = node.gcs_address.rpartition(":")
    return {
        "Ray's GCS": (host.strip("[]"), int(port)),
        "Ray's raylet": (node.node_ip_address, int(node.node_manager_port)),
    }


def _listens(endpoint: tuple[str, int]) -> bool:
    try:
        socket.create_connection(endpoint, timeout=_TIMEOUT).close()
    except OSError:
        return False
    return True
