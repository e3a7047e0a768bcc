"""Steps of a training by the kernel, on flat parameters and moments."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hedgecore.kernel.shared_library import Library
from hedgecore.kernel.structures import Attack, KernelHedge, Risk, Training, address, workspace


class State(NamedTuple):
    """Flat parameters, and Adam's moments of them, which steps update in place."""

    theta: Float[Tensor, " parameters"]
    first: Float[Tensor, " parameters"]
    second: Float[Tensor, " parameters"]


class Memory:
    """Scratch memory that calls reuse: touching new memory takes as long as a step."""

    def __init__(self) -> None:
        self._size = 0
        self._memory, self._begin = workspace(0)

    def at_least(self, size: int) -> int:
        """Address of ``size`` bytes."""
        if size > self._size:
            self._size = size
            self._memory, self._begin = workspace(size)
        return self._begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of every step.

    Args:
        risk: the risk that is minimised.
        attack: attack on every batch.
        clean_weight: weight of the clean risk beside the attacked one.
        scalar_lr: learning rate of a trained y.
        clip: largest norm of the gradient in the weights.
    """

    risk: Risk
    attack: Attack
    clean_weight: float
    scalar_lr: float
    clip: float


def steps(
    library: Library,
    hedge: KernelHedge,
    state: State,
    settings: Settings,
    *,
    scalars: int,
    step_numbers: Sequence[int],
    spot: Float[Tensor, "paths dates"],
    variance: Float[Tensor, "paths dates"],
    batches: Sequence[Int[Tensor, " _"]],
    rates: Sequence[float],
    draws: Float[Tensor, " draws"] | None,
    memory: "Memory",
) -> tuple[Float[Tensor, " steps"], Float[Tensor, " steps"]]:
    """Take a step on every batch; loss and norm of the gradient of each, before clipping.

    Args:
        library: the kernel.
        hedge: of ``state.theta``.
        state: parameters and moments.
        settings: see :class:`Settings`.
        scalars: number of trained y, which are the last of the parameters: of the risk, and of
            the risk under attack.
        step_numbers: steps before these, of the weight and bias of every layer and of every y.
        spot: training prices.
        variance: training variances.
        batches: indices of the paths of every step.
        rates: learning rate of every step.
        draws: random numbers in (-1, 1) of the attack, as ``attack_batch`` of ``kernel.h`` reads
            them.
        memory: scratch memory.
    """
    sizes = (ctypes.c_int * len(batches))(*map(len, batches))
    index, lr = torch.cat(tuple(batches)), torch.tensor(rates)
    numbers = torch.tensor(step_numbers)
    losses, norms = torch.empty(len(batches)), torch.empty(len(batches))
    spot, variance = spot.contiguous(), variance.contiguous()
    training = Training(
        hedge=hedge.structure,
        risk=settings.risk,
        attack=settings.attack,
        clean_weight=settings.clean_weight,
        spot=address(spot),
        variance=address(variance),
        draws=address(draws),
        theta=address(state.theta),
        first=address(state.first),
        second=address(state.second),
        scalars=scalars,
        scalar_lr=settings.scalar_lr,
        clip=settings.clip,
        step_numbers=address(numbers),
        batch=max(sizes),
    )
    begin = memory.at_least(library.train_bytes(ctypes.byref(training)))
    library.train(
        ctypes.byref(training),
        len(batches),
        sizes,
        address(index),
        address(lr),
        address(losses),
        address(norms),
        begin,
    )
    return losses, norms
