"""Where trials can go on: one file a trial, named after its content, so that none is mistaken."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sweeps.storage import replace


class Checkpoints:
    """The folder ``checkpoints/`` of a storage.

    A new checkpoint does not take the place of the last one: until the log names it, a crash must
    find the one before.
    """

    def __init__(self, storage: Path) -> None:
        self._folder = storage / "checkpoints"

    def keep(self, trial_id: str, content: bytes) -> str:
        """File ``content``; its sha256 (hex), by which it will be asked for."""
        self._folder.mkdir(exist_ok=True)
        digest = hashlib.sha256(content).hexdigest()
        replace(self.path(trial_id, digest), content)
        return digest

    def load(self, trial_id: str, digest: str) -> bytes | None:
        """The checkpoint of ``trial_id`` with that sha256; None if it is missing or damaged."""
        try:
            content = self.path(trial_id, digest).read_bytes()
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == digest else None

    def path(self, trial_id: str, digest: str) -> Path:
        """Where a checkpoint lies."""
        return self._folder / f"{trial_id}-{digest[:16]}.safetensors"

    def tidy(self, keep: Mapping[str, str | None]) -> None:
        """Of every trial in ``keep``, remove all checkpoints but the one with that sha256."""
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            trial_id = path.name.partition("-")[0]
            if trial_id not in keep:
                continue
            digest = keep[trial_id]
            if digest is None or path != self.path(trial_id, digest):
                path.unlink()
