"""Log of a sweep on an object store: one immutable object per commit, and fencing by seals.

The driver of start n owns the names ``log/000n/00000000``, ``00000001`` and so on. The first is
its claim, each further one the lines of a commit. All are created, never replaced, so their
numbers have no gap, and the end is the first number that is free. A later driver claims the next
start and then *seals* each earlier one: it creates the object at that free number itself. A
driver that was only asleep meanwhile finds its next number in use, fails, and has acknowledged
nothing that its successor did not read.

A start that has been sealed never changes, so its commits may be replaced by one object,
``log/000n.jsonl``, which equals the file of a local storage. Its seal stays.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from secrets import token_hex

from hedgecore.errors import HedgesweepError
from sweeps.objects.store import ObjectStore, StoreError

_PART = re.compile(r"log/(\d{4,})/(\d{8})", re.ASCII)
_WHOLE = re.compile(r"log/(\d{4,})\.jsonl", re.ASCII)
_SEAL = b'{"seal":'
_READERS = 16  # concurrent requests


class TakenOverError(HedgesweepError):
    """A log that another driver has sealed."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Commits of one start in a listing: their count, and whether one object replaces them."""

    parts: int  # 1 + largest number
    whole: bool


class CommitLog:
    """Log of a new start of a driver, after all earlier ones are sealed.

    Raises:
        StoreError: the store does not answer.
    """

    def __init__(self, store: ObjectStore) -> None:
        listed = stages(entry.name for entry in store.list("log/"))
        number = max(listed, default=0) + 1
        while not store.create(_part(number, 0), _json("claim")):
            number += 1
        # All below exist, because each driver claims the first free number.
        for earlier in range(1, number):
            _sealed(store, earlier, listed.get(earlier))
        self.number = number
        """Number of this start; that of the file of its records."""
        self._store, self._next = store, 1

    def commit(self, lines: bytes) -> None:
        """Append ``lines``; every later driver reads them once this returns.

        Raises:
            TakenOverError: a later driver has sealed this start; nothing was appended.
            StoreError: the store does not answer; they may or may not have been appended.
        """
        if not self._store.create(_part(self.number, self._next), lines):
            raise TakenOverError(f"another driver has sealed log/{self.number:04d}")
        self._next += 1

    def close(self) -> None:
        """Seal this start, so that its commits may be joined.

        Raises:
            StoreError: the store does not answer.
        """
        _sealed(self._store, self.number, Stage(self._next, whole=False))


def stages(names: Iterable[str]) -> dict[int, Stage]:
    """Every start among the ``names`` of objects, by number."""
    largest: defaultdict[int, int] = defaultdict(lambda: -1)
    wholes: set[int] = set()
    for name in names:
        if match := _PART.fullmatch(name):
            number = int(match[1])
            largest[number] = max(largest[number], int(match[2]))
        elif match := _WHOLE.fullmatch(name):
            wholes.add(int(match[1]))
    return {n: Stage(largest[n] + 1, n in wholes) for n in sorted({*largest, *wholes})}


def lines(store: ObjectStore, number: int, *, start: int = 1, stop: int) -> Iterator[bytes]:
    """Lines of the commits ``start`` to ``stop`` - 1 of one start, up to a seal.

    Raises:
        LookupError: a commit was removed, since one object has replaced all of them.
        StoreError: the store does not answer.
    """
    names = [_part(number, k) for k in range(start, stop)]
    with ThreadPoolExecutor(_READERS) as pool:
        for name, found in zip(names, pool.map(store.get, names), strict=True):
            if found is None:
                raise LookupError(name)
            if found.content.startswith(_SEAL):
                return
            yield found.content


def join(store: ObjectStore, number: int, content: bytes) -> None:
    """Replace the commits of a sealed start by one object that holds their lines, ``content``."""
    if not store.create(f"log/{number:04d}.jsonl", content):
        raise StoreError(f"log/{number:04d}.jsonl exists with other lines")
    parts = [entry.name for entry in store.list(f"log/{number:04d}/")]
    # The last one is the seal, which a driver that was only asleep has to find.
    store.delete(*sorted(parts)[:-1])


def _sealed(store: ObjectStore, number: int, stage: Stage | None) -> None:
    """Seal the start ``number`` unless it is."""
    if stage and stage.whole:
        return
    last = stage.parts - 1 if stage else 0
    if last > 0 and _is_seal(store, number, last):
        return
    k = last + 1
    while not store.create(_part(number, k), _json("seal")):
        if _is_seal(store, number, k):
            return
        k += 1


def _is_seal(store: ObjectStore, number: int, k: int) -> bool:
    found = store.get(_part(number, k))
    return found is not None and found.content.startswith(_SEAL)


def _part(number: int, k: int) -> str:
    return f"log/{number:04d}/{k:08d}"


def _json(kind: str) -> bytes:
    """Claim or seal, each unique, so that it is never taken for another driver's."""
    return json.dumps({kind: token_hex(16)}).encode()
