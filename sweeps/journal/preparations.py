"""Stored preparations, made once and read by every later start."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from hedgecore.arithmetic import arithmetic, difference
from hedgecore.experiment import Experiment, Preparation, Study
from hedgecore.fingerprints import tensor_sha256
from hedgecore.training.convergence import DivergedError
from sweeps.errors import UsageError
from sweeps.journal import bounds
from sweeps.journal import files as stored
from sweeps.journal.layout import check_name
from sweeps.journal.lines import strict_json
from sweeps.journal.records import PreparationRecord
from sweeps.journal.storage import Replica, replace

_FACTS = "facts.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts of a preparation, without its tensors."""

    seed: int
    core: str  # code identity
    sha256: dict[str, str]  # of every file, by name
    data_sha256: str
    layout: dict[str, list[str]]  # names of the tensors of every file, in order
    columns: dict[str, Any]  # of every row of its trials
    baselines: dict[str, dict[str, float | None]]  # metrics by name of the baseline
    about: dict[str, Any]  # interpreted by the experiment only
    arithmetic: dict[str, str]  # of the process that made it: its ``id`` and components
    seconds: float  # wall time of the preparation

    @classmethod
    def of(cls, preparation: Preparation, *, core: str, seconds: float) -> "Facts":
        """The facts of ``preparation``, which took ``seconds``; null for what is not finite."""
        facts = cls(
            seed=preparation.seed,
            core=core,
            sha256={
                name: tensor_sha256(tensors.values())
                for name, tensors in preparation.files.items()
            },
            data_sha256=preparation.data_sha256,
            layout={name: list(tensors) for name, tensors in preparation.files.items()},
            columns=strict_json(preparation.columns),
            baselines=strict_json(preparation.baselines),
            about=strict_json(preparation.about),
            arithmetic=arithmetic().about(),
            seconds=seconds,
        )
        # Through JSON, so that it equals the facts read from a file.
        return cls(**json.loads(json.dumps(asdict(facts))))

    @property
    def identity(self) -> str:
        """sha256 (hex) of the facts that do not depend on machine and time."""
        fields = {k: v for k, v in asdict(self).items() if k not in ("seconds", "arithmetic")}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()

    @property
    def theta_0_sha256(self) -> str:
        """The identity of theta_0."""
        return self.sha256["theta_0"]

    @property
    def row(self) -> dict[str, Any]:
        """The columns that every trial of this preparation carries."""
        return {
            **self.columns,
            "theta_0_sha256": self.theta_0_sha256,
            "data_sha256": self.data_sha256,
        }


@dataclass(frozen=True, slots=True)
class StoredPreparation:
    """A preparation in ``<storage>/study/<key>/``, as JSON and safetensors."""

    facts: Facts
    files: Mapping[str, Mapping[str, Tensor]]

    @classmethod
    def read(cls, folder: Path, record: PreparationRecord | None) -> "StoredPreparation | None":
        """Preparation in ``folder`` with the sha256 of ``record``; None if a file is missing.

        None without a record too, since a crash may have cut off the writing.

        Raises:
            UsageError: a file is not the one that was recorded.
        """
        check_name("preparation", folder.name)
        if record is None:
            return None
        content = {}
        for name, digest in record.files.items():
            path = folder / name
            try:
                content[name] = stored.read(path, most=bounds.TENSORS, root=_root(folder))
            except FileNotFoundError:
                return None
            except OSError as error:
                raise UsageError(
                    f"{path} cannot be read ({error.strerror}); restore it from a copy, or remove "
                    "it and run the sweep again"
                ) from error
            if (actual := hashlib.sha256(content[name]).hexdigest()) != digest:
                raise UsageError(
                    f"{path} is not what was recorded (sha256 {actual[:8]}, not {digest[:8]}); "
                    f"restore it from a copy, or remove {folder} to prepare it again"
                )
        try:
            facts = Facts(**json.loads(content[_FACTS]))
            read = {n: load(content[f"{n}.safetensors"]) for n in facts.layout}
            # safetensors files sort by name; sums over parameters depend on the order.
            files = {n: {t: read[n][t] for t in tensors} for n, tensors in facts.layout.items()}
        except (ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
            raise UsageError(
                f"{folder} is of another version of hedgesweep ({type(error).__name__}: {error}); "
                "use that version, or remove the folder to prepare it again"
            ) from error
        return cls(facts, files)

    @staticmethod
    def write(
        folder: Path, facts: Facts, preparation: Preparation, *, replica: Replica | None = None
    ) -> dict[str, str]:
        """Store ``preparation``; sha256 (hex) by file name, for the log."""
        check_name("preparation", folder.name)
        content = {_FACTS: json.dumps(asdict(facts), indent=1).encode()}
        for name, tensors in preparation.files.items():
            # safetensors needs separate memory for every tensor.
            saved = {n: t.contiguous().clone() for n, t in tensors.items()}
            content[f"{name}.safetensors"] = save(saved)
        for name, data in content.items():
            replace(folder / name, data, root=_root(folder), make=True, replica=replica)
        return {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}

    def restore(
        self,
        experiment: Experiment[Any, Any],
        study: Study,
        base: Preparation | None = None,
        contents: Mapping[str, bytes] | None = None,
    ) -> Preparation:
        """The preparation of any trial's ``study`` on ``base``, with its data computed again.

        Args:
            experiment: of the study.
            study: of a trial, or its shared part.
            base: preparation that it adds to, if there is one.
            contents: bytes of its data files by path, if they were read before.
        Raises:
            UsageError: the data are unavailable, or differ from those of the stored preparation.
        """
        restore = experiment.trainer.prepare
        if experiment.trainer.restore:
            stored_parts = {"about": self.facts.about, "files": self.files}
            restore = partial(experiment.trainer.restore, **stored_parts)
        try:
            preparation: Preparation = restore(
                study,
                seed=self.facts.seed,
                base=base,
                **({"contents": contents} if contents else {}),
            )
        except (ValueError, DivergedError) as error:
            raise UsageError(str(error)) from error
        if preparation.data_sha256 != self.facts.data_sha256:
            here, recorded = arithmetic().about(), self.facts.arithmetic
            if here["id"] == recorded["id"]:
                cause, cure = "from other data", "restore that"
            else:
                cause = f"with another arithmetic ({difference(here, recorded)})"
                cure = "use the same machines and settings"
            raise UsageError(
                f"the study of seed {self.facts.seed} was prepared {cause}, and what is made here "
                f"is not its data; {cure}, or start anew in another --storage"
            )
        return preparation


def _root(folder: Path) -> Path:
    """The storage of ``<storage>/study/<key>``."""
    return folder.parent.parent
