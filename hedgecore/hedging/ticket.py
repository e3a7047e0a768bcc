"""Complete ticket study, without a scheduler.

study = TicketStudy()
preparation = prepare(study, seed=0)              # data, theta_0, dense baseline theta_star
trial = study.with_axes({"sparsity": 0.9, "lr": 5e-3})
ticket = draw_ticket(trial, preparation)
for epoch in train_ticket(trial, preparation, ticket):
    print(epoch.epoch, epoch.val_loss)            # may be stopped at any epoch
print(assess_ticket(trial, preparation, epoch.theta)["cvar_05"])
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from hedgecore.hedging.attack_config import AttackConfig
from hedgecore.hedging.evaluate import attacked_columns, attacked_cvar, evaluate
from hedgecore.hedging.feature_importance import interpretation
from hedgecore.hedging.preparation import Preparation
from hedgecore.hedging.prepare import initial
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.train import EpochMetrics, train
from hedgecore.market.paths import MarketPaths
from hedgecore.metrics import paired_cvar_difference
from hedgecore.pruning.allocation import levels
from hedgecore.pruning.criteria import CRITERIA, find_mask
from hedgecore.pruning.lottery import Ticket, rewind, shuffled
from hedgecore.pruning.mask import Mask, Parameters, prunable
from hedgecore.registry import lookup
from hedgecore.risk import risk
from hedgecore.rng import stream

# Number of training paths in the loss of criteria that need one.
_SCORED = 4096


def draw_ticket(study: TicketStudy, preparation: Preparation) -> Ticket:
    """Ticket of ``study.pruning``: mask and starting point.

    An iterative schedule trains a network at every level except the last, each for as many epochs
    as the dense baseline.
    """
    pruning = study.pruning
    generator = stream(preparation.seed, "ticket", pruning.ticket, pruning.criterion)
    problem = HedgingProblem.of(study, preparation.standardisation)
    if pruning.ticket == "small_dense":
        small = initial(problem, preparation.data["train"], generator)
        full_mask = {n: torch.ones_like(small[n], dtype=torch.bool) for n in prunable(small)}
        return Ticket(mask=full_mask, theta=_with_own_y(study, small))
    mask, parameters = _mask(study, preparation, generator)
    start = _start(study, preparation, parameters)
    if pruning.ticket == "shuffled_mask":
        mask = shuffled(mask, generator=generator)
    if pruning.ticket == "random_reinit":
        start = initial(problem, preparation.data["train"], generator)
    return Ticket(mask=mask, theta=_with_own_y(study, rewind(start, mask)))


def train_ticket(
    study: TicketStudy,
    preparation: Preparation,
    ticket: Ticket,
    *,
    resume: Mapping[str, Tensor] | None = None,
) -> Iterator[EpochMetrics]:
    """Train ``ticket`` on the shared data under the study's attack, from ``resume`` if given.

    See :func:`hedgecore.hedging.train.train`.
    """
    training = study.training
    if study.pruning.rewind == "finetune":
        training = replace(training, schedule="constant", warmup=0)
    elif training.warmup and training.warmup_lr is None:
        training = replace(training, warmup_lr=study.dense.lr)
    return train(
        HedgingProblem.of(study, preparation.standardisation),
        ticket.theta,
        ticket.mask,
        train_paths=preparation.data["train"],
        val_paths=preparation.data["val"],
        training=training,
        seed=preparation.seed,
        first_step=_first_step(study),
        resume=resume,
    )


def assess_ticket(
    study: TicketStudy, preparation: Preparation, theta: Parameters
) -> dict[str, float]:
    """All test metrics of a trained ticket, and its paired difference to dense in CVaR."""
    problem = HedgingProblem.of(study, preparation.standardisation)
    row, pnl = evaluate(
        problem,
        theta,
        preparation.data,
        seed=preparation.seed,
        control=preparation.control,
    )
    difference, error = paired_cvar_difference(pnl, preparation.dense_pnl, tail=0.05)
    return {**row, "cvar_05_minus_dense": difference, "cvar_05_minus_dense_se": error}


def validate_ticket(
    study: TicketStudy, preparation: Preparation, theta: Parameters, columns: Iterable[str]
) -> dict[str, float]:
    """CVaR of a trained ticket under attack on the validation paths, in currency, by column.

    Objectives for a search, for which the test metrics of the same name would be a leak.

    Raises:
        ValueError: a column that is not in :func:`validation_columns`.
    """
    problem = HedgingProblem.of(study, preparation.standardisation)
    attacks = validation_columns(study)
    return {
        column: attacked_cvar(
            problem,
            theta,
            preparation.data["val"],
            attack=lookup(attacks, column, kind="column"),
            seed=preparation.seed,
            split="val",
        )
        for column in columns
    }


def interpret_ticket(
    study: TicketStudy, preparation: Preparation, theta: Parameters, mask: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Feature importance of a trained ticket; see :func:`.feature_importance.interpretation`."""
    problem = HedgingProblem.of(study, preparation.standardisation)
    return interpretation(problem, theta, mask, preparation.data["test"], seed=preparation.seed)


