"""Preparation of a seed: simulate markets, draw theta_0, train the dense networks."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from hedgecore.hedging.baseline_hedges import BaselineHedges
from hedgecore.hedging.baselines import MINIMUM_VARIANCE, black_scholes
from hedgecore.hedging.control import Control
from hedgecore.hedging.divergence import divergence
from hedgecore.hedging.evaluate import evaluate
from hedgecore.hedging.feature_importance import interpretation
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.markets import market_data, transferred
from hedgecore.hedging.network import initialise
from hedgecore.hedging.preparation import DenseBaseline, Preparation, stored_fields
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.train import parameters_after, train
from hedgecore.market.paths import MarketPaths
from hedgecore.protocols import Json, Tensors
from hedgecore.pruning.mask import Parameters
from hedgecore.risk import risk
from hedgecore.rng import stream
from hedgecore.training.convergence import DivergedError, epochs_to_criterion


def prepare(study: TicketStudy, *, seed: int, base: Preparation | None = None) -> Preparation:
    """Simulate the markets, draw theta_0, and train the dense networks.

    Args:
        study: only its ``shared_study()`` matters.
        seed: seed of every random stream.
        base: the preparation of ``study.base_study()``, if available: then only the network
            trained under attack is added.

    A dense network that diverges is named in the result, whose trials then fail; its parameters
    are the best before that.
    """
    study = study.shared_study()
    clean = study.base_study()
    preparation = _clean(clean, seed=seed) if base is None else base
    if study == clean:
        return preparation
    problem = HedgingProblem.of(study, preparation.standardisation)
    robust = _trained(problem, preparation.theta_0, preparation.data, seed=seed)
    theta_k = _rewound(problem, preparation.theta_0, preparation.data, seed=seed)
    return replace(
        preparation, theta_mask=robust.theta, theta_k=theta_k, mask_diverged=robust.diverged
    )


def _clean(study: TicketStudy, *, seed: int) -> Preparation:
    data = market_data(study, seed=seed)
    standardisation = _standardisation(study, data["train"])
    problem = HedgingProblem.of(study, standardisation)
    theta_0 = initial(problem, data["train"], stream(seed, "theta_0"))
    trained = _trained(problem, theta_0, data, seed=seed)
    losses, theta_star = trained.losses, trained.theta
    data |= transferred(problem, theta_star, data["test"], seed=seed)
    control = None
    if study.evaluation.control_variate:
        hedges = BaselineHedges.of(study, standardisation, data)
        control = Control.of(hedges.problems[MINIMUM_VARIANCE], data["test"], seed=seed)
    metrics, pnl = evaluate(problem, theta_star, data, seed=seed, control=control)
    best = min(losses) if losses else _risk(problem, theta_star, data["val"])
    dense = DenseBaseline(
        val_loss=best,
        epochs=len(losses),
        epochs_to_95pct=epochs_to_criterion(losses, reference=best),
        metrics=metrics,
        diverged=trained.diverged,
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
        control=control,
        interpretation=interpretation(problem, theta_star, {}, data["test"], seed=seed),
    )


def restore(
    study: TicketStudy,
    *,
    seed: int,
    about: Json,
    files: Mapping[str, Tensors],
    base: Preparation | None = None,
) -> Preparation:
    """Result of :func:`prepare`, restored from its stored parts and re-simulated markets."""
    fields = stored_fields(about, files)
    if base is not None:
        return replace(base, **fields)
    study = study.base_study()
    data = market_data(study, seed=seed)
    standardisation = _standardisation(study, data["train"])
    problem = HedgingProblem.of(study, standardisation)
    data |= transferred(problem, fields["theta_star"], data["test"], seed=seed)
    return Preparation(seed=seed, data=data, standardisation=standardisation, **fields)


def mismatch(study: TicketStudy, preparation: Preparation) -> str | None:
    """Part of a restored preparation that is not reproduced; None if all parts are."""
    problem = HedgingProblem.of(study.shared_study(), preparation.standardisation)
    metrics, pnl = evaluate(
        problem,
        preparation.theta_star,
        preparation.data,
        seed=preparation.seed,
        control=preparation.control,
    )
    same = _finite(metrics) == _finite(preparation.dense.metrics)
    if same and torch.equal(pnl, preparation.dense_pnl):
        return None
    return "holds a theta_star that does not reproduce the metrics of facts.json"


def reproduced(study: TicketStudy, preparation: Preparation) -> bool:
    """True if the dense network has the P&L of ``preparation`` on every clean test path."""
    problem = HedgingProblem.of(study.shared_study(), preparation.standardisation)
    pnl = problem.outcomes(preparation.theta_star, preparation.data["test"]).pnl
    return torch.equal(pnl, preparation.dense_pnl)


def initial(
    problem: HedgingProblem, paths: MarketPaths, generator: torch.Generator
) -> dict[str, Tensor]:
    """Initial parameters; a trained ``y`` starts at the optimum of the untrained network."""
    study = problem.study
    weights = initialise(study.hidden, generator=generator)
    theta = {name: value.to(paths.spot.device) for name, value in weights.items()}
    if study.risk.y == "parameter":
        theta["y"] = problem.risk.optimal_y(problem.outcomes(theta, paths).pnl)
    return theta


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Those of ``metrics`` that are finite; a file has null for the others."""
    return {n: v for n, v in metrics.items() if v is not None and math.isfinite(v)}


def _standardisation(study: TicketStudy, paths: MarketPaths) -> Standardisation:
    # The network's own past is unavailable before training; this hedge has the same scale.
    position = black_scholes(study, paths.spot[:, :-1], paths.variance[:, :-1].sqrt())
    return Standardisation.fit(paths.spot, paths.variance, position, strike=study.option.strike)


class _Dense(NamedTuple):
    """Validation risk of every epoch, the best parameters, and why they count as diverged."""

    losses: list[float]
    theta: dict[str, Tensor]
    diverged: str | None


def _trained(
    problem: HedgingProblem, start: Parameters, data: Mapping[str, MarketPaths], *, seed: int
) -> _Dense:
    losses, theta = [], dict(start)
    try:
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
            theta = dict(epoch.theta)
    except DivergedError as error:
        return _Dense(losses, theta, f"{error} (dense.lr {problem.study.dense.lr:g})")
    reason = divergence(problem, theta, data["val"], lr="dense.lr", epochs="dense.epochs")
    return _Dense(losses, theta, reason)


def _risk(problem: HedgingProblem, theta: Parameters, paths: MarketPaths) -> float:
    return float(risk(problem.risk, problem.outcomes(theta, paths).pnl.double()))


def _rewound(
    problem: HedgingProblem, start: Parameters, data: Mapping[str, MarketPaths], *, seed: int
) -> dict[str, Tensor]:
    """Parameters of the dense network after the study's ``rewind_step`` steps."""
    return parameters_after(
        problem.study.pruning.rewind_step,
        problem,
        start,
        train_paths=data["train"],
        training=problem.study.training,
        seed=seed,
    )
