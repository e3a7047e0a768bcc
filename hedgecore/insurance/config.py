"""Configuration of an X-NN study: a dataclass per concern, nested like ``study:`` in YAML."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hedgecore.config import ConfigError, at_least, positive, varied
from hedgecore.insurance.data.rare_levels import RareLevels
from hedgecore.insurance.data.schema import COLUMNS, FEATURES
from hedgecore.registry import suggestion

Grouping = Literal["k_means", "agglomerative", "dbscan", "mean_shift", "random_points"]
"""Clustering methods; see ``hedgecore.insurance.clusters.groupings.GROUPINGS``."""

Method = Literal["none", "double_step", "multiplier_published", "multiplier", "alignment"]
"""Alignment methods; see ``hedgecore.insurance.xnn.methods.METHODS``."""

MIN_ROWS = 20
"""Least training rows behind a centroid of a bundle, and by default of any centroid."""

# Short names of common axes; any other axis is a dotted path into the study.
AXES: Mapping[str, str] = {
    "method": "explanation.method",
    "adj_weight": "explanation.adj_weight",
    "clusters": "clustering.clusters",
    "lr": "training.lr",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Applicants, and their encoding for the network.

    Args:
        path: a local train.csv, made absolute; None for generated rows.
        rows: number of generated rows; of a file, all rows are read.
        rare_levels: levels of generated rows that few have: as often as in the published counts
            ("schema"), also in a table of any size ("planted"), or nowhere ("none").
        encoding: "sound", or the notebook's with its sentinels and principal components.
        rare: share of the training rows, in [0, 0.5): "sound" has no input for a level, flag or
            extreme value of fewer.
        split: "held_out" has separate test rows; "published" is the notebook's 80 / 20.
    """

    path: str | None = None
    rows: int = 59_381
    rare_levels: RareLevels = "schema"
    encoding: Literal["sound", "published"] = "sound"
    rare: float = 0.005
    split: Literal["held_out", "published"] = "held_out"

    def __post_init__(self) -> None:
        at_least(self, rows=100)
        if not 0 <= self.rare < 0.5:
            raise ValueError(f"rare must lie in [0, 0.5), got {self.rare}")
        if self.path is not None:  # workers have different working directories
            object.__setattr__(self, "path", str(Path(self.path).expanduser().absolute()))


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Widths of the hidden layers of the classifier."""

    hidden: tuple[int, ...] = (64, 32)

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must list widths of at least 1, got {list(self.hidden)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Adam on mini-batches, at a constant learning rate; the defaults are the notebook's.

    Args:
        epochs: passes over the training rows, at most.
        batch_size: rows per step; the last batch of an epoch may be smaller.
        lr: learning rate.
        patience: epochs without an improvement of the validation loss before stopping.
    """

    epochs: int = 30
    batch_size: int = 40
    lr: float = 1e-3
    patience: int = 3

    def __post_init__(self) -> None:
        at_least(self, epochs=1, batch_size=1, patience=1)
        positive(self, "lr")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineConfig:
    """Baselines of every X-NN, trained once per seed.

    Args:
        lr: learning rate of the plain network, otherwise trained as in ``training``.
        epochs: epochs of the plain network; None for those of ``training``.
        rounds: trees of the boosted regression.
        classifier_rounds: trees per class of the boosted classifier.
        folds: parts of the training rows, each predicted by a regression on the others.
    """

    lr: float = 1e-3
    epochs: int | None = None
    rounds: int = 720
    classifier_rounds: int = 120
    folds: int = 5

    def __post_init__(self) -> None:
        positive(self, "lr")
        at_least(self, epochs=1, rounds=1, classifier_rounds=1, folds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteringConfig:
    """Centroids that nodes are explained by.

    Args:
        method: a clustering method, or its control: training rows drawn at random.
        clusters: K. DBSCAN and mean-shift determine their own number, of which the K largest
            clusters are kept.
        axes: number of leading principal axes of the training rows used for distances; None for
            all, including rare columns and noise.
        sample: number of training rows used by agglomerative, DBSCAN and mean-shift, whose time or
            memory is quadratic; None for all.
        min_samples: rows within ``eps`` of a core row of a DBSCAN cluster, including itself.
        eps: distance of DBSCAN, in standard deviations; None for the distance within which nine
            tenths of the rows have ``min_samples`` rows.
        neighbours: share of the rows that mean-shift averages over.
        min_rows: training rows that a centroid is the mean of, at least. Smaller clusters are set
            aside or merged; see ``hedgecore.insurance.clusters.groupings``.
    """

    method: Grouping = "k_means"
    clusters: int = 6
    axes: int | None = None
    sample: int | None = 4096
    min_samples: int = 5
    eps: float | None = None
    neighbours: float = 0.05
    min_rows: int = MIN_ROWS

    def __post_init__(self) -> None:
        at_least(self, clusters=1, axes=1, sample=2, min_samples=1, min_rows=1)
        positive(self, "eps")
        if not 0 < self.neighbours <= 1:
            raise ValueError(f"neighbours must lie in (0, 1], got {self.neighbours}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationConfig:
    """Method that aligns the network's nodes with centroids, and its strength.

    Args:
        method: an entry of ``hedgecore.insurance.xnn.methods.METHODS``.
        adj_weight: strength; at 0 every method is "none", whatever the other settings.
        intensity: slope of the multipliers; only its product with ``adj_weight`` matters.
        layer: the aligned layer, from 0; None for all (for "alignment" all hidden).
        target: factor of "multiplier": the gradient, or Adam's update.
        depth: weight of layer l of L: "peaked" is exp(-(l/L - 0.75)^2), "literal" exp(alpha^l).
            "multiplier_published" is always peaked.
        alpha: see ``depth``.
        beta: weight of the contrastive term of "alignment".
        temperature: temperature of the contrastive term.
    """

    method: Method = "alignment"
    adj_weight: float = 0.0
    intensity: float = 5.0
    layer: int | None = None
    target: Literal["gradient", "update"] = "gradient"
    depth: Literal["peaked", "literal"] = "peaked"
    alpha: float = 0.5
    beta: float = 0.0
    temperature: float = 0.1

    def __post_init__(self) -> None:
        at_least(self, adj_weight=0, layer=0, beta=0)
        positive(self, "intensity", "temperature")
        if not 0 < self.alpha <= 2:
            raise ValueError(
                f"alpha must lie in (0, 2], got {self.alpha}; exp(alpha^l) grows doubly with depth"
            )

    @property
    def applied(self) -> Method:
        """Effective method."""
        return self.method if self.adj_weight else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Evaluation of every trained network.

    Args:
        layer: hidden layer whose nodes are explained, from 0; None for the last.
        group: column whose levels define the compared groups.
        bins: number of quantile bins of a numeric column; None uses its levels.
        resamples: bootstrap resamples for intervals.
        concepts: random concepts that a centroid is compared with, at least 20 per centroid.
        points: grid points of the partial dependence.
    """

    layer: int | None = None
    group: str = "InsuredInfo_6"
    bins: int | None = None
    resamples: int = 1000
    concepts: int = 200
    points: int = 20

    def __post_init__(self) -> None:
        at_least(self, layer=0, bins=2, resamples=1, concepts=1, points=2)
        if self.group not in FEATURES:
            near = suggestion(self.group, FEATURES)
            hint = f"did you mean {near!r}?" if near else "one is 'InsuredInfo_6'"
            raise ValueError(f"group must be a column of train.csv, got {self.group!r}; {hint}")
        if self.bins is not None and COLUMNS[self.group].text:
            raise ValueError(
                f"bins must be null for the text of {self.group}, got {self.bins}; its levels "
                "are the groups"
            )
        if self.bins is None and COLUMNS[self.group].kind == "continuous":
            raise ValueError(
                f"bins must be a number for {self.group}, whose values are too many for groups, "
                "got null; 4 gives quarters"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class XnnStudy:
    """Everything that determines an X-NN except its seed."""

    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)
    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    explanation: ExplanationConfig = field(default_factory=ExplanationConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        last = len(self.network.hidden)
        if self.explanation.layer is not None and self.explanation.layer > last:
            raise ConfigError(
                "explanation.layer",
                f"{self.explanation.layer} is beyond the output layer {last}",
                write=(last,),
            )
        if self.evaluation.layer is not None and self.evaluation.layer >= last:
            raise ConfigError(
                "evaluation.layer",
                f"{self.evaluation.layer} is beyond the last hidden layer {last - 1}",
                write=(last - 1,),
            )

    def with_axes(self, values: Mapping[str, Any]) -> "XnnStudy":
        """This study with the axes of one trial set, each by its short name or dotted path.

        Raises:
            ConfigError: an unknown axis, or a value invalid in the study; ``key`` is the dotted
                path.
        """
        return varied(self, AXES, values)

    @property
    def explained(self) -> int:
        """Hidden layer whose nodes are explained, from 0."""
        layer = self.evaluation.layer
        return len(self.network.hidden) - 1 if layer is None else layer

    def shared_study(self) -> "XnnStudy":
        """Part of the study that data, clusters, theta_0 and baselines depend on.

        Equal parts share one preparation. Its training is that of the plain network.
        """
        epochs = self.training.epochs if self.baseline.epochs is None else self.baseline.epochs
        return replace(
            self,
            training=replace(self.training, lr=self.baseline.lr, epochs=epochs),
            baseline=replace(self.baseline, epochs=epochs),
            explanation=ExplanationConfig(),
            evaluation=EvaluationConfig(),
        )

    def base_study(self) -> "XnnStudy":
        """Shared study with one cluster, whose preparation the others extend by their clusters."""
        return replace(self.shared_study(), clustering=ClusteringConfig(clusters=1))
