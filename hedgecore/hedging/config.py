"""Configuration of a ticket study: a dataclass per concern, nested like ``study:`` in YAML."""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Literal

from hedgecore.config import at_least, positive
from hedgecore.market.heston import SCHEMES, HestonParams
from hedgecore.pruning.allocation import SCOPES, keep_count
from hedgecore.pruning.criteria import CRITERIA
from hedgecore.pruning.lottery import KINDS
from hedgecore.registry import lookup, unknown
from hedgecore.risk import Risk, make


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketConfig:
    """Heston paths.

    The defaults are the parameters of Fang and Oosterlee (2008), 30 trading dates in a month.
    """

    spot: float = 100.0
    v0: float = 0.0175
    kappa: float = 1.5768
    v_bar: float = 0.0398
    xi: float = 0.5751
    rho: float = -0.5711
    rate: float = 0.02
    dividend: float = 0.0
    maturity: float = 0.0833
    steps: int = 30
    scheme: str = "qe_m"
    substeps: int | None = None
    train_paths: int = 8192
    val_paths: int = 8192
    test_paths: int = 16384

    def __post_init__(self) -> None:
        self.heston  # noqa: B018 (checks the parameters)
        lookup(SCHEMES, self.scheme, kind="scheme")
        positive(self, "maturity")
        at_least(self, steps=1, substeps=1, train_paths=100, val_paths=100, test_paths=100)

    @property
    def heston(self) -> HestonParams:
        """Model parameters without the discretisation."""
        return HestonParams(**{f.name: getattr(self, f.name) for f in fields(HestonParams)})

    @property
    def dt(self) -> float:
        """Years between two trading dates."""
        return self.maturity / self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionConfig:
    """The option sold: a European call, settled in cash."""

    strike: float = 100.0

    def __post_init__(self) -> None:
        positive(self, "strike")


@dataclass(frozen=True, slots=True, kw_only=True)
class CostConfig:
    """Transaction costs and financing.

    Args:
        proportional: cost per unit of traded notional; 0.001 is 10 basis points.
        first_trade: charge the purchase of the first position.
        unwind: charge closing the last position at maturity.
        financing: finance positions at the risk-free rate and measure P&L in today's money.
    """

    proportional: float = 0.001
    first_trade: bool = True
    unwind: bool = True
    financing: bool = False

    def __post_init__(self) -> None:
        at_least(self, proportional=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Semi-recurrent network.

    Args:
        hidden: widths of the hidden layers.
        position_limit: bound of the absolute position, in shares per option, approached smoothly
            from half of it on. A call's delta is at most 1 and a trained network stays below 5, so
            that only a network that runs away reaches the default.
    """

    hidden: tuple[int, ...] = (32, 32)
    position_limit: float = 100.0

    def __post_init__(self) -> None:
        if not self.position_limit > 0:
            raise ValueError(
                f"position_limit must be above 0 shares, got {self.position_limit:g}; "
                "1.0e+9 bounds nothing"
            )
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must list widths of at least 1, got {list(self.hidden)}")

    @property
    def weights(self) -> tuple[int, ...]:
        """Number of weights per layer, from the 8 features to the single position."""
        widths = (8, *self.hidden, 1)
        return tuple(a * b for a, b in pairwise(widths))


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskConfig:
    """Risk that training minimises, and the treatment of the scalar y of the OCE.

    Args:
        name: an entry of ``hedgecore.risk.RISKS``.
        tail: share of worst paths, for cvar.
        aversion: risk aversion per unit of currency, for the others.
        y: "optimal" computes the optimal y of every batch exactly; "parameter" trains y with the
            network.
        y_lr: learning rate of y as a parameter, in currency per step.
    """

    name: str = "cvar"
    tail: float = 0.05
    aversion: float = 1.0
    y: Literal["optimal", "parameter"] = "optimal"
    y_lr: float = 0.02

    def __post_init__(self) -> None:
        self.measure  # noqa: B018 (checks the parameters)
        positive(self, "y_lr")

    @property
    def measure(self) -> Risk:
        """Risk measure with these parameters."""
        return make(self.name, tail=self.tail, aversion=self.aversion)


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseConfig:
    """Dense baseline: trained as in ``training``, with its own rate, epochs and batch order.

    Two values of ``batch_order`` give two masks of one theta_0, whose overlap is the noise floor
    of comparisons between masks.
    """

    lr: float = 1e-3
    epochs: int | None = None
    batch_order: int = 0

    def __post_init__(self) -> None:
        positive(self, "lr")
        at_least(self, epochs=1, batch_order=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningConfig:
    """Sub-network that a trial trains, and its starting point.

    The output layer stays dense by default: it has few weights, and a hidden unit disconnected
    from it loses all of its own weights.

    Args:
        sparsity: share of the prunable weights that is removed, in [0, 1).
        ticket: "lottery", or one of its controls; see ``hedgecore.pruning.lottery``.
        criterion: score of a weight; an entry of ``hedgecore.pruning.criteria.CRITERIA``.
        scope: allocation of kept weights to layers; see ``hedgecore.pruning.allocation.SCOPES``.
        schedule: "one_shot" removes all at once; "iterative" removes equal shares of the remaining
            weights in ``rounds`` rounds, and retrains from the rewinding point before each.
        rounds: rounds of the iterative schedule.
        source: network that determines the mask: the "clean" dense one, or a "robust" one trained
            by FGSM at the trial's own epsilon.
        rewind: starting point of the ticket. "init" is theta_0; "step" the parameters of the
            mask's network after ``rewind_step`` steps, with learning rate and batches from that
            step; "lr" its final parameters with the learning rate from that step; "finetune" its
            final parameters at a constant learning rate.
        rewind_step: see ``rewind``; a step is one batch.
        prune_output: prune the output layer too.
        min_kept: least number of weights a layer keeps.
    """

    sparsity: float = 0.0
    ticket: str = "lottery"
    criterion: str = "magnitude"
    scope: str = "global"
    schedule: Literal["one_shot", "iterative"] = "one_shot"
    rounds: int = 5
    source: Literal["clean", "robust"] = "clean"
    rewind: Literal["init", "step", "lr", "finetune"] = "init"
    rewind_step: int = 0
    prune_output: bool = False
    min_kept: int = 1

    def __post_init__(self) -> None:
        keep_count(1, self.sparsity)
        if self.ticket not in KINDS:
            raise ValueError(unknown(self.ticket, KINDS, kind="ticket"))
        lookup(CRITERIA, self.criterion, kind="criterion")
        lookup(SCOPES, self.scope, kind="scope")
        at_least(self, rounds=1, rewind_step=0, min_kept=0)

    @property
    def scored_by(self) -> str:
        """Effective criterion: "random" for a random mask."""
        return "random" if self.ticket == "random_mask" else self.criterion

    @property
    def trained_rounds(self) -> int:
        """Number of networks trained to obtain the mask, excluding those of the preparation."""
        if self.schedule == "one_shot" or CRITERIA[self.scored_by].at_init:
            return 0
        return self.rounds - 1
