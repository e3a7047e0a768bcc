"""What all trials of a seed share: prepared once, kept in the object store, filed on disk.

Arrays travel as read-only float32 NumPy, which Ray maps into every process of a node without a
copy.
"""

import json
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hedgecore.config import from_mapping
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.ticket import SPLITS, DenseBaseline, Preparation, prepare, restore
from hedgecore.hedging.train import DivergedError
from hedgecore.market.paths import MarketPaths
from sweeps.errors import PreparationError, UsageError

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a preparation without its arrays; stands in every row of its trials."""

    seed: int
    theta_0_sha256: str
    data_sha256: str
    core: str
    dense: dict[str, Any]
    layout: dict[str, list[int]]
    maturity: float
    seconds: float

    @property
    def columns(self) -> dict[str, Any]:
        """The columns that every trial of this preparation carries."""
        metrics = self.dense["metrics"]
        kept = [
            "cvar_05",
            "cvar_05_se",
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
            "theta_0_sha256": self.theta_0_sha256,
            "data_sha256": self.data_sha256,
        }


@dataclass(frozen=True, slots=True)
class Shared:
    """A preparation as trials get it: facts by value, arrays by reference."""

    facts: Facts
    arrays: "ray.ObjectRef"

    def fetch(self) -> Preparation:
        """The preparation on this node; its tensors are views of the object store, not copies."""
        arrays = ray.get(self.arrays)
        facts = self.facts
        return Preparation(
            seed=facts.seed,
            data={
                split: MarketPaths(
                    spot=view(arrays[f"{split}_spot"]),
                    variance=view(arrays[f"{split}_variance"]),
                    maturity=facts.maturity,
                )
                for split in SPLITS
            },
            standardisation=Standardisation(mean=view(arrays["mean"]), sd=view(arrays["sd"])),
            theta_0=unflatten(view(arrays["theta_0"]), facts.layout),
            theta_star=unflatten(view(arrays["theta_star"]), facts.layout),
            dense=DenseBaseline(**facts.dense),
            dense_pnl=view(arrays["dense_pnl"]),
        )


@ray.remote(num_cpus=1, num_returns=2)
def prepare_task(
    study: dict[str, Any], seed: int, core: str, filed: "Filed | None"
) -> tuple[Facts | str, Arrays]:
    """Facts and arrays of one preparation, or what went wrong with it in one line."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    typed = from_mapping(TicketStudy, study)
    try:
        made = prepare(typed, seed=seed) if filed is None else filed.restore(typed)
    except DivergedError as error:
        return f"the dense baseline diverged: {error} (study.dense.lr)", {}
    except UsageError as error:
        return str(error), {}
    facts = Facts(
        seed=seed,
        theta_0_sha256=made.theta_0_sha256,
        data_sha256=made.data_sha256,
        core=core,
        dense=asdict(made.dense),
        layout={name: list(value.shape) for name, value in made.theta_0.items()},
        maturity=typed.market.maturity,
        seconds=time.perf_counter() - began if filed is None else filed.facts.seconds,
    )
    arrays = {
        "theta_0": flatten(made.theta_0),
        "theta_star": flatten(made.theta_star),
        "mean": made.standardisation.mean.numpy(),
        "sd": made.standardisation.sd.numpy(),
        "dense_pnl": made.dense_pnl.numpy(),
    }
    for split, paths in made.data.items():
        arrays[f"{split}_spot"] = paths.spot.numpy()
        arrays[f"{split}_variance"] = paths.variance.numpy()
    return facts, arrays


def collect(key: str, facts: "ray.ObjectRef", arrays: "ray.ObjectRef") -> Shared:
    """The finished preparation ``key``.

    Raises:
        PreparationError: its dense baseline diverged, or what is filed does not fit this machine.
    """
    made = ray.get(facts)
    if isinstance(made, str):
        raise PreparationError(f"{key}: {made}")
    return Shared(made, arrays)


@dataclass(frozen=True, slots=True)
class Filed:
    """A preparation in ``<storage>/study/<key>/``, as JSON and safetensors."""

    facts: Facts
    theta_0: Mapping[str, Tensor]
    theta_star: Mapping[str, Tensor]
    dense_pnl: Tensor

    @classmethod
    def read(cls, folder: Path, *, core: str) -> "Filed | None":
        """What an earlier run left in ``folder``; None if nothing, or if other code made it."""
        try:
            written = json.loads((folder / "facts.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        if written.get("core") != core or written.keys() != {f.name for f in fields(Facts)}:
            return None
        facts = Facts(**written)
        tensors = {
            name: load_file(folder / f"{name}.safetensors") for name in ("theta_0", "theta_star")
        }
        pnl = load_file(folder / "dense_pnl.safetensors")["pnl"]
        return cls(
            facts, _ordered(tensors["theta_0"], facts), _ordered(tensors["theta_star"], facts), pnl
        )

    @staticmethod
    def write(folder: Path, shared: Shared) -> None:
        """File ``shared``; the facts come last, so that a folder with facts is whole."""
        folder.mkdir(parents=True, exist_ok=True)
        made = shared.fetch()
        for name, tensors in (
            ("theta_0", made.theta_0),
            ("theta_star", made.theta_star),
            ("dense_pnl", {"pnl": made.dense_pnl}),
        ):
            # safetensors wants memory of its own for every tensor.
            save_file({n: t.clone() for n, t in tensors.items()}, folder / f"{name}.safetensors")
        partial = folder / "facts.json.partial"
        partial.write_text(json.dumps(asdict(shared.facts), indent=1))
        os.replace(partial, folder / "facts.json")

    def restore(self, study: TicketStudy) -> Preparation:
        """The preparation, with its market simulated again.

        Raises:
            UsageError: the simulation gives other paths here than where the study was prepared.
        """
        dense = DenseBaseline(**self.facts.dense)
        made = restore(
            study,
            seed=self.facts.seed,
            theta_0=self.theta_0,
            theta_star=self.theta_star,
            dense=dense,
            dense_pnl=self.dense_pnl,
        )
        if (made.data_sha256, made.theta_0_sha256) != (
            self.facts.data_sha256,
            self.facts.theta_0_sha256,
        ):
            raise UsageError(
                f"the study of seed {self.facts.seed} was prepared on a machine whose arithmetic "
                "differs from this one's; use another --storage here"
            )
        return made


def view(array: np.ndarray) -> Tensor:
    """``array`` as a tensor over the same memory, for reading only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def flatten(theta: Mapping[str, Tensor]) -> np.ndarray:
    """All parameters in one float32 vector, in order."""
    return torch.cat([value.detach().reshape(-1) for value in theta.values()]).numpy()


def unflatten(vector: Tensor, layout: Mapping[str, list[int]]) -> dict[str, Tensor]:
    """The parameters that :func:`flatten` put into ``vector``."""
    sizes = [int(np.prod(shape)) for shape in layout.values()]
    parts = vector.split(sizes)
    return {n: part.view(shape) for (n, shape), part in zip(layout.items(), parts, strict=True)}


def _ordered(tensors: Mapping[str, Tensor], facts: Facts) -> dict[str, Tensor]:
    """``tensors`` in the network's order; safetensors files sort by name."""
    return {name: tensors[name] for name in facts.layout}
