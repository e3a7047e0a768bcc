"""Run of one trial of a tickets sweep: draw, train and assess its ticket."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from hedgecore.hedging.divergence import divergence
from hedgecore.hedging.features import FEATURE_NAMES
from hedgecore.hedging.preparation import Preparation
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.ticket import (
    assess_ticket,
    draw_ticket,
    interpret_ticket,
    train_ticket,
    validate_ticket,
)
from hedgecore.protocols import Json
from hedgecore.pruning import mask as masks
from hedgecore.pruning.lottery import Ticket
from hedgecore.training.convergence import DivergedError
from hedgecore.training.run import Assessment, Training
from hedgecore.training.snapshot import best_theta

_MASK = "mask."


def train(
    study: TicketStudy,
    preparation: Preparation,
    *,
    device: str,
    resume: Mapping[str, Tensor] | None,
) -> Training:
    """Draw the ticket of ``study``, or restore it from a checkpoint, and train it."""
    preparation = preparation.to(device)
    if resume is None:
        ticket, snapshot = draw_ticket(study, preparation), None
    else:
        ticket = _resumed(resume, device)
        snapshot = {name: t for name, t in resume.items() if not name.startswith(_MASK)}
    return Training(
        epochs=train_ticket(study, preparation, ticket, resume=snapshot),
        facts=_facts(ticket),
        # An iterative schedule takes long to compute a mask.
        constants=_masks(ticket),
        check=partial(_check, study, preparation, device),
        assess=partial(_assess, study, preparation, ticket, device),
    )


def _facts(ticket: Ticket) -> Json:
    return {
        "sparsity_achieved": masks.sparsity(ticket.mask),
        "weights_kept": masks.weights(ticket.mask),
        "weights_total": masks.total(ticket.mask),
        "dead_units": sum(masks.dead_units(ticket.mask)),
    }


def _masks(ticket: Ticket) -> dict[str, Tensor]:
    return {_MASK + name: m.cpu() for name, m in ticket.mask.items()}


def _resumed(checkpoint: Mapping[str, Tensor], device: str) -> Ticket:
    """The ticket of a checkpoint."""
    theta = {name: value.to(device) for name, value in best_theta(checkpoint).items()}
    return Ticket(
        mask={n: checkpoint[_MASK + n].to(device) for n in theta if _MASK + n in checkpoint},
        theta=theta,
    )


def _check(
    study: TicketStudy, preparation: Preparation, device: str, best: Mapping[str, Any]
) -> None:
    problem = HedgingProblem.of(study, preparation.standardisation)
    theta = {name: value.to(device) for name, value in best.items()}
    if reason := divergence(problem, theta, preparation.data["val"]):
        raise DivergedError(reason)


def _assess(
    study: TicketStudy,
    preparation: Preparation,
    ticket: Ticket,
    device: str,
    best: Mapping[str, Any],
    columns: Sequence[str],
) -> Assessment:
    """All metrics of a trained ticket; its file also contains its feature importance."""
    theta = {name: value.to(device) for name, value in best.items()}
    test_columns = assess_ticket(study, preparation, theta)
    val_columns = validate_ticket(study, preparation, theta, columns)
    interpretation = interpret_ticket(study, preparation, theta, ticket.mask)
    return Assessment(
        columns={**test_columns, **val_columns},
        model={
            **theta,
            **_masks(ticket),
            "standardisation.mean": preparation.standardisation.mean,
            "standardisation.sd": preparation.standardisation.sd,
            **{f"interpretation.{name}": value for name, value in interpretation.items()},
        },
        about={"features": FEATURE_NAMES},
    )
