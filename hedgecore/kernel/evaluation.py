"""P&L of a hedge by the kernel, differentiable in the paths and in the observation."""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.kernel.shared_library import Library
from hedgecore.kernel.structures import KernelHedge, Scene, address, workspace


def outcome(
    library: Library,
    hedge: KernelHedge,
    spot: Float[Tensor, "paths dates"],
    variance: Float[Tensor, "paths dates"],
    observation: Float[Tensor, "paths steps 5"] | None = None,
) -> tuple[
    Float[Tensor, " paths"],
    Float[Tensor, " paths"],
    Float[Tensor, " paths"],
]:
    """P&L, cost and turnover of every path; the P&L is once differentiable in all arguments."""
    tensors = [x for x in (spot, variance, observation) if x is not None]
    differentiable = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
    pnl, cost, turnover = _Outcome.apply(
        library, hedge, differentiable, spot, variance, observation
    )
    return pnl, cost, turnover


def positions(
    library: Library,
    hedge: KernelHedge,
    spot: Float[Tensor, "paths dates"],
    observation: Float[Tensor, "paths steps 5"],
) -> Float[Tensor, "paths steps"]:
    """Shares held from every trading date to the next, without gradient."""
    spot, observation = (x.detach().contiguous() for x in (spot, observation))
    position = torch.empty(observation.shape[:2])
    results = torch.empty(3, len(spot))
    scene = Scene(
        paths=len(spot),
        spot=address(spot),
        variance=address(spot),  # unread: the features are given
        observation=address(observation),
        position=address(position),
        **{name: address(results[i]) for i, name in enumerate(("pnl", "cost", "turnover"))},
    )
    _run(library, hedge, scene)
    return position


class _Outcome(torch.autograd.Function):
    """A path's P&L depends on its own scene alone, so that one gradient of it serves all uses."""

    @staticmethod
    def forward(
        ctx: Any,
        library: Library,
        hedge: KernelHedge,
        differentiable: bool,
        *tensors: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        spot, variance, observation = (x if x is None else x.contiguous() for x in tensors)
        assert spot is not None
        assert variance is not None
        results = torch.empty(3, len(spot))
        gradients: list[Tensor | None] = [None, None, None]
        if differentiable:
            gradients = [x if x is None else torch.empty_like(x) for x in tensors]
        scene = Scene(
            paths=len(spot),
            spot=address(spot),
            variance=address(variance),
            observation=address(observation),
            **{name: address(results[i]) for i, name in enumerate(("pnl", "cost", "turnover"))},
            **{
                f"{name}_gradient": address(gradient)
                for name, gradient in zip(
                    ("spot", "variance", "observation"), gradients, strict=True
                )
            },
        )
        _run(library, hedge, scene)
        ctx.gradients = gradients
        pnl, cost, turnover = results.unbind()
        ctx.mark_non_differentiable(cost, turnover)
        return pnl, cost, turnover

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        scaled = (
            None if g is None else g * slope.view(-1, *[1] * (g.ndim - 1)) for g in ctx.gradients
        )
        return (None, None, None, *scaled)


def _run(library: Library, hedge: KernelHedge, scene: Scene) -> None:
    at, of = ctypes.byref(hedge.structure), ctypes.byref(scene)
    memory, begin = workspace(library.evaluate_bytes(at, of))
    library.evaluate(at, of, begin)
    del memory
