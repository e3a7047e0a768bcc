"""What a sweep asks of an experiment: the border between who schedules and who trains."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Run(Protocol):
    """A trial on its way: its epochs, and what can be made of it after each."""

    facts: dict[str, Any]
    """Columns that are known before the first epoch."""

    def epochs(self) -> Iterator[dict[str, Any]]:
        """One row an epoch, from the one after the checkpoint."""

    def checkpoint(self) -> bytes:
        """All that the rest of the run depends on."""

    def finish(self, *columns: str) -> tuple[dict[str, Any], bytes | None]:
        """Test metrics and the validation ``columns`` that a search asks for; the model."""
