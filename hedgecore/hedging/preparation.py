"""What the trials of one seed share: markets, theta_0, and the dense networks trained from it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.hedging.baselines import BASELINES, bs_delta_current, hedge
from hedgecore.hedging.evaluate import evaluate, measured
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.interpret import interpretation
from hedgecore.hedging.markets import SPLITS, market_data, transferred
from hedgecore.hedging.network import initialise
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.train import parameters_after, train
from hedgecore.market.paths import MarketPaths
from hedgecore.pruning.mask import Parameters
from hedgecore.rng import stream
from hedgecore.training.convergence import epochs_to_criterion

NETWORKS = ("theta_0", "theta_star", "theta_mask", "theta_k")


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseBaseline:
    """The dense network trained on clean paths: what a ticket is judged against."""

    val_loss: float
    epochs: int
    epochs_to_95pct: int | None
    metrics: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    """The same metrics of every hedge that needs no training, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """All that the trials of one seed share; nothing in it is ever written to.

    Args:
        seed: names every stream of the study.
        data: float32 paths by market; see :func:`hedgecore.hedging.markets.market_data`.
        standardisation: mean and sd of the features on the training paths.
        theta_0: initial parameters, which every ticket starts from.
        theta_star: the best parameters of the dense network, trained on clean paths.
        theta_mask: those of the dense network that masks are found on; theta_star, or one that was
            trained under attack.
        theta_k: parameters of that network after ``rewind_step`` steps.
        dense: how theta_star did.
        dense_pnl: its clean test P&L, for paired comparisons.
        interpretation: what theta_star looks at; see ``hedgecore.hedging.interpret``.
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

    @property
    def networks(self) -> dict[str, Parameters]:
        """All parameters, by the name of their field."""
        return {name: getattr(self, name) for name in NETWORKS}

    def to(self, device: torch.device | str) -> "Preparation":
        """The same preparation on ``device``."""

        def moved(tensors: Mapping[str, Tensor]) -> Parameters:
            return {name: value.to(device) for name, value in tensors.items()}

        return replace(
            self,
            data={split: paths.to(device=device) for split, paths in self.data.items()},
            standardisation=Standardisation(
                mean=self.standardisation.mean.to(device), sd=self.standardisation.sd.to(device)
            ),
            theta_0=moved(self.theta_0),
            theta_star=moved(self.theta_star),
            theta_mask=moved(self.theta_mask),
            theta_k=moved(self.theta_k),
            dense_pnl=self.dense_pnl.to(device),
        )

    @property
    def networks_sha256(self) -> dict[str, str]:
        """The identity of every network, by its name."""
        return {name: sha256(theta.values()) for name, theta in self.networks.items()}

    @property
    def data_sha256(self) -> str:
        """The identity of all paths of the study's own market."""
        return sha256(
            t for split in SPLITS for t in (self.data[split].spot, self.data[split].variance)
        )


def prepare(study: TicketStudy, *, seed: int, base: Preparation | None = None) -> Preparation:
    """Simulate the markets, draw theta_0, and train the dense networks.

    Args:
        study: all that it depends on is in its ``dense_study()``.
        seed: names every stream.
        base: the preparation of ``study.clean_study()``, if there is one already: then only the
            network that is trained under attack is missing.
    Raises:
        DivergedError: a dense network does not train; lower ``dense.lr``.
    """
    study = study.dense_study()
    clean = study.clean_study()
    made = _clean(clean, seed=seed) if base is None else base
    if study == clean:
        return made
    problem = HedgingProblem.of(study, made.standardisation)
    _, theta_mask = _trained(problem, made.theta_0, made.data, seed=seed)
    theta_k = _rewound(problem, made.theta_0, made.data, seed=seed)
    return replace(made, theta_mask=theta_mask, theta_k=theta_k)