def validation_columns(study: TicketStudy) -> dict[str, AttackConfig]:
    """Attack of every column that :func:`validate_ticket` can compute."""
    return {f"val_{name}": a for name, a in attacked_columns(study.evaluation).items()}


def _mask(
    study: TicketStudy, preparation: Preparation, generator: torch.Generator
) -> tuple[Mask, Parameters]:
    """Mask of the study, and the trained parameters that its last level was computed from."""
    pruning, dense = study.pruning, study.shared_study()
    problem = HedgingProblem.of(dense, preparation.standardisation)
    names = prunable(preparation.theta_0)
    if not pruning.prune_output:
        names = names[:-1]
    at_init = CRITERIA[pruning.scored_by].at_init
    parameters, mask = preparation.theta_mask, None
    iterative = pruning.schedule == "iterative"
    for level in levels(pruning.sparsity, pruning.rounds if iterative else 1):
        if mask is not None and not at_init:
            *_, last = train(
                problem,
                rewind(_start(study, preparation, parameters), mask),
                mask,
                train_paths=preparation.data["train"],
                val_paths=preparation.data["val"],
                training=dense.training,
                seed=preparation.seed,
                first_step=_first_step(study),
            )
            parameters = last.theta
        mask = find_mask(
            pruning.scored_by,
            preparation.theta_0 if at_init else parameters,
            names,
            sparsity=level,
            scope=pruning.scope,
            min_kept=pruning.min_kept,
            within=mask,
            loss=lambda theta: _scored(problem, theta, preparation.data["train"]),
            generator=generator,
        )
    assert mask is not None, "every schedule has a level"
    return mask, parameters


def _start(study: TicketStudy, preparation: Preparation, parameters: Parameters) -> Parameters:
    """Rewinding point, given the network that determined the mask."""
    points = {"init": preparation.theta_0, "step": preparation.theta_k}
    return points.get(study.pruning.rewind, parameters)


def _first_step(study: TicketStudy) -> int:
    """Steps of the learning-rate schedule that a ticket skips."""
    pruning = study.pruning
    return pruning.rewind_step if pruning.rewind in ("step", "lr") else 0


def _with_own_y(study: TicketStudy, theta: dict[str, Tensor]) -> dict[str, Tensor]:
    """``theta`` with a second y if training uses both clean and attacked paths."""
    if "y" in theta and study.attack.epsilon and study.attack.clean_weight:
        return {**theta, "y_attacked": theta["y"].clone()}
    return theta


def _scored(problem: HedgingProblem, theta: Parameters, paths: MarketPaths) -> Tensor:
    """Twice differentiable risk of ``theta`` on the first training paths."""
    pnl = problem.outcome(theta, Scene(paths.spot[:_SCORED], paths.variance[:_SCORED])).pnl
    return risk(problem.risk, pnl)
