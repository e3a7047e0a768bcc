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
from hedgecore.kernel.shared_library import library
from hedgecore.kernel.structures import MAX_LAYERS, Built, Terms, hedge


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
    if _needs_gradient(theta) or not covers(network, *theta.values(), spot, variance, observation):
        return None
    kernel = library()
    assert kernel is not None
    assert isinstance(network, HedgingNetwork)
    terms = contract(study, spot.shape[1] - 1)
    built = built_hedge(network, widths(network, theta), flat(network, theta), terms)
    return Outcome(*evaluation.outcome(kernel, built, spot, variance, observation))


def positions(
    network: Strategy,
    theta: Mapping[str, Tensor],
    exogenous: Float[Tensor, "paths steps 5"],
    spot: Float[Tensor, "paths steps+1"],
    recall: Recall | None = None,
) -> Float[Tensor, "paths steps"]:
    """See :func:`hedgecore.hedging.network.positions`."""
    kernel = library()
    wanted = torch.is_grad_enabled() and (exogenous.requires_grad or spot.requires_grad)
    if (
        kernel is None
        or wanted
        or recall is not None
        or _needs_gradient(theta)
        or not covers(network, *theta.values(), exogenous, spot)
    ):
        return networks.positions(network, theta, exogenous, spot, recall)
    assert isinstance(network, HedgingNetwork)
    terms = _no_contract(exogenous.shape[1])
    built = built_hedge(network, widths(network, theta), flat(network, theta), terms)
    return evaluation.positions(kernel, built, spot, exogenous)


def contract(study: TicketStudy, dates: int) -> Terms:
    """Terms of the option and the costs of ``study``; see :func:`hedgecore.hedging.pnl.settle`."""
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
        position_limit=study.network.position_limit,
        cost=charged * discount,
        discount=discount,
        financing=financing,
    )


def built_hedge(
    network: HedgingNetwork,
    sizes: Sequence[int],
    theta: Float[Tensor, " parameters"],
    terms: Terms,
    mask: Tensor | None = None,
) -> Built:
    """The kernel's hedge of layers of ``sizes``; without a ``mask`` zero weights are removed."""
    terms = terms._replace(position_limit=network.position_limit)
    return hedge(terms, sizes, theta, mask, network.mean, network.sd)


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


def _no_contract(dates: int) -> Terms:
    """Terms under which every P&L is 0, for positions alone."""
    none = torch.zeros(dates + 1)
    return Terms(strike=1.0, position_limit=math.inf, cost=none, discount=none, financing=0.0)
