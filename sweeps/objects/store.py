"""Interface of an object store: five operations, atomic and visible to everybody at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from hedgecore.errors import HedgesweepError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One object in a listing."""

    name: str  # relative to the store's URL, with slashes
    size: int  # bytes
    tag: str  # differs if the content does


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """Content of one object and its tag at that moment."""

    content: bytes
    tag: str


class StoreError(HedgesweepError):
    """An object store that refused, or did not answer in time; the message is the reason."""


class ObjectStore(Protocol):
    """Objects under the URL of one storage.

    Every operation raises :class:`StoreError` if the store refuses or does not answer, and may
    then have taken effect.
    """

    @property
    def url(self) -> str:
        """URL of the storage, as the user gave it, without a final slash."""

    def create(self, name: str, content: bytes) -> bool:
        """Write the object ``name``; False if it exists with another content.

        Of several writers with different contents exactly one succeeds. An answer that was lost
        on the way does not turn a success into a failure.
        """

    def replace(self, name: str, content: bytes, *, tag: str | None) -> str | None:
        """Tag of the object ``name`` after its content was replaced; None if it was not.

        Args:
            tag: that of the content to be replaced; None for an object that must not exist.
        """

    def get(self, name: str) -> Object | None:
        """The object ``name``; None if there is none."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every object whose name begins with ``prefix``, which ends with a slash or is empty."""

    def delete(self, *names: str) -> None:
        """Remove objects; harmless when repeated."""
