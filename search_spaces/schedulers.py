"""Schedulers: the rules of early stopping that a space can name.

``max_t`` only truncates: a trial trains for at most that many epochs of its study. Learning-rate
schedules and the dense baseline ignore ``max_t``, so that a larger one continues every trial from
the end of the smaller one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

from search_spaces.fields import names, number, one_of, whole
from search_spaces.messages import FieldError
from search_spaces.yaml_text import show

Mode = Literal["min", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Settings of every rule.

    Args:
        metric: column to compare.
        mode: "min" or "max": the better direction of ``metric``.
        max_t: maximum number of epochs of a trial; None for those of its study.
    Raises:
        ValueError: "field: what is wrong; cure".
    """

    metric: str = "val_loss"
    mode: Mode = "min"
    max_t: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Halving(Judged):
    """Rungs at which one in ``reduction_factor`` trials is promoted.

    Args:
        grace_period: epochs before the first rung; the others are at its multiples by powers of
            ``reduction_factor``.
        reduction_factor: one in ``reduction_factor`` trials is promoted.
        stratify_by: axes; only trials with equal values of them are compared.
    """

    grace_period: int = 1
    reduction_factor: int = 3
    stratify_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asha(Halving):
    """ASHA with verdicts that depend on the order of creation, not of arrival.

    A trial at position p of its stratum, counted from 0, is compared at a rung with the first
    max(block, p + 1 - lag) positions as soon as all of them have reported there: the first block
    is one cohort, and a later trial is compared with all that are at least ``lag`` positions
    ahead.

    Args:
        replicates: "seed" to judge trials that differ only in their seeds together, by their mean;
            None to judge each alone.
        block: size of the first cohort of a stratum.
        lag: number of preceding positions that a verdict does not wait for.
    """

    replicates: Literal["seed"] | None = None
    block: int = 27
    lag: int = 27
    kind: ClassVar[str] = "asha"

    def __post_init__(self) -> None:
        _check_halving(self)
        _check_replicates(self.replicates, self.stratify_by)
        whole("block", self.block, at_least=1)
        whole("lag", self.lag, at_least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class IEpoch(Judged):
    """i-Epoch: every trial trains for ``epochs`` epochs, the best ``finish`` train to the end.

    They are judged once, after all trials of their stratum have trained for ``epochs`` epochs.

    Args:
        epochs: of every trial before it is judged.
        finish: number of configurations of a stratum that train to the end.
        stratify_by: axes; only trials with equal values of them are compared.
        replicates: "seed" to judge trials that differ only in their seeds together, by their mean;
            None to judge each alone.
    Source: Egele et al., "The unreasonable effectiveness of early discarding after one epoch in
        neural network hyperparameter optimization" (2024).
    """

    epochs: int = 1
    finish: int = 3
    stratify_by: tuple[str, ...] = ()
    replicates: Literal["seed"] | None = None
    kind: ClassVar[str] = "i_epoch"

    def __post_init__(self) -> None:
        _check_judged(self)
        whole("epochs", self.epochs, at_least=1)
        if self.max_t is not None and self.epochs > self.max_t:
            problem = f"epochs: must not exceed max_t, got {self.epochs} and max_t {self.max_t}"
            raise FieldError(problem, write=self.max_t)
        whole("finish", self.finish, at_least=1)
        object.__setattr__(self, "stratify_by", names("stratify_by", self.stratify_by, of="axes"))
        _check_replicates(self.replicates, self.stratify_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockAsha(Halving):
    """Ray Tune's ASHA: a trial is compared with those that reached the rung before it."""

    kind: ClassVar[str] = "stock_asha"

    def __post_init__(self) -> None:
        _check_halving(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Median(Judged):
    """Ray Tune's median rule: a trial stops when it is worse than the median of the others.

    Args:
        grace_period: epochs before the first comparison.
        min_samples: trials that must have reached the epoch before comparisons with them.
    """

    grace_period: int = 1
    min_samples: int = 3
    kind: ClassVar[str] = "median"

    def __post_init__(self) -> None:
        _check_judged(self)
        _check_grace(self.grace_period, self.max_t)
        whole("min_samples", self.min_samples, at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperband(Judged):
    """Ray Tune's HyperBand: brackets that trade number of trials against epochs per trial.

    Args:
        reduction_factor: one in ``reduction_factor`` trials survives a halving.
    """

    reduction_factor: int = 3
    kind: ClassVar[str] = "hyperband"

    def __post_init__(self) -> None:
        _check_judged(self)
        whole("reduction_factor", self.reduction_factor, at_least=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pbt(Judged):
    """Ray Tune's population based training: the worst continue from copies of the best.

    Args:
        axes: numeric axes that a copy may change.
        perturbation_interval: epochs between exchanges.
        quantile: share of the population that is replaced, and share that is copied, in (0, 0.5].
    """

    axes: tuple[str, ...]
    perturbation_interval: int = 1
    quantile: float = 0.25
    kind: ClassVar[str] = "pbt"

    def __post_init__(self) -> None:
        _check_judged(self)
        axes = names("axes", self.axes, of="axes")
        if not axes:
            raise FieldError("axes: [] is empty", "name axes that a copy may change, such as [lr]")
        if "seed" in axes:
            problem = "axes: 'seed' names random streams and cannot change"
            raise FieldError(problem, write=[a for a in axes if a != "seed"] or ["lr"])
        object.__setattr__(self, "axes", axes)
        whole("perturbation_interval", self.perturbation_interval, at_least=1)
        if not 0 < number("quantile", self.quantile) <= 0.5:
            raise ValueError(f"quantile: must lie in (0, 0.5], got {show(self.quantile)}")
        object.__setattr__(self, "quantile", float(self.quantile))


Scheduler: TypeAlias = Asha | IEpoch | StockAsha | Median | Hyperband | Pbt


def _check_judged(rule: Judged) -> None:
    if not isinstance(rule.metric, str) or not rule.metric.strip():
        raise ValueError(f"metric: expected the name of a metric, got {show(rule.metric)}")
    one_of("mode", rule.mode, get_args(Mode))
    whole("max_t", rule.max_t, at_least=1, or_null=True)


def _check_halving(rule: Halving) -> None:
    _check_judged(rule)
    _check_grace(rule.grace_period, rule.max_t)
    whole("reduction_factor", rule.reduction_factor, at_least=2)
    object.__setattr__(rule, "stratify_by", names("stratify_by", rule.stratify_by, of="axes"))


def _check_replicates(replicates: str | None, stratify_by: tuple[str, ...]) -> None:
    if replicates not in ("seed", None):
        problem = f"replicates: expected seed or null, got {show(replicates)}"
        raise FieldError(problem, write="seed")
    if replicates in stratify_by:
        raise FieldError(
            f"replicates: {replicates!r} is also in stratify_by, which would separate "
            "trials that are judged together",
            write=None,
        )


def _check_grace(grace_period: int, max_t: int | None) -> None:
    whole("grace_period", grace_period, at_least=1)
    if max_t is not None and grace_period > max_t:
        problem = f"grace_period: must not exceed max_t, got {grace_period} and max_t {max_t}"
        raise FieldError(problem, write=max_t)


SCHEDULERS: Mapping[str, type[Scheduler]] = {
    rule.kind: rule for rule in (Asha, IEpoch, StockAsha, Median, Hyperband, Pbt)
}
