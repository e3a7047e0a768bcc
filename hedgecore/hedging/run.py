"""One trial of a tickets sweep, from its plain description to the file of its ticket.

The training itself is ``ticket.py``; here is what crosses the border to whoever schedules: rows,
checkpoints and models as bytes.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from hedgecore.config import from_mapping
from hedgecore.fingerprints import tensor_sha256
from hedgecore.hedging.features import FEATURE_NAMES, Standardisation
from hedgecore.hedging.preparation import Preparation
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.ticket import (
    assess_ticket,
    draw_ticket,
    interpret_ticket,
    train_ticket,
    validate_ticket,
)
from hedgecore.hedging.train import EpochMetrics
from hedgecore.pruning import mask as masks
from hedgecore.pruning.lottery import Ticket
from hedgecore.threads import one_thread
from hedgecore.training.snapshot import best_theta

_SECONDS, _MASK = "seconds", "mask."


class TicketRun:
    """Draws the ticket that ``trial`` describes and trains it.

    Args:
        trial: configuration, study and identity of the trial, as plain data.
        checkpoint: where an earlier run was; None to begin at theta_0.
        preparation: what the trials of its seed share.
        device: where to train.
    """

    def __init__(
        self,
        trial: Mapping[str, Any],
        checkpoint: bytes | None,
        *,
        preparation: Preparation,
        device: str,
    ) -> None:
        one_thread()
        self._began = time.perf_counter()
        self._trial = trial
        self._study = from_mapping(TicketStudy, trial["study"])
        theta_0 = tensor_sha256(preparation.theta_0.values())
        assert theta_0 == trial["theta_0_sha256"], "theta_0 changed on its way to the trial"
        self._preparation, self._device = preparation.to(device), device
        self._resume = load(checkpoint) if checkpoint else None
        if self._resume is None:
            self._ticket = draw_ticket(self._study, self._preparation)
        else:
            self._began -= float(self._resume.pop(_SECONDS))
            self._ticket = _unpacked(self._resume, self._preparation)
        self._last: EpochMetrics | None = None
        self.facts = _about(self._ticket)

    def epochs(self) -> Iterator[dict[str, Any]]:
        """See :class:`hedgecore.experiment.Run`."""
        for epoch in train_ticket(
            self._study, self._preparation, self._ticket, resume=self._resume
        ):
            self._last = epoch
            yield {**epoch.row(), "seconds": self._seconds()}

    def checkpoint(self) -> bytes:
        """See :class:`hedgecore.experiment.Run`."""
        assert self._last is not None, "nothing was trained since the last checkpoint"
        seconds = torch.tensor(self._seconds(), dtype=torch.float64)
        # With its mask, which an iterative schedule takes long to find.
        return save({**self._last.snapshot(), **_masks(self._ticket), _SECONDS: seconds})

    def finish(self, *columns: str) -> tuple[dict[str, Any], bytes]:
        """See :class:`hedgecore.experiment.Run`."""
        if self._last is None:
            assert self._resume is not None, "a run has at least one epoch"
            theta: Mapping[str, Tensor] = {
                name: value.to(self._device) for name, value in best_theta(self._resume).items()
            }
        else:
            theta = self._last.theta
        tested = assess_ticket(self._study, self._preparation, theta)
        validated = validate_ticket(self._study, self._preparation, theta, columns)
        end = {**tested, **validated, "seconds": self._seconds()}
        interpretation = interpret_ticket(self._study, self._preparation, theta, self._ticket.mask)
        return end, _packed(
            self._trial, self._ticket, theta, self._preparation.standardisation, interpretation
        )

    def _seconds(self) -> float:
        return time.perf_counter() - self._began


def _about(ticket: Ticket) -> dict[str, Any]:
    layers = masks.report(ticket.mask)
    return {
        "sparsity_achieved": masks.sparsity(ticket.mask),
        "weights_kept": masks.kept(ticket.mask),
        "weights_total": masks.total(ticket.mask),
        "dead_units": sum(layer.dead_units for layer in layers),
    }


def _masks(ticket: Ticket) -> dict[str, Tensor]:
    return {_MASK + name: m.cpu() for name, m in ticket.mask.items()}


def _unpacked(checkpoint: dict[str, Tensor], preparation: Preparation) -> Ticket:
    """The ticket of a checkpoint, which its masks are taken out of."""
    device = preparation.dense_pnl.device
    best = best_theta(checkpoint)
    # In the order of the network, which a file does not keep: sums over parameters depend on it.
    names = [*preparation.theta_0, *(name for name in best if name not in preparation.theta_0)]
    return Ticket(
        mask={n: checkpoint.pop(_MASK + n).to(device) for n in names if _MASK + n in checkpoint},
        theta={name: best[name].to(device) for name in names},
    )


def _packed(
    trial: Mapping[str, Any],
    ticket: Ticket,
    theta: Mapping[str, Tensor],
    s: Standardisation,
    interpretation: Mapping[str, Tensor],
) -> bytes:
    """The trained ticket as safetensors, with what it looks at and the trial it is of."""
    tensors = {
        **theta,
        **_masks(ticket),
        "standardisation.mean": s.mean,
        "standardisation.sd": s.sd,
        **{f"interpretation.{name}": value for name, value in interpretation.items()},
    }
    # Contiguous copies: safetensors stores no views.
    stored = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    # One entry: safetensors writes several in an order that changes from run to run.
    return save(stored, metadata={"trial": json.dumps({**trial, "features": FEATURE_NAMES})})
