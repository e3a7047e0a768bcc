"""Holder of a storage on an object store: an object that the running driver renews.

It keeps a second driver from taking over a log that is alive. Safety does not rest on it: a driver
that loses it, for example because it was suspended, is fenced by the seals of the log.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from secrets import token_hex
from typing import Any

from sweeps.errors import UsageError
from sweeps.objects.store import Object, ObjectStore, StoreError

NAME = "log/lock"
RENEWED = 10.0
"""Seconds between two renewals."""
STALE = 45.0
"""Seconds without a renewal after which another driver takes over."""


class Holder:
    """Hold of a storage, renewed by a thread until it is closed or this process ends.

    A holder on this machine whose process has ended is replaced at once, any other one after
    ``stale`` seconds without a renewal, as observed here: clocks are not compared.

    Args:
        process: host, pid and boot of this process.
        say: receives a line if there is a wait.
    Raises:
        UsageError: another driver renews it.
        StoreError: the store does not answer.
    """

    def __init__(
        self,
        store: ObjectStore,
        process: Mapping[str, Any],
        *,
        say: Callable[[str], None] = lambda line: None,
        renewed: float = RENEWED,
        stale: float = STALE,
    ) -> None:
        self._store, self._renewed = store, renewed
        self._content = {**process, "token": token_hex(16), "closed": False}
        self._renewals, self._lost, self._writing = 0, False, threading.Lock()
        while (tag := self._write(self._replaceable(say, stale))) is None:
            pass  # another driver was faster; now it is the holder
        self._tag = tag
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="holder", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """True if another driver has taken over."""
        return self._lost

    def renew(self) -> bool:
        """True if the storage is still held, which the store has just confirmed.

        Raises:
            StoreError: the store does not answer.
        """
        with self._writing:
            if not self._lost:
                tag = self._write(self._tag)
                self._tag, self._lost = tag or self._tag, tag is None
            return not self._lost

    def close(self) -> None:
        """Release the hold; harmless when repeated, or when the store does not answer."""
        if self._end.is_set():
            return
        self._end.set()
        self._thread.join()
        self._content["closed"] = True
        if not self._lost:
            with suppress(StoreError):
                self._write(self._tag)

    def _replaceable(self, say: Callable[[str], None], stale: float) -> str | None:
        """Tag of a holder that may be replaced; None if there is none."""
        present = self._store.get(NAME)
        if present is None or _ended(present, self._content):
            return present.tag if present else None
        holder = _described(present)
        say(
            f"{holder} held {self._store.url}; waiting up to {stale:.0f} s for its next renewal .."
        )
        until = time.monotonic() + stale
        while time.monotonic() < until:
            time.sleep(min(1.0, stale / 10))
            now = self._store.get(NAME)
            if now is None or _ended(now, self._content):
                return now.tag if now else None
            if now.tag != present.tag:
                raise UsageError(
                    f"{_described(now)} is writing to {self._store.url}; wait for it, or give "
                    "another --storage"
                )
        return present.tag

    def _write(self, tag: str | None) -> str | None:
        self._renewals += 1
        content = json.dumps({**self._content, "renewals": self._renewals}).encode()
        return self._store.replace(NAME, content, tag=tag)

    def _renew(self) -> None:
        while not self._end.wait(self._renewed):
            # While the store does not answer, nobody else can take over either.
            with suppress(StoreError):
                if not self.renew():
                    return


def _ended(holder: Object, here: Mapping[str, Any]) -> bool:
    """True if ``holder`` was released, or its process on this machine has ended."""
    fields = _fields(holder)
    if not fields or fields.get("closed"):
        return True
    same = all(fields.get(name) == here[name] for name in ("host", "boot"))
    return same and fields.get("pid") != here["pid"] and not _exists(fields.get("pid"))


def _exists(pid: Any) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, TypeError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's process
    return True


def _described(holder: Object) -> str:
    fields = _fields(holder)
    return f"host {fields.get('host')}, pid {fields.get('pid')}"


def _fields(holder: Object) -> dict[str, Any]:
    try:
        fields = json.loads(holder.content)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
