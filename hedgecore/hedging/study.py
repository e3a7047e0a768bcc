"""A ticket study: everything that determines a ticket but its seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hedgecore.config import ConfigError, from_mapping, replaced, to_mapping
from hedgecore.hedging.config import (
    AttackConfig,
    CostConfig,
    DenseConfig,
    EvaluationConfig,
    MarketConfig,
    NetworkConfig,
    OptionConfig,
    PruningConfig,
    RiskConfig,
    TrainingConfig,
)
from hedgecore.pruning.criteria import keep_count

# Short names of the axes everybody sweeps; any other axis is a dotted path into the study.
AXES: Mapping[str, str] = {
    "sparsity": "pruning.sparsity",
    "lr": "training.lr",
    "epsilon": "attack.epsilon",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketStudy:
    """Everything that determines a ticket but its seed."""

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
        weights = self.network.weights
        if not self.pruning.prune_output:
            weights = weights[:-1]
        kept = keep_count(sum(weights), self.pruning.sparsity)
        if kept < sum(min(self.pruning.min_kept, w) for w in weights):
            raise ConfigError(
                "pruning.sparsity",
                f"{self.pruning.sparsity:g} keeps {kept} of {sum(weights)} weights, too few for "
                f"{self.pruning.min_kept} in each of {len(weights)} layers; "
                "lower it or widen network.hidden",
            )
        if self.market.dividend and not self.cost.financing:
            raise ConfigError(
                "market.dividend",
                f"{self.market.dividend:g} is paid to nobody without financing; "
                "set cost.financing to true",
            )
        if self.training.batch_size > self.market.train_paths:
            raise ConfigError(
                "training.batch_size",
                f"{self.training.batch_size} exceeds market.train_paths "
                f"{self.market.train_paths}; lower it",
            )

    def with_axes(self, values: Mapping[str, Any]) -> "TicketStudy":
        """This study with the axes of one trial set, each by its short name or dotted path.

        Raises:
            ConfigError: an unknown axis, or a value the study cannot hold; ``key`` is the dotted
                path.
        """
        mapping = to_mapping(self)
        for name, value in values.items():
            mapping = replaced(mapping, AXES.get(name, name), value)
        return from_mapping(TicketStudy, mapping)

    def dense_study(self) -> "TicketStudy":
        """The part of the study that the dense baseline depends on.

        Equal parts share one preparation.
        """
        epochs = self.training.epochs if self.dense.epochs is None else self.dense.epochs
        return replace(
            self,
            training=replace(self.training, lr=self.dense.lr, epochs=epochs),
            dense=DenseConfig(lr=self.dense.lr, epochs=epochs),
            pruning=PruningConfig(),
            attack=AttackConfig(),
        )
