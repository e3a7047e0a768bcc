"""The two sweeps of the published study, read from their copies in docs/study."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from analysis.load import load_manifest, load_trials
from analysis.sweep import Sweep
from benchmarks.study.storage import TABLE

EXPERIMENTS = ("tickets", "xnn")
SPACES = {name: f"search_spaces/{name}_seeds.yaml" for name in EXPERIMENTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A sweep and the sha256 of its table of trials."""

    sweep: Sweep
    sha256: str
    space: str

    @classmethod
    def read(cls, folder: Path, experiment: str) -> Self:
        """The copy of ``experiment`` in a sub-folder of ``folder``.

        Raises:
            StorageError: it cannot be read.
        """
        storage = folder / experiment
        sweep = Sweep(trials=load_trials(storage), manifest=load_manifest(storage))
        digest = hashlib.sha256((storage / TABLE).read_bytes()).hexdigest()
        return cls(sweep=sweep, sha256=digest, space=SPACES[experiment])

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return int(self.sweep.trials["config/seed"].nunique())


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Both sweeps."""

    tickets: Published
    xnn: Published

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The copies in ``folder``.

        Raises:
            StorageError: one cannot be read.
        """
        tickets, xnn = (Published.read(folder, name) for name in EXPERIMENTS)
        return cls(tickets=tickets, xnn=xnn)
