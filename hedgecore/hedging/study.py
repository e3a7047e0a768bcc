"""Ticket study: everything that determines a ticket except its seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from hedgecore.config import ConfigError, varied
from hedgecore.hedging.attack_config import AttackConfig, EvaluationConfig
from hedgecore.hedging.config import (
    CostConfig,
    DenseConfig,
    MarketConfig,
    NetworkConfig,
    OptionConfig,
    PruningConfig,
    RiskConfig,
)
from hedgecore.hedging.features import FEATURE_NAMES
from hedgecore.pruning.allocation import keep_count
from hedgecore.pruning.lottery import small_widths
from hedgecore.training.config import TrainingConfig

# Short names of common axes; any other axis is a dotted path into the study.
AXES: Mapping[str, str] = {
    "sparsity": "pruning.sparsity",
    "lr": "training.lr",
    "epsilon": "attack.epsilon",
    "criterion": "pruning.criterion",
    "schedule": "pruning.schedule",
    "rewind": "pruning.rewind",
    "ticket": "pruning.ticket",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketStudy:
    """Everything that determines a ticket except its seed."""

    market: MarketConfig = field(default_factory=MarketConfig)
    option: OptionConfig = field(default_factory=OptionConfig)
    cost: CostConfig = field(default_factory=CostConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    risk: RiskConfig = field(default_factory=RiskConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    dense: DenseConfig = field(default_factory=DenseConfig)
    pruning: PruningConfig = field(default_factory=PruningConfig)
    attack: AttackConfig = field(default_factory=AttackConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        budget, weights = self._budget, self._prunable
        if budget < sum(min(self.pruning.min_kept, w) for w in weights):
            raise ConfigError(
                "pruning.sparsity",
                f"{self.pruning.sparsity:g} keeps {budget} of {sum(weights)} weights, too few for "
                f"{self.pruning.min_kept} in each of {len(weights)} layers; "
                "lower it or widen network.hidden",
                write=(0.0,),
            )
        if self.attack.full_from > self.training.epochs:
            raise ConfigError(
                "attack.warmup" if self.attack.warmup else "attack.ramp",
                f"{self.attack.warmup} clean epochs and a ramp of {self.attack.ramp} leave none "
                f"of {self.training.epochs} at the full epsilon; shorten them",
                write=(0,),
            )
        steps = ceil(self.market.train_paths / self.training.batch_size)
        shortest = min(self.training.epochs, self.dense.epochs or self.training.epochs)
        if self.pruning.rewind_step >= shortest * steps:
            raise ConfigError(
                "pruning.rewind_step",
                f"{self.pruning.rewind_step} is not below the {shortest * steps} steps of "
                f"{shortest} epochs",
                write=(shortest * steps - 1,),
            )
        self.hidden  # noqa: B018 (checks that the small dense control exists)
        if self.market.dividend and not self.cost.financing:
            raise ConfigError(
                "market.dividend",
                f"{self.market.dividend:g} has no effect without financing; "
                "set cost.financing to true",
                write=(0.0,),
            )
        if self.training.batch_size > self.market.train_paths:
            raise ConfigError(
                "training.batch_size",
                f"{self.training.batch_size} exceeds market.train_paths {self.market.train_paths}",
                write=(self.market.train_paths,),
            )

    def with_axes(self, values: Mapping[str, Any]) -> "TicketStudy":
        """This study with the axes of one trial set, each by its short name or dotted path.

        Raises:
            ConfigError: an unknown axis, or a value invalid in the study; ``key`` is the dotted
                path.
        """
        return varied(self, AXES, values)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the trained network: the full one, or the small dense control."""
        if self.pruning.ticket != "small_dense":
            return self.network.hidden
        return small_widths(
            self.network.hidden, inputs=len(FEATURE_NAMES), budget=self._budget + self._spared
        )

    def shared_study(self) -> "TicketStudy":
        """Part of the study that its preparation depends on: the dense networks.

        Equal parts share one preparation.
        """
        epochs = self.training.epochs if self.dense.epochs is None else self.dense.epochs
        pruning, attack = PruningConfig(), AttackConfig()
        if self.pruning.rewind == "step":
            pruning = PruningConfig(rewind="step", rewind_step=self.pruning.rewind_step)
        if self.pruning.source == "robust" and self.attack.epsilon > 0:
            pruning = replace(pruning, source="robust")
            attack = AttackConfig(
                name="path_fgsm",
                epsilon=self.attack.epsilon,
                variance_scale=self.attack.variance_scale,
            )
        return replace(
            self,
            training=replace(
                self.training,
                lr=self.dense.lr,
                epochs=epochs,
                warmup=0,
                warmup_lr=None,
                batch_order=self.dense.batch_order,
            ),
            dense=replace(self.dense, epochs=epochs),
            pruning=pruning,
            attack=attack,
        )

    def base_study(self) -> "TicketStudy":
        """Shared study without attack and with masks from the clean network."""
        dense = self.shared_study()
        return replace(
            dense, attack=AttackConfig(), pruning=replace(dense.pruning, source="clean")
        )

    @property
    def _prunable(self) -> tuple[int, ...]:
        """Number of weights of every layer that may be pruned."""
        weights = self.network.weights
        return weights if self.pruning.prune_output else weights[:-1]

    @property
    def _budget(self) -> int:
        return keep_count(sum(self._prunable), self.pruning.sparsity)

    @property
    def _spared(self) -> int:
        """Number of weights that are never pruned."""
        return sum(self.network.weights) - sum(self._prunable)
