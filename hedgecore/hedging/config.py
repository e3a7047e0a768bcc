"""What a ticket study fixes: a dataclass per concern, nested like ``study:`` in a YAML space."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from hedgecore.attacks.balls import PathBall
from hedgecore.attacks.pathwise import ATTACKS
from hedgecore.market.heston import SCHEMES, HestonParams
from hedgecore.pruning.criteria import SCOPES, keep_count
from hedgecore.pruning.lottery import KINDS
from hedgecore.registry import lookup, unknown
from hedgecore.risk import Risk, make


def _require(name: str, value: float, *, least: float = 0, strict: bool = False) -> None:
    if not (value > least if strict else value >= least):
        raise ValueError(
            f"{name} must be {'above' if strict else 'at least'} {least:g}, got {value}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketConfig:
    """Heston paths.

    The defaults are the set of Fang and Oosterlee (2008), 30 trading dates in a month.
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
        _require("maturity", self.maturity, strict=True)
        _require("steps", self.steps, least=1)
        if self.substeps is not None:
            _require("substeps", self.substeps, least=1)
        for name in ("train_paths", "val_paths", "test_paths"):
            _require(name, getattr(self, name), least=100)

    @property
    def heston(self) -> HestonParams:
        """The model without its discretisation."""
        return HestonParams(
            spot=self.spot,
            v0=self.v0,
            kappa=self.kappa,
            v_bar=self.v_bar,
            xi=self.xi,
            rho=self.rho,
            rate=self.rate,
            dividend=self.dividend,
        )

    @property
    def dt(self) -> float:
        """Years between two trading dates."""
        return self.maturity / self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionConfig:
    """The option sold: a European call, settled in cash."""

    strike: float = 100.0

    def __post_init__(self) -> None:
        _require("strike", self.strike, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostConfig:
    """What trading costs, and whether money earns interest.

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
        _require("proportional", self.proportional)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Widths of the hidden layers of the semi-recurrent network."""

    hidden: tuple[int, ...] = (32, 32)

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must list widths of at least 1, got {list(self.hidden)}")

    @property
    def weights(self) -> tuple[int, ...]:
        """Number of weights of every layer, from the 8 features to the one position."""
        widths = (8, *self.hidden, 1)
        return tuple(a * b for a, b in pairwise(widths))


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskConfig:
    """What training minimises, and how the scalar y of the OCE is found.

    Args:
        name: an entry of ``hedgecore.risk.RISKS``.
        tail: share of worst paths, for cvar.
        aversion: risk aversion per unit of currency, for the others.
        y: "optimal" profiles y out exactly on every batch; "parameter" trains it beside the
            network.
        y_lr: learning rate of y where it is a parameter, in currency a step.
    """

    name: str = "cvar"
    tail: float = 0.05
    aversion: float = 1.0
    y: Literal["optimal", "parameter"] = "optimal"
    y_lr: float = 0.02

    def __post_init__(self) -> None:
        self.measure  # noqa: B018 (checks the parameters)
        _require("y_lr", self.y_lr, strict=True)

    @property
    def measure(self) -> Risk:
        """The risk itself."""
        return make(self.name, tail=self.tail, aversion=self.aversion)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Adam on mini-batches.

    ``patience`` counts epochs without an improvement of ``min_delta`` in validation risk.
    """

    epochs: int = 30
    batch_size: int = 512
    lr: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    lr_min: float = 1e-6
    patience: int = 30
    min_delta: float = 1e-6
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        _require("epochs", self.epochs, least=1)
        _require("batch_size", self.batch_size, least=2)
        _require("lr", self.lr, strict=True)
        _require("lr_min", self.lr_min)
        _require("patience", self.patience, least=1)
        _require("min_delta", self.min_delta)
        _require("clip_norm", self.clip_norm, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseConfig:
    """The dense baseline: trained as ``training`` says, at its own learning rate and epochs."""

    lr: float = 1e-3
    epochs: int | None = None

    def __post_init__(self) -> None:
        _require("lr", self.lr, strict=True)
        if self.epochs is not None:
            _require("epochs", self.epochs, least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningConfig:
    """Which sub-network a trial trains; see ``hedgecore.pruning.lottery.draw``.

    The output layer stays dense by default: it has few weights, and a hidden unit cut off from it
    takes all its own with it.
    """

    sparsity: float = 0.0
    ticket: str = "lottery"
    scope: str = "global"
    prune_output: bool = False
    min_kept: int = 1

    def __post_init__(self) -> None:
        keep_count(1, self.sparsity)
        if self.ticket not in KINDS:
            raise ValueError(unknown(self.ticket, KINDS, kind="ticket"))
        lookup(SCOPES, self.scope, kind="scope")
        _require("min_kept", self.min_kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackConfig:
    """The attack a ticket is trained under; epsilon 0 is clean training."""

    epsilon: float = 0.0
    name: str = "pgd"
    steps: int = 5
    variance_scale: float = 100.0

    def __post_init__(self) -> None:
        self.ball  # noqa: B018 (checks epsilon and scale)
        lookup(ATTACKS, self.name, kind="attack")
        _require("steps", self.steps, least=1)

    @property
    def ball(self) -> PathBall:
        """The budget."""
        return PathBall(epsilon=self.epsilon, variance_scale=self.variance_scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Attacks that every trial is tested under, whatever it was trained for."""

    attack: str = "pgd"
    steps: int = 10
    variance_scale: float = 100.0
    epsilons: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for epsilon in self.epsilons:
            self.at(epsilon)

    def at(self, epsilon: float) -> AttackConfig:
        """The attack with budget ``epsilon``."""
        return AttackConfig(
            name=self.attack,
            steps=self.steps,
            variance_scale=self.variance_scale,
            epsilon=epsilon,
        )
