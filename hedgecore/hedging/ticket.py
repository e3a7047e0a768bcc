"""A ticket study from beginning to end, without any scheduler.

study = TicketStudy()
preparation = prepare(study, seed=0)              # data, theta_0, dense baseline theta_star
trial = study.with_axes({"sparsity": 0.9, "lr": 5e-3})
ticket = draw_ticket(trial, preparation)
for epoch in train_ticket(trial, preparation, ticket):
    print(epoch.epoch, epoch.val_loss)            # stop whenever you have seen enough
print(assess_ticket(trial, preparation, epoch.theta)["cvar_05"])
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.hedging.baselines import BASELINES, bs_delta_current, hedge
from hedgecore.hedging.evaluate import attacked_columns, attacked_cvar, evaluate, measured
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.network import initialise
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.train import EpochMetrics, epochs_to_criterion, train
from hedgecore.market.heston import simulate
from hedgecore.market.paths import MarketPaths
from hedgecore.metrics import paired_cvar_difference
from hedgecore.pruning import lottery
from hedgecore.pruning.lottery import Ticket
from hedgecore.registry import lookup
from hedgecore.rng import stream

SPLITS = ("train", "val", "test")


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
        data: float32 paths by split, on independent streams.
        standardisation: mean and sd of the features on the training paths.
        theta_0: initial parameters, which every ticket starts from.
        theta_star: the dense network's best parameters, which masks are found on.
        dense: how the dense network did.
        dense_pnl: its clean test P&L, for paired comparisons.
    """

    seed: int
    data: Mapping[str, MarketPaths]
    standardisation: Standardisation
    theta_0: Mapping[str, Tensor]
    theta_star: Mapping[str, Tensor]
    dense: DenseBaseline
    dense_pnl: Float[Tensor, " paths"]

    def to(self, device: torch.device | str) -> "Preparation":
        """The same preparation on ``device``."""
        return replace(
            self,
            data={split: paths.to(device=device) for split, paths in self.data.items()},
            standardisation=Standardisation(
                mean=self.standardisation.mean.to(device), sd=self.standardisation.sd.to(device)
            ),
            theta_0={name: value.to(device) for name, value in self.theta_0.items()},
            theta_star={name: value.to(device) for name, value in self.theta_star.items()},
            dense_pnl=self.dense_pnl.to(device),
        )

    @property
    def theta_0_sha256(self) -> str:
        """The identity of theta_0."""
        return sha256(self.theta_0.values())

    @property
    def data_sha256(self) -> str:
        """The identity of all paths."""
        return sha256(
            t for split in SPLITS for t in (self.data[split].spot, self.data[split].variance)
        )


def prepare(study: TicketStudy, *, seed: int) -> Preparation:
    """Simulate the market, draw theta_0, and train the dense baseline to theta_star.

    Raises:
        DivergedError: the dense baseline does not train; lower ``dense.lr``.
    """
    study = study.dense_study()
    data = market_data(study, seed=seed)
    standardisation = _standardisation(study, data["train"])
    problem = HedgingProblem.of(study, standardisation)
    theta_0 = _initial(study, problem, data["train"], stream(seed, "theta_0"))
    losses = []
    for epoch in train(
        problem,
        theta_0,
        {},
        train_paths=data["train"],
        val_paths=data["val"],
        training=study.training,
        seed=seed,
    ):
        losses.append(epoch.val_loss)
    metrics, pnl = evaluate(problem, epoch.theta, data["test"], seed=seed)
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
        theta_star=epoch.theta,
        dense=dense,
        dense_pnl=pnl,
    )


def restore(
    study: TicketStudy,
    *,
    seed: int,
    theta_0: Mapping[str, Tensor],
    theta_star: Mapping[str, Tensor],
    dense: DenseBaseline,
    dense_pnl: Float[Tensor, " paths"],
) -> Preparation:
    """What :func:`prepare` returned, from its saved results and a market simulated again."""
    study = study.dense_study()
    data = market_data(study, seed=seed)
    return Preparation(
        seed=seed,
        data=data,
        standardisation=_standardisation(study, data["train"]),
        theta_0=theta_0,
        theta_star=theta_star,
        dense=dense,
        dense_pnl=dense_pnl,
    )


