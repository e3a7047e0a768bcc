"""Object store that receives every durable write of a driver, which works on a local copy."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from sweeps.errors import UsageError
from sweeps.journal import bounds, files
from sweeps.journal.mirror import PARTS, Mirror, check_names, temporary_folder
from sweeps.journal.storage import WriteError, this_process
from sweeps.objects.commits import CommitLog, TakenOverError, join, stages
from sweeps.objects.holder import RENEWED, STALE, Holder
from sweeps.objects.store import ObjectStore, StoreError

_ATTEMPTS = 10


class ObjectReplica:
    """Storage on an object store, held for writing; ``folder`` is its local copy.

    Earlier drivers can no longer write. An object is replaced only if it is the one that this
    driver has read or written, so that a driver that was asleep cannot undo a later one's work.

    Args:
        renewing: the same store, with little patience: for the hold, which is renewed again soon.
        say: receives a line if another driver may still be running, and there is a wait.
        renewed: seconds between two renewals of the hold; see :class:`.holder.Holder`.
        stale: seconds without a renewal after which a holder is replaced.
    Raises:
        UsageError: another driver is writing, or the store cannot be used.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        renewing: ObjectStore | None = None,
        say: Callable[[str], None] = lambda line: None,
        renewed: float = RENEWED,
        stale: float = STALE,
    ) -> None:
        self.url, self._store = store.url, store
        try:
            # Before anything is written.
            check_names(store, {entry.name for entry in store.list()})
            self._holder = Holder(
                renewing or store, this_process(), say=say, renewed=renewed, stale=stale
            )
            try:
                self._log = CommitLog(store)
                self._mirror = Mirror(store, temporary_folder(), before=self._log.number)
                self.folder = self._mirror.folder
                # Models are not read, but for a check at the end, and may be large.
                self._mirror.refresh([part for part in PARTS if part != "models"])
                self._join()
            except BaseException:
                self._holder.close()
                raise
        except StoreError as error:
            raise UsageError(
                f"storage {self.url} cannot be written ({error}); check its name, the "
                "credentials in the environment and the network"
            ) from error

    def commit(self, lines: bytes) -> None:
        """Append ``lines`` to the log.

        Raises:
            WriteError: another driver has taken over, or the store does not answer.
        """
        with self._or_fail():
            self._log.commit(lines)

    def put(self, path: Path) -> None:
        """Copy the file at ``path``, below the local copy, to the store.

        Raises:
            WriteError: another driver has taken over, or the store does not answer.
        """
        name = path.relative_to(self.folder).as_posix()
        content = files.read(path, most=bounds.TABLE, root=self.folder)
        with self._or_fail():
            for _ in range(_ATTEMPTS):
                tag = self._store.replace(name, content, tag=self._mirror.tags.get(name))
                if tag is not None:
                    self._mirror.tags[name] = tag
                    return
                # An earlier driver's last write, or that of a later one, which then holds this.
                if not self._holder.renew():
                    raise TakenOverError(f"another driver holds {self.url}")
                present = self._store.get(name)
                self._mirror.tags.pop(name, None)
                if present:
                    self._mirror.tags[name] = present.tag
            raise StoreError(f"{name} is changed by another program")

    def read(self, path: Path) -> bytes | None:
        """Content of a file of an earlier driver that was not copied; None if there is none.

        Raises:
            WriteError: the store does not answer.
        """
        name = path.relative_to(self.folder).as_posix()
        if self._mirror.sizes.get(name, bounds.TENSORS + 1) > bounds.TENSORS:
            return None
        with self._or_fail():
            present = self._store.get(name)
        return present.content if present else None

    def remove(self, paths: Collection[Path]) -> None:
        """Remove the objects of files that were removed from the local copy.

        Raises:
            WriteError: the store does not answer.
        """
        names = [path.relative_to(self.folder).as_posix() for path in paths]
        with self._or_fail():
            self._store.delete(*(name for name in names if name in self._mirror.tags))
        for name in names:
            self._mirror.tags.pop(name, None)

    def check(self) -> None:
        """Check that no other driver has taken over, as far as it is known.

        Raises:
            WriteError: one has.
        """
        if self._holder.lost:
            raise self._taken_over()

    def close(self, *, complete: bool) -> None:
        """Release the storage; with a ``complete`` log its commits become one object."""
        try:
            if complete and not self._holder.lost:
                with self._or_fail():
                    self._log.close()
                    name = f"log/{self._log.number:04d}.jsonl"
                    content = files.read(self.folder / name, most=bounds.TABLE)
                    join(self._store, self._log.number, content)
        finally:
            self._holder.close()

    def _join(self) -> None:
        """Join the commits of every earlier start, all of which are sealed."""
        names = [entry.name for entry in self._store.list("log/")]
        for number, stage in stages(names).items():
            if number < self._log.number and not stage.whole:
                path = self.folder / f"log/{number:04d}.jsonl"
                join(self._store, number, files.read(path, most=bounds.TABLE))

    @contextmanager
    def _or_fail(self) -> Iterator[None]:
        try:
            yield
        except TakenOverError as error:
            raise self._taken_over() from error
        except StoreError as error:
            raise WriteError(
                f"storage {self.url} could not be written ({error}); mend the "
                "connection, then start again; recorded results are safe"
            ) from error

    def _taken_over(self) -> WriteError:
        return WriteError(
            f"another driver has taken over {self.url}; nothing more is recorded here: follow it "
            f"with hedgesweep status {quote(self.url)}"
        )
