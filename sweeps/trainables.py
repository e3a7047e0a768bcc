"""One trial: a Tune function that trains one ticket and reports its epochs.

The training itself is ``hedgecore.hedging.ticket``; here is only what connects it to Ray.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

import torch
from ray import tune
from safetensors.torch import save
from torch import Tensor

from hedgecore.config import from_mapping
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.ticket import assess_ticket, draw_ticket, sha256, train_ticket
from hedgecore.hedging.train import DivergedError
from hedgecore.pruning import mask as masks
from hedgecore.pruning.lottery import Ticket
from sweeps.shared import Shared


def train_trial(
    config: dict[str, Any], *, preparations: Mapping[str, Shared], device: str
) -> None:
    """Draw the ticket that ``config["trial"]`` describes, train it, test it, report it all."""
    torch.set_num_threads(1)  # so that a result does not depend on what runs beside it
    trial = config["trial"]
    began = time.perf_counter()
    study = from_mapping(TicketStudy, trial["study"])
    shared = preparations[trial["preparation"]]
    preparation = shared.fetch()
    theta_0 = sha256(preparation.theta_0.values())
    assert theta_0 == trial["theta_0_sha256"], "theta_0 changed on its way to the trial"
    preparation = preparation.to(device)

    ticket = draw_ticket(study, preparation)
    facts = _about(ticket)
    try:
        for epoch in train_ticket(study, preparation, ticket):
            tune.report({**epoch.row(), "seconds": time.perf_counter() - began, "ticket": facts})
    except DivergedError as error:
        end: dict[str, Any] = {"status": "failed", "error": f"{error} (lr {study.training.lr:g})"}
        tune.report({"end": {**end, "seconds": time.perf_counter() - began, **facts}})
        return
    tested = assess_ticket(study, preparation, epoch.theta)
    end = {
        "status": "completed",
        **facts,
        **tested,
        "seconds": time.perf_counter() - began,
    }
    tune.report(
        {"end": end, "model": _packed(trial, ticket, epoch.theta, preparation.standardisation)}
    )


def device_for(gpu: float) -> str:
    """Where trials train: on the accelerator if the space asks for one."""
    return "cuda" if gpu > 0 else "cpu"


def _about(ticket: Ticket) -> dict[str, Any]:
    layers = masks.report(ticket.mask)
    return {
        "sparsity_achieved": masks.sparsity(ticket.mask),
        "weights_kept": masks.kept(ticket.mask),
        "weights_total": masks.total(ticket.mask),
        "dead_units": sum(layer.dead_units for layer in layers),
    }


def _packed(
    trial: Mapping[str, Any], ticket: Ticket, theta: Mapping[str, Tensor], s: Any
) -> bytes:
    """The trained ticket as safetensors: parameters, masks, standardisation, and its trial."""
    tensors = {
        **theta,
        **{f"mask.{name}": m for name, m in ticket.mask.items()},
        "standardisation.mean": s.mean,
        "standardisation.sd": s.sd,
    }
    # Contiguous copies: safetensors stores no views.
    stored = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    return save(stored, metadata={"trial": json.dumps(trial)})