def market_data(study: TicketStudy, *, seed: int) -> dict[str, MarketPaths]:
    """Train, validation and test paths in float32, each on a stream of its own."""
    market = study.market
    counts = (market.train_paths, market.val_paths, market.test_paths)
    return {
        split: simulate(
            market.heston,
            paths=count,
            steps=market.steps,
            maturity=market.maturity,
            scheme=market.scheme,
            substeps=market.substeps,
            generator=stream(seed, "paths", split),
        ).to(dtype=torch.float32)
        for split, count in zip(SPLITS, counts, strict=True)
    }


def draw_ticket(study: TicketStudy, preparation: Preparation) -> Ticket:
    """The sub-network that ``study.pruning`` asks for, on theta_0."""
    pruning = study.pruning
    output = [name for name in preparation.theta_star if name.endswith(".weight")][-1]
    generator = stream(preparation.seed, "ticket", pruning.ticket)
    problem = HedgingProblem.of(study, preparation.standardisation)
    return lottery.draw(
        pruning.ticket,
        theta_0=preparation.theta_0,
        theta_star=preparation.theta_star,
        sparsity=pruning.sparsity,
        scope=pruning.scope,
        exclude=() if pruning.prune_output else (output,),
        min_kept=pruning.min_kept,
        generator=generator,
        initialise=lambda g: _initial(study, problem, preparation.data["train"], g),
    )


def train_ticket(
    study: TicketStudy,
    preparation: Preparation,
    ticket: Ticket,
    *,
    resume: Mapping[str, Tensor] | None = None,
) -> Iterator[EpochMetrics]:
    """Train ``ticket`` on the shared data, under the study's attack; from ``resume`` on, if given.

    See :func:`hedgecore.hedging.train.train`.
    """
    return train(
        HedgingProblem.of(study, preparation.standardisation),
        ticket.theta,
        ticket.mask,
        train_paths=preparation.data["train"],
        val_paths=preparation.data["val"],
        training=study.training,
        seed=preparation.seed,
        resume=resume,
    )


def assess_ticket(
    study: TicketStudy, preparation: Preparation, theta: Mapping[str, Tensor]
) -> dict[str, float]:
    """All test metrics of a trained ticket, and its paired difference to dense in CVaR."""
    problem = HedgingProblem.of(study, preparation.standardisation)
    row, pnl = evaluate(problem, theta, preparation.data["test"], seed=preparation.seed)
    difference, error = paired_cvar_difference(pnl, preparation.dense_pnl, tail=0.05)
    return {**row, "cvar_05_minus_dense": difference, "cvar_05_minus_dense_se": error}


def validate_ticket(
    study: TicketStudy,
    preparation: Preparation,
    theta: Mapping[str, Tensor],
    columns: Iterable[str],
) -> dict[str, float]:
    """CVaR of a trained ticket under attack on the validation paths, in currency, by column.

    A search may choose by these where the test metrics of the same name would be a leak.

    Args:
        study: what the ticket was trained in; its evaluation says which attacks there are.
        preparation: gives the paths.
        theta: parameters of the ticket.
        columns: some of :func:`validation_columns`.
    Raises:
        ValueError: another column.
    """
    problem = HedgingProblem.of(study, preparation.standardisation)
    epsilons = validation_columns(study)
    return {
        column: attacked_cvar(
            problem,
            theta,
            preparation.data["val"],
            epsilon=lookup(epsilons, column, kind="column"),
            seed=preparation.seed,
            split="val",
        )
        for column in columns
    }


def validation_columns(study: TicketStudy) -> dict[str, float]:
    """The budget of every column that :func:`validate_ticket` can compute, in price units."""
    return {f"val_{name}": e for name, e in attacked_columns(study.evaluation).items()}


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


def _initial(
    study: TicketStudy, problem: HedgingProblem, paths: MarketPaths, generator: torch.Generator
) -> dict[str, Tensor]:
    """theta_0; a trained ``y`` starts where it is optimal for the untrained network."""
    drawn = initialise(study.network.hidden, generator=generator)
    theta = {name: value.to(paths.spot.device) for name, value in drawn.items()}
    if study.risk.y == "parameter":
        theta["y"] = problem.measure.optimal_y(problem.outcomes(theta, paths).pnl)
    return theta
