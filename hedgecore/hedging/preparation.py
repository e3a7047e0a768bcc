"""Preparation of a seed: markets, theta_0, and the dense networks trained from it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.fingerprints import tensor_sha256
from hedgecore.hedging.control import Control
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.markets import SPLITS
from hedgecore.market.paths import MarketPaths
from hedgecore.protocols import Json, Tensors
from hedgecore.pruning.mask import Parameters

NETWORKS = ("theta_0", "theta_star", "theta_mask", "theta_k")

_SPOT, _VARIANCE, _PREFIX = "_spot", "_variance", "interpretation."
_CONTROL = "control"
DENSE_METRICS = (
    *(f"cvar_{tail}{kind}" for tail in ("05", "01", "50") for kind in ("", "_se")),
    *("sharpe_ratio", "pnl_mean", "pnl_std", "turnover", "cost_paid"),
)
"""Test metrics of the dense network in every ticket's row, in addition to those with an @."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseBaseline:
    """Metrics of the dense network trained on clean paths, the baseline of every ticket."""

    val_loss: float
    epochs: int
    epochs_to_95pct: int | None
    metrics: Mapping[str, float | None]
    """Null for what is not finite, such as a ratio to a standard deviation of 0."""
    diverged: str | None = None
    """Reason why it is no reference for tickets; see ``hedgecore.hedging.divergence``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """State shared by the trials of one seed; immutable.

    Args:
        seed: seed of every random stream of the study.
        data: float32 paths by market; see :func:`hedgecore.hedging.markets.market_data`.
        standardisation: mean and sd of the features on the training paths.
        theta_0: initial parameters of every ticket.
        theta_star: the best parameters of the dense network, trained on clean paths.
        theta_mask: those of the dense network that determines masks; theta_star, or one trained
            under attack.
        theta_k: parameters of the mask's network after ``rewind_step`` steps.
        dense: metrics of theta_star.
        dense_pnl: clean test P&L of theta_star, for paired comparisons.
        interpretation: feature importance of theta_star; see
            ``hedgecore.hedging.feature_importance``.
        control: control variate of clean test CVaR; None unless the evaluation has one.
        mask_diverged: reason why theta_mask counts as diverged, if it was trained under attack.
    """

    seed: int
    data: Mapping[str, MarketPaths]
    standardisation: Standardisation
    theta_0: Parameters
    theta_star: Parameters
    theta_mask: Parameters
    theta_k: Parameters
    dense: DenseBaseline
    dense_pnl: Float[Tensor, " paths"]
    interpretation: Mapping[str, Tensor] = field(default_factory=dict)
    control: Control | None = None
    mask_diverged: str | None = None

    @property
    def diverged(self) -> str | None:
        """Reason why all of its trials fail: a dense network that diverged; None if none did."""
        if self.dense.diverged:
            return f"dense network of the seed: {self.dense.diverged}"
        if self.mask_diverged:
            return f"dense network that determines the masks: {self.mask_diverged}"
        return None

    @property
    def about(self) -> Json:
        """See :class:`hedgecore.protocols.Preparation`."""
        about = {
            "dense": asdict(self.dense),
            "maturity": self.data["train"].maturity,
            "mask_diverged": self.mask_diverged,
        }
        return about if self.control is None else {**about, "control": self.control.about}

    @property
    def files(self) -> dict[str, Tensors]:
        """See :class:`hedgecore.protocols.Preparation`."""
        interpretation = {_PREFIX + name: value for name, value in self.interpretation.items()}
        networks = {name: getattr(self, name) for name in NETWORKS}
        return {
            **networks,
            "theta_star": {**self.theta_star, **interpretation},
            "dense_pnl": {"pnl": self.dense_pnl, **self._control_pnl},
        }

    @property
    def _control_pnl(self) -> dict[str, Tensor]:
        return {} if self.control is None else {_CONTROL: self.control.pnl}

    @property
    def inputs(self) -> dict[str, Tensor]:
        """See :class:`hedgecore.protocols.Preparation`."""
        paths = {
            name + part: value
            for name, market in self.data.items()
            for part, value in ((_SPOT, market.spot), (_VARIANCE, market.variance))
        }
        return {**paths, "mean": self.standardisation.mean, "sd": self.standardisation.sd}

    @property
    def columns(self) -> Json:
        """See :class:`hedgecore.protocols.Preparation`; null if the dense network diverged."""
        metrics = self.dense.metrics
        elsewhere = [name for name in metrics if "@" in name]
        values = {
            "val_loss": self.dense.val_loss,
            "epochs_to_95pct": self.dense.epochs_to_95pct,
            **{name: metrics[name] for name in (*DENSE_METRICS, *elsewhere)},
        }
        return {
            f"dense_{name}": None if self.dense.diverged else value
            for name, value in values.items()
        }

    @property
    def baselines(self) -> Mapping[str, Mapping[str, float | None]]:
        """Empty: :func:`hedgecore.hedging.baseline_hedges.baselines` computes them."""
        return {}

    def to(self, device: torch.device | str) -> "Preparation":
        """Copy of this preparation on ``device``."""

        def moved(tensors: Tensors) -> Tensors:
            return {name: value.to(device) for name, value in tensors.items()}

        files = {name: moved(tensors) for name, tensors in self.files.items()}
        return assemble(seed=self.seed, about=self.about, files=files, inputs=moved(self.inputs))

    @property
    def data_sha256(self) -> str:
        """Fingerprint of all paths of the study's own market."""
        return tensor_sha256(
            t for split in SPLITS for t in (self.data[split].spot, self.data[split].variance)
        )


def assemble(
    *, seed: int, about: Json, files: Mapping[str, Tensors], inputs: Tensors
) -> Preparation:
    """See :meth:`hedgecore.training.run.Trainer`."""
    names = [name.removesuffix(_SPOT) for name in inputs if name.endswith(_SPOT)]
    data = {
        name: MarketPaths(inputs[name + _SPOT], inputs[name + _VARIANCE], about["maturity"])
        for name in names
    }
    standardisation = Standardisation(mean=inputs["mean"], sd=inputs["sd"])
    fields = stored_fields(about, files)
    return Preparation(seed=seed, data=data, standardisation=standardisation, **fields)


def stored_fields(about: Json, files: Mapping[str, Tensors]) -> dict[str, Any]:
    """Fields of a preparation that result from training, from its facts and files."""
    star = files["theta_star"]
    return {
        **{name: files[name] for name in NETWORKS},
        "theta_star": {n: value for n, value in star.items() if not n.startswith(_PREFIX)},
        "interpretation": {
            n.removeprefix(_PREFIX): value for n, value in star.items() if n.startswith(_PREFIX)
        },
        "dense": DenseBaseline(**about["dense"]),
        "mask_diverged": about.get("mask_diverged"),
        "dense_pnl": files["dense_pnl"]["pnl"],
        "control": Control.restored(files["dense_pnl"][_CONTROL], about["control"])
        if "control" in about
        else None,
    }
