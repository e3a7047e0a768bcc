"""Where trials can go on: one file a trial, named after its content, so that none is mistaken."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from sweeps.record.storage import replace


class Checkpoints:
    """The folder ``checkpoints/`` of a storage.

    A new checkpoint does not take the place of the last one: until the log names it, a crash must
    find the one before.
    """

    def __init__(self, storage: Path) -> None:
        self._folder = storage / "checkpoints"
        # By trial: a folder of thousands is listed once, not at every segment.
        self._files: defaultdict[str, set[Path]] = defaultdict(set)
        for path in self._folder.glob("*-*"):
            self._files[path.name.partition("-")[0]].add(path)

    def keep(self, trial_id: str, content: bytes) -> str:
        """File ``content``; its sha256 (hex), by which it will be asked for."""
        self._folder.mkdir(exist_ok=True)
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(trial_id, digest)
        replace(path, content)
        self._files[trial_id].add(path)
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
        for trial_id, digest in keep.items():
            kept = {self.path(trial_id, digest)} if digest else set()
            for path in self._files[trial_id] - kept:
                path.unlink(missing_ok=True)
            self._files[trial_id] &= kept
