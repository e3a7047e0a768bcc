"""Adam, as a function on tensors.

``torch.optim.Adam`` computes the same numbers, but its constructor imports torch's compiler, which
takes every worker more than a second.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

Moments = dict[str, Tensor]
"""State of one parameter: "step", "exp_avg" and "exp_avg_sq"."""

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


def zero_moments(theta: Mapping[str, Tensor]) -> dict[str, Moments]:
    """Moments before the first step, by parameter."""
    return {
        name: {
            "step": torch.zeros((), device=value.device),
            "exp_avg": torch.zeros_like(value, requires_grad=False),
            "exp_avg_sq": torch.zeros_like(value, requires_grad=False),
        }
        for name, value in theta.items()
    }


@torch.no_grad()
def step(
    theta: Mapping[str, Tensor],
    moments: Mapping[str, Moments],
    *,
    lr: float,
    names: Iterable[str] | None = None,
) -> None:
    """Update ``theta`` and ``moments`` in place by the gradients in ``theta``.

    Args:
        theta: parameters; one without a gradient is left alone, as are its moments.
        moments: their moments.
        lr: learning rate.
        names: those to update; None for all.

    Source: Kingma and Ba (2015), with its default decay rates.
    """
    updated = [n for n in (theta if names is None else names) if theta[n].grad is not None]
    if not updated:
        return
    gradients = [grad for n in updated if (grad := theta[n].grad) is not None]
    state = [moments[name] for name in updated]
    for one in state:
        one["step"] += 1
    torch._fused_adam_(
        [theta[name] for name in updated],
        gradients,
        [one["exp_avg"] for one in state],
        [one["exp_avg_sq"] for one in state],
        [],
        [one["step"] for one in state],
        lr=lr,
        beta1=_BETA1,
        beta2=_BETA2,
        weight_decay=0.0,
        eps=_EPSILON,
        amsgrad=False,
        maximize=False,
        grad_scale=None,
        found_inf=None,
    )
