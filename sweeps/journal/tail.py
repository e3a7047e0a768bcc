"""Incremental reader of a growing log."""

from collections.abc import Iterator
from pathlib import Path

from sweeps.journal.history import History
from sweeps.journal.journal import LogError, files
from sweeps.journal.records import Record


class Tail:
    """Records of the log of ``storage``, read incrementally.

    The total equals the records of :class:`.history.History` at that moment. Only the last file
    may grow: it starts over after a new file, or one that was replaced, changed or cut.
    """

    def __init__(self, storage: Path) -> None:
        self._storage = storage
        self._records: Iterator[Record | None] | None = None
        self._seen: list[tuple[str, int, int, int]] = []

    def look(self) -> tuple[bool, Iterator[Record]]:
        """True if it starts over, and the records since the start or the last call."""
        anew = not self._grown(self._state()) or self._records is None
        if anew:
            self._records = History(self._storage).follow()
        return anew, self._new()

    def _new(self) -> Iterator[Record]:
        assert self._records is not None
        try:
            while (record := next(self._records, None)) is not None:
                yield record
        except LogError:
            self._records = None
            raise

    def _grown(self, state: list[tuple[str, int, int, int]]) -> bool:
        """True if ``state`` differs from the last only by growth of the last file."""
        before, self._seen = self._seen, state
        if not (before and state):
            return False
        name, inode, size, _ = before[-1]
        return (
            state[:-1] == before[:-1] and state[-1][:2] == (name, inode) and state[-1][2] >= size
        )

    def _state(self) -> list[tuple[str, int, int, int]]:
        try:
            listed = files(self._storage)
            stats = [(file.name, file.stat(follow_symlinks=False)) for file in listed]
        except FileNotFoundError:  # removed after the listing
            return []
        return [(name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in stats]
