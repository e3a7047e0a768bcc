"""Hedges by the compiled kernel where it covers them, by autograd elsewhere.

Both compute the same P&L up to rounding. The kernel's gradients are those in the scene only, so a
hedge whose own parameters need a gradient is computed by autograd.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from hedgecore.hedging import network as networks
from hedgecore.hedging.network import OCE_SCALARS, HedgingNetwork, Recall, Strategy
from hedgecore.hedging.pnl import Outcome
from hedgecore.hedging.study import TicketStudy
from hedgecore.kernel import evaluation
from hedgecore.kernel.shared_library import Library, library
from hedgecore.kernel.structures import MAX_LAYERS, KernelHedge, Terms
from hedgecore.kernel.structures import hedge as structure


def covers(network: Strategy, *tensors: Tensor | None) -> bool:
    """True if the kernel computes ``network`` on ``tensors``: float32 in this machine's memory."""
    return (
        type(network) is HedgingNetwork
        and len(network.layers) <= MAX_LAYERS
        and all(
            x.dtype == torch.float32 and x.device.type == "cpu" for x in tensors if x is not None
        )
        and library() is not None
    )


def outcome(
    study: TicketStudy,
    network: Strategy,
    theta: Mapping[str, Tensor],
    spot: Float[Tensor, "paths dates"],
    variance: Float[Tensor, "paths dates"],
    observation: Float[Tensor, "paths steps 5"] | None,
) -> Outcome | None:
    """P&L, cost and turnover of the hedge ``theta``; None if the kernel does not cover it."""
    covering = _covering(network, theta, spot, variance, observation)
    if covering is None:
        return None
    kernel, layers = covering
    terms = contract(study, layers, spot.shape[1] - 1)
    hedge = kernel_hedge(layers, widths(layers, theta), flat(layers, theta), terms)
    return Outcome(*evaluation.outcome(kernel, hedge, spot, variance, observation))


def positions(
    network: Strategy,
    theta: Mapping[str, Tensor],
    exogenous: Float[Tensor, "paths steps 5"],
    spot: Float[Tensor, "paths steps+1"],
    recall: Recall | None = None,
) -> Float[Tensor, "paths steps"]:
    """See :func:`hedgecore.hedging.network.positions`."""
    # The kernel has no gradient of a position in the scene.
    in_scene = torch.is_grad_enabled() and (exogenous.requires_grad or spot.requires_grad)
    covering = _covering(network, theta, exogenous, spot)
    if covering is None or recall is not None or in_scene:
        return networks.positions(network, theta, exogenous, spot, recall)
    kernel, layers = covering
    terms = _no_contract(layers, exogenous.shape[1])
    hedge = kernel_hedge(layers, widths(layers, theta), flat(layers, theta), terms)
    return evaluation.positions(kernel, hedge, spot, exogenous)


def contract(study: TicketStudy, network: HedgingNetwork, dates: int) -> Terms:
    """Terms of the option, of the costs of ``study`` and of the positions of ``network``.

    See :func:`hedgecore.hedging.pnl.settle`.
    """
    cost, market = study.cost, study.market
    discount, financing = torch.ones(dates + 1), 0.0
    if cost.financing:
        discount = torch.exp(-market.rate * market.dt * torch.arange(dates + 1))
        financing = math.expm1(-(market.rate - market.dividend) * market.dt)
    charged = torch.full((dates + 1,), cost.proportional)
    charged[0] *= cost.first_trade
    charged[-1] *= cost.unwind
    return Terms(
        strike=study.option.strike,
        position_limit=network.position_limit,
        cost=charged * discount,
        discount=discount,
        financing=financing,
    )


def kernel_hedge(
    network: HedgingNetwork,
    sizes: Sequence[int],
    theta: Float[Tensor, " parameters"],
    terms: Terms,
    mask: Tensor | None = None,
) -> KernelHedge:
    """The kernel's hedge of layers of ``sizes``; without a ``mask`` zero weights are removed."""
    return structure(terms, sizes, theta, mask, network.mean, network.sd)


def widths(network: HedgingNetwork, theta: Mapping[str, Tensor]) -> list[int]:
    """Inputs, hidden units and outputs by ``theta``, which may be smaller than ``network``."""
    matrices = [theta[name] for name in network.names if theta[name].ndim == 2]
    return [matrices[0].shape[1], *(matrix.shape[0] for matrix in matrices)]


def flat(network: HedgingNetwork, tensors: Mapping[str, Tensor]) -> Shaped[Tensor, " parameters"]:
    """Those of ``tensors`` that are parameters of ``network``, in its order, one after another."""
    return torch.cat([tensors[name].detach().flatten() for name in network.names])


def _needs_gradient(theta: Mapping[str, Tensor]) -> bool:
    trained = (value for name, value in theta.items() if name not in OCE_SCALARS)
    return torch.is_grad_enabled() and any(value.requires_grad for value in trained)


def _covering(
    network: Strategy, theta: Mapping[str, Tensor], *inputs: Tensor | None
) -> tuple[Library, HedgingNetwork] | None:
    """The kernel and ``network`` if it computes the hedge ``theta`` on ``inputs``."""
    kernel = library()
    if kernel is None or _needs_gradient(theta):
        return None
    if not covers(network, *theta.values(), *inputs):
        return None
    assert isinstance(network, HedgingNetwork)
    return kernel, network


def _no_contract(network: HedgingNetwork, dates: int) -> Terms:
    """Terms under which every P&L is 0, for positions alone."""
    none, limit = torch.zeros(dates + 1), network.position_limit
    return Terms(strike=1.0, position_limit=limit, cost=none, discount=none, financing=0.0)
