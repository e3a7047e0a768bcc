"""Attack configuration of a study: attacks used in training and in testing."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from hedgecore.attacks.balls import PathBall, WassersteinBall
from hedgecore.attacks.pathwise import Effort
from hedgecore.attacks.threats import THREATS, Threat
from hedgecore.config import at_least
from hedgecore.market.regimes import REGIMES
from hedgecore.metrics import TAILS, cvar_name
from hedgecore.registry import lookup

TRANSFER = "path_pgd"
"""Attack on the dense network whose paths ``EvaluationConfig.transfer`` applies to tickets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackConfig:
    """Attack that a ticket is trained under; epsilon 0 is clean training.

    The loss of a batch is clean_weight * clean + attacked, each with its own y.

    Args:
        epsilon: budget; in price units, for observations in training sd.
        name: an entry of ``hedgecore.attacks.threats.THREATS``.
        steps: gradients per start; FGSM takes one.
        restarts: random starts.
        variance_scale: price units per unit of variance.
        order: p of the Wasserstein ball, for the distribution attacks.
        clean_weight: weight of the clean loss relative to the attacked one; He et al.'s alpha.
        warmup: clean epochs before the attack begins.
        ramp: epochs after the warmup in which epsilon grows to its full size, in equal steps.
        validation_weight: share of the attacked risk in the validation risk that the best epoch
            is selected by. The epochs before epsilon is full are never selected.
    """

    epsilon: float = 0.0
    name: str = "path_pgd"
    steps: int = 5
    restarts: int = 1
    variance_scale: float = 100.0
    order: float = 2.0
    clean_weight: float = 0.0
    warmup: int = 0
    ramp: int = 0
    validation_weight: float = 0.0

    def __post_init__(self) -> None:
        lookup(THREATS, self.name, kind="attack")
        PathBall(epsilon=self.epsilon, variance_scale=self.variance_scale)
        WassersteinBall(epsilon=self.epsilon, order=self.order)
        at_least(self, steps=1, restarts=1, warmup=0, ramp=0, clean_weight=0)
        if not 0 <= self.validation_weight <= 1:
            raise ValueError(f"validation_weight must lie in [0, 1], got {self.validation_weight}")

    @property
    def threat(self) -> Threat:
        """Threat model, and the search for its worst case."""
        return THREATS[self.name]

    @property
    def full_from(self) -> int:
        """First epoch at the full budget, from 1."""
        return 1 if self.epsilon == 0 else self.warmup + max(self.ramp, 1)

    def effort(self, *, verify: bool) -> Effort:
        """Effort of the search; ``verify`` for tests, not for training."""
        return Effort(steps=self.steps, restarts=self.restarts, verify=verify)

    def epsilon_at(self, epoch: int) -> float:
        """Budget in ``epoch``, from 1."""
        if epoch >= self.full_from:
            return self.epsilon
        return self.epsilon * max(0, epoch - self.warmup) / max(self.ramp, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Tests of every trial, independent of its training.

    Args:
        tail: share of worst paths in the CVaR of all columns under attack and in other markets,
            one of ``hedgecore.metrics.TAILS``; 0.5 gives columns ``attacked_cvar_50@...``.
        steps: gradients per start of every attack except FGSM.
        restarts: random starts.
        variance_scale: price units per unit of variance.
        order: p of the Wasserstein ball.
        attacked_paths: number of test paths attacked, from the first; None for all.
        path_fgsm: budgets of this attack, each a column ``attacked_cvar_05@path_fgsm:0.1``; the
            fields of the other ``hedgecore.attacks.threats.THREATS`` are analogous.
        transfer: budgets of a path_pgd computed on the dense network and applied to the ticket.
        regimes: entries of ``hedgecore.market.regimes.REGIMES``.
        shift: largest relative change of the market's parameters; 0 for no such test.
        shift_markets: number of markets with shifted parameters.
        shift_paths: paths in each of these markets.
        interpreted_paths: test paths on which feature importance is measured; 0 for none.
        control_variate: estimate clean CVaR also with the P&L of the minimum-variance delta as
            control variate, in columns ``cvar_05_cv@minimum_variance``.
        control_paths: new paths on which the mean of the control is estimated.
    """

    tail: float = 0.05
    steps: int = 10
    restarts: int = 1
    variance_scale: float = 100.0
    order: float = 2.0
    attacked_paths: int | None = None
    path_fgsm: tuple[float, ...] = ()
    path_pgd: tuple[float, ...] = ()
    path_noise: tuple[float, ...] = ()
    observation_fgsm: tuple[float, ...] = ()
    observation_pgd: tuple[float, ...] = ()
    observation_noise: tuple[float, ...] = ()
    distribution_wpgd: tuple[float, ...] = ()
    distribution_wbpgd: tuple[float, ...] = ()
    transfer: tuple[float, ...] = ()
    regimes: tuple[str, ...] = ()
    shift: float = 0.0
    shift_markets: int = 20
    shift_paths: int = 2048
    interpreted_paths: int = 1024
    control_variate: bool = False
    control_paths: int = 262144

    def __post_init__(self) -> None:
        at_least(self, steps=1, restarts=1, attacked_paths=100, interpreted_paths=0)
        at_least(self, shift_markets=1, shift_paths=100, control_paths=1000)
        if self.tail not in TAILS:
            raise ValueError(f"tail must be one of {', '.join(map(str, TAILS))}, got {self.tail}")
        if not 0 <= self.shift < 1:
            raise ValueError(f"shift must lie in [0, 1), got {self.shift}; it is a share")
        for name in self.regimes:
            lookup(REGIMES, name, kind="regime")
        self.attacks, self.transfers  # noqa: B018 (checks every budget)

    @property
    def measure(self) -> str:
        """Column of CVaR at ``tail``: "cvar_05"."""
        return cvar_name(self.tail)

    @property
    def attacks(self) -> Mapping[str, AttackConfig]:
        """Attacks on the ticket itself, by the part of their column after the @."""
        return {
            f"{field.name}:{epsilon:g}": self._at(field.name, epsilon)
            for field in fields(self)
            if field.name in THREATS
            for epsilon in getattr(self, field.name)
        }

    @property
    def transfers(self) -> Mapping[str, AttackConfig]:
        """Attacks on the dense network whose paths are applied to the ticket, by column."""
        return {f"transfer:{epsilon:g}": self._at(TRANSFER, epsilon) for epsilon in self.transfer}

    def _at(self, name: str, epsilon: float) -> AttackConfig:
        return AttackConfig(
            name=name,
            epsilon=epsilon,
            steps=self.steps,
            restarts=self.restarts,
            variance_scale=self.variance_scale,
            order=self.order,
        )
