"""Fingerprint of the kernel: equal fingerprints compute equal bits."""

import hashlib
from functools import cache
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.kernel.shared_library import Library, library
from hedgecore.kernel.structures import PATH, Attack, Risk, Terms, hedge
from hedgecore.kernel.training import Memory, Settings, State, steps

NONE = "none"
_DATES, _PATHS, _WIDTHS = 5, 150, (8, 12, 10, 1)


def fingerprint() -> str:
    """sha256 (hex) of the parameters after a small training; "none" without a kernel."""
    kernel = library()
    return NONE if kernel is None else _fingerprint(kernel)


@cache
def _fingerprint(kernel: Library) -> str:
    digest = hashlib.sha256()
    for dense in (True, False):
        for value in _trained(kernel, dense=dense):
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _trained(kernel: Library, *, dense: bool) -> State:
    """State after four steps under attack, of a network that keeps all or a third of its weights.

    The network is large and its limit small, so that some positions are saturated.
    """
    size = sum((a + 1) * b for a, b in pairwise(_WIDTHS))
    theta = 3 * _numbers(size)
    state = State(theta, torch.zeros_like(theta), torch.zeros_like(theta))
    mask = torch.ones(size, dtype=torch.bool)
    mask[1::3] = mask[2::3] = dense
    cost = torch.full((_DATES + 1,), 1e-3)
    terms = Terms(1.0, 0.5, cost, torch.ones(_DATES + 1), 0.0)
    moves = 0.1 * _numbers(_PATHS * (_DATES + 1)).view(_PATHS, -1)
    paths = torch.arange(_PATHS)
    attack = Attack(model=PATH, steps=2, random_start=True, share=1.25, spot=0.01, variance=1e-4)
    entropic = Risk(name=1, parameter=1.0, monotone=True)
    steps(
        kernel,
        hedge(terms, _WIDTHS, theta, mask, torch.zeros(8), torch.ones(8)),
        state,
        Settings(risk=entropic, attack=attack, clean_weight=0.5, scalar_lr=0.0, clip=1.0),
        scalars=0,
        step_numbers=[0] * 2 * (len(_WIDTHS) - 1),
        spot=1 + moves.cumsum(dim=1),
        variance=0.04 + 0.3 * moves,
        batches=[paths] * 4,
        rates=[0.01] * 4,
        draws=2 * _numbers(4 * 2 * _PATHS * (_DATES + 1)),
        memory=Memory(),
    )
    return state


def _numbers(count: int) -> Float[Tensor, " count"]:
    """Numbers in [-0.5, 0.5), the same on every machine: whole numbers, scaled exactly."""
    integers = torch.arange(1, count + 1, dtype=torch.int64) * 2654435761 % 2**32
    return (integers.double() / 2**32 - 0.5).float()