def _clean(study: TicketStudy, *, seed: int) -> Preparation:
    data = market_data(study, seed=seed)
    standardisation = _standardisation(study, data["train"])
    problem = HedgingProblem.of(study, standardisation)
    theta_0 = initial(problem, data["train"], stream(seed, "theta_0"))
    losses, theta_star = _trained(problem, theta_0, data, seed=seed)
    data |= transferred(problem, theta_star, data["test"], seed=seed)
    metrics, pnl = evaluate(problem, theta_star, data, seed=seed)
    dense = DenseBaseline(
        val_loss=min(losses),
        epochs=len(losses),
        epochs_to_95pct=epochs_to_criterion(losses, reference=min(losses)),
        metrics=metrics,
        baselines={
            name: measured(study, hedge(name, study, data["test"]), data["test"])
            for name in BASELINES
        },
    )
    return Preparation(
        seed=seed,
        data=data,
        standardisation=standardisation,
        theta_0=theta_0,
        theta_star=theta_star,
        theta_mask=theta_star,
        theta_k=_rewound(problem, theta_0, data, seed=seed),
        dense=dense,
        dense_pnl=pnl,
        interpretation=interpretation(problem, theta_star, {}, data["test"], seed=seed),
    )


def restore(
    study: TicketStudy,
    *,
    seed: int,
    networks: Mapping[str, Parameters],
    dense: DenseBaseline,
    dense_pnl: Float[Tensor, " paths"],
) -> Preparation:
    """What :func:`prepare` returned, from its saved results and markets simulated again.

    Args:
        study: as :func:`prepare` got it.
        seed: likewise.
        networks: :attr:`Preparation.networks`.
        dense: as in the preparation.
        dense_pnl: likewise.
    """
    study = study.clean_study()
    data = market_data(study, seed=seed)
    standardisation = _standardisation(study, data["train"])
    problem = HedgingProblem.of(study, standardisation)
    data |= transferred(problem, networks["theta_star"], data["test"], seed=seed)
    return Preparation(
        seed=seed,
        data=data,
        standardisation=standardisation,
        dense=dense,
        dense_pnl=dense_pnl,
        **networks,
    )


def initial(
    problem: HedgingProblem, paths: MarketPaths, generator: torch.Generator
) -> dict[str, Tensor]:
    """Initial parameters; a trained ``y`` starts where it is optimal for the untrained network."""
    study = problem.study
    drawn = initialise(study.hidden, generator=generator)
    theta = {name: value.to(paths.spot.device) for name, value in drawn.items()}
    if study.risk.y == "parameter":
        theta["y"] = problem.measure.optimal_y(problem.outcomes(theta, paths).pnl)
    return theta


def sha256(tensors: Iterable[Tensor]) -> str:
    """sha256 (hex) of the bytes of ``tensors``, in order."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _standardisation(study: TicketStudy, paths: MarketPaths) -> Standardisation:
    # The network's own past is unknown before it is trained; the Black-Scholes hedge has the same
    # scale.
    return Standardisation.fit(
        paths.spot, paths.variance, bs_delta_current(study, paths), strike=study.option.strike
    )


def _trained(
    problem: HedgingProblem, start: Parameters, data: Mapping[str, MarketPaths], *, seed: int
) -> tuple[list[float], dict[str, Tensor]]:
    """Validation risk of every epoch of the dense network, and its best parameters."""
    losses = []
    for epoch in train(
        problem,
        start,
        {},
        train_paths=data["train"],
        val_paths=data["val"],
        training=problem.study.training,
        seed=seed,
    ):
        losses.append(epoch.val_loss)
    return losses, dict(epoch.theta)


def _rewound(
    problem: HedgingProblem, start: Parameters, data: Mapping[str, MarketPaths], *, seed: int
) -> dict[str, Tensor]:
    """Parameters of the dense network after as many steps as the study rewinds to."""
    return parameters_after(
        problem.study.pruning.rewind_step,
        problem,
        start,
        train_paths=data["train"],
        training=problem.study.training,
        seed=seed,
    )
