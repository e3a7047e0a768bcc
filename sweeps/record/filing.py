"""What all trials of a seed share, as it lies in a storage: made once, read by every rerun."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from hedgecore.hedging.preparation import (
    NETWORKS,
    DenseBaseline,
    Preparation,
    restore,
    sha256,
)
from hedgecore.hedging.study import TicketStudy
from sweeps.errors import UsageError
from sweeps.record.storage import replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a preparation without its arrays; stands in every row of its trials."""

    seed: int
    networks_sha256: dict[str, str]
    data_sha256: str
    core: str
    dense: dict[str, Any]
    layout: dict[str, list[int]]
    maturity: float
    seconds: float

    @property
    def theta_0_sha256(self) -> str:
        """The identity of theta_0."""
        return self.networks_sha256["theta_0"]

    @property
    def columns(self) -> dict[str, Any]:
        """The columns that every trial of this preparation carries."""
        metrics = self.dense["metrics"]
        kept = [
            "cvar_05",
            "cvar_05_se",
            "cvar_01",
            "cvar_01_se",
            "cvar_50",
            "cvar_50_se",
            "sharpe_ratio",
            "pnl_mean",
            "pnl_std",
            "turnover",
            "cost_paid",
        ]
        return {
            "dense_val_loss": self.dense["val_loss"],
            "dense_epochs_to_95pct": self.dense["epochs_to_95pct"],
            **{f"dense_{name}": metrics[name] for name in kept},
            **{f"dense_{name}": value for name, value in metrics.items() if "@" in name},
            "theta_0_sha256": self.theta_0_sha256,
            "data_sha256": self.data_sha256,
        }


@dataclass(frozen=True, slots=True)
class Filed:
    """A preparation in ``<storage>/study/<key>/``, as JSON and safetensors."""

    facts: Facts
    networks: Mapping[str, Mapping[str, Tensor]]
    dense_pnl: Tensor

    @classmethod
    def read(cls, folder: Path, *, core: str) -> "Filed | None":
        """What an earlier run left in ``folder``; None if nothing whole, or made by other code."""
        try:
            written = json.loads((folder / "facts.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        if written.get("core") != core or written.keys() != {f.name for f in fields(Facts)}:
            return None
        facts = Facts(**written)
        try:
            read = {
                name: load((folder / f"{name}.safetensors").read_bytes())
                for name in (*NETWORKS, "dense_pnl")
            }
        except (FileNotFoundError, SafetensorError):
            return None
        networks = {name: _ordered(read[name], facts) for name in NETWORKS}
        return cls(facts, networks, read["dense_pnl"]["pnl"])

    @staticmethod
    def write(folder: Path, facts: Facts, made: Preparation) -> None:
        """File ``made``; the facts come last, so that a folder with facts is whole."""
        folder.mkdir(parents=True, exist_ok=True)
        looked_at = {f"interpretation.{n}": t for n, t in made.interpretation.items()}
        files = {**made.networks, "dense_pnl": {"pnl": made.dense_pnl}}
        files["theta_star"] = {**made.theta_star, **looked_at}
        for name, tensors in files.items():
            # safetensors wants memory of its own for every tensor.
            content = save({n: t.clone() for n, t in tensors.items()})
            replace(folder / f"{name}.safetensors", content)
        replace(folder / "facts.json", json.dumps(asdict(facts), indent=1).encode())

    @property
    def changed(self) -> list[str]:
        """Names of the networks that are not those that were filed."""
        known = self.facts.networks_sha256
        return [n for n, theta in self.networks.items() if sha256(theta.values()) != known[n]]

    def restore(self, study: TicketStudy) -> Preparation:
        """The preparation, with its market simulated again.

        Raises:
            UsageError: a network is not the one that was filed, or the simulation gives other
                paths here than where the study was prepared.
        """
        if changed := self.changed:
            raise UsageError(
                f"{changed[0]}.safetensors of seed {self.facts.seed} is not the one that was "
                "filed; restore it from a copy, or use another --storage"
            )
        dense = DenseBaseline(**self.facts.dense)
        made = restore(
            study,
            seed=self.facts.seed,
            networks=self.networks,
            dense=dense,
            dense_pnl=self.dense_pnl,
        )
        if made.data_sha256 != self.facts.data_sha256:
            raise UsageError(
                f"the study of seed {self.facts.seed} was prepared on a machine whose arithmetic "
                "differs from this one's; use another --storage here"
            )
        return made


def _ordered(tensors: Mapping[str, Tensor], facts: Facts) -> dict[str, Tensor]:
    """``tensors`` in the network's order; safetensors files sort by name."""
    return {name: tensors[name] for name in facts.layout}
