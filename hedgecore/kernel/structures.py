"""Structures of ``kernel.h``, made from tensors, which they keep alive."""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FEATURES, MAX_LAYERS = 5, 16
RISK_NAMES = ("cvar", "entropic", "mean_variance", "monotone_mean_variance")
CLEAN, PATH, OBSERVATION = range(3)

_POINTER, _INT, _LONG, _BOOL = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_bool
_FLOAT, _DOUBLE = ctypes.c_float, ctypes.c_double


class Contract(ctypes.Structure):
    """Option, dates and costs."""

    _fields_ = (
        ("dates", _INT),
        ("strike", _FLOAT),
        ("limit", _FLOAT),
        ("cost", _POINTER),
        ("discount", _POINTER),
        ("financing", _FLOAT),
    )


class Hedge(ctypes.Structure):
    """Contract, and a network with its parameters."""

    _fields_ = (
        ("contract", Contract),
        ("layers", _INT),
        ("widths", _POINTER),
        ("theta", _POINTER),
        ("mask", _POINTER),
        ("mean", _POINTER),
        ("sd", _POINTER),
    )


class Scene(ctypes.Structure):
    """Paths of an evaluation, and its results."""

    _fields_ = (
        ("paths", _LONG),
        *[(name, _POINTER) for name in ("spot", "variance", "observation")],
        *[(name, _POINTER) for name in ("pnl", "cost", "turnover", "position")],
        *[(f"{name}_gradient", _POINTER) for name in ("spot", "variance", "observation")],
    )


class Risk(ctypes.Structure):
    """Optimised certainty equivalent."""

    _fields_ = (("name", _INT), ("parameter", _DOUBLE), ("monotone", _BOOL))


class Attack(ctypes.Structure):
    """Attack on every batch of a training."""

    _fields_ = (
        ("model", _INT),
        ("steps", _INT),
        ("random_start", _BOOL),
        ("share", _FLOAT),
        ("spot", _DOUBLE),
        ("variance", _DOUBLE),
        ("feature", _FLOAT * FEATURES),
    )


class Nodes(ctypes.Structure):
    """Outputs of one layer of a classifier on one batch."""

    _fields_ = (("rows", _INT), ("nodes", _INT), ("clusters", _INT), ("z", _POINTER))


class Weights(ctypes.Structure):
    """Weights of that layer, its inputs, and their product with its outputs."""

    _fields_ = (
        ("inputs", _INT),
        ("weight", _POINTER),
        ("product", _POINTER),
        ("read", _POINTER),
    )


class Training(ctypes.Structure):
    """State and settings of a training."""

    _fields_ = (
        ("hedge", Hedge),
        ("risk", Risk),
        ("attack", Attack),
        ("clean_weight", _FLOAT),
        *[(name, _POINTER) for name in ("spot", "variance", "draws", "theta", "first", "second")],
        ("scalars", _INT),
        ("scalar_lr", _FLOAT),
        ("clip", _FLOAT),
        ("step_numbers", _POINTER),
        ("batch", _INT),
    )


class CompactLayer(ctypes.Structure):
    """A hidden layer of ``inference.h``."""

    _fields_ = (
        ("blocks", _INT),
        *[(name, _POINTER) for name in ("begin", "input", "weight", "bias")],
    )


class CompactNetwork(ctypes.Structure):
    """A network of ``inference.h``."""

    _fields_ = (
        ("layers", _INT),
        ("widest", _INT),
        ("layer", _POINTER),
        ("units", _INT),
        ("weight", _POINTER),
        ("bias", _FLOAT),
        ("limit", _FLOAT),
    )


class Terms(NamedTuple):
    """Terms of a contract.

    Args:
        strike: of the call.
        position_limit: bound of the saturation, in shares.
        cost: cost per unit of price of a share traded, at every date and at maturity.
        discount: discount factors of the same dates.
        financing: growth of a share between two dates in excess of the rate; 0 without financing.
    """

    strike: float
    position_limit: float
    cost: Float[Tensor, " dates"]
    discount: Float[Tensor, " dates"]
    financing: float


class KernelHedge(NamedTuple):
    """A structure, and the tensors that it points into."""

    structure: Any
    tensors: tuple[Any, ...]


def address(tensor: Tensor | None) -> int | None:
    """Address of a contiguous CPU tensor; None for none."""
    if tensor is None:
        return None
    assert tensor.is_contiguous(), "the kernel reads plain memory"
    assert tensor.device.type == "cpu", "the kernel reads plain memory"
    return tensor.data_ptr()


def hedge(
    terms: Terms,
    widths: Sequence[int],
    theta: Float[Tensor, " parameters"],
    mask: Tensor | None,
    mean: Float[Tensor, "8"],
    sd: Float[Tensor, "8"],
) -> KernelHedge:
    """:class:`Hedge` of a network with the flat parameters ``theta``, and their bool ``mask``."""
    sizes = (_INT * len(widths))(*widths)
    mean, sd = mean.contiguous(), sd.contiguous()
    contract = Contract(
        dates=len(terms.cost) - 1,
        strike=terms.strike,
        limit=terms.position_limit,
        cost=address(terms.cost),
        discount=address(terms.discount),
        financing=terms.financing,
    )
    structure = Hedge(
        contract=contract,
        layers=len(widths) - 1,
        widths=ctypes.addressof(sizes),
        theta=address(theta),
        mask=address(mask),
        mean=address(mean),
        sd=address(sd),
    )
    return KernelHedge(structure, (terms, sizes, theta, mask, mean, sd))


def workspace(size: int) -> tuple[Tensor, int]:
    """Memory of ``size`` bytes, and its first address that is a multiple of 64."""
    memory = torch.empty(size + 64, dtype=torch.uint8)
    return memory, -(-memory.data_ptr() // 64) * 64
