"""Compact networks in the layout of ``inference.h``, and their positions by the kernel."""

import ctypes
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from hedgecore.kernel.shared_library import Library
from hedgecore.kernel.structures import CompactLayer, CompactNetwork, KernelHedge, address

UNITS = 8


class LayerArrays(NamedTuple):
    """Arrays of a hidden layer, for blocks of 8 units."""

    begin: Int[Tensor, " blocks+1"]
    input: Int[Tensor, " inputs"]
    weight: Float[Tensor, "inputs 8"]
    bias: Float[Tensor, " units"]


class NetworkArrays(NamedTuple):
    """Arrays of a network: hidden layers, and weights and bias of its output."""

    layers: tuple[LayerArrays, ...]
    weight: Float[Tensor, " units"]
    bias: float

    @property
    def widest(self) -> int:
        """Most units of a hidden layer."""
        return max((len(layer.bias) for layer in self.layers), default=0)


def network_arrays(layers: Sequence[tuple[Tensor, Tensor]]) -> NetworkArrays:
    """Arrays of float32 ``layers``: weights [outputs, inputs] and biases; the last has one output.

    The units of every hidden layer are put into an order in which blocks have few inputs.
    """
    *hidden, (output, bias) = layers
    arrays, order = [], None
    for weight, offset in hidden:
        sorted_inputs = weight if order is None else weight[:, order]
        order = list(_order(sorted_inputs != 0))
        arrays.append(_layer_arrays(sorted_inputs[order], offset[order]))
    last = output[0] if order is None else output[0, order]
    return NetworkArrays(tuple(arrays), _full(last), float(bias))


def kernel_network(network: NetworkArrays, *, limit: float) -> KernelHedge:
    """:class:`CompactNetwork` of ``network`` with positions of at most ``limit`` shares."""
    structures = (CompactLayer * len(network.layers))(
        *[CompactLayer(len(layer.begin) - 1, *map(address, layer)) for layer in network.layers]
    )
    structure = CompactNetwork(
        layers=len(network.layers),
        widest=network.widest,
        layer=ctypes.addressof(structures),
        units=len(network.weight),
        weight=address(network.weight),
        bias=network.bias,
        limit=limit,
    )
    return KernelHedge(structure, (structures, network))


def compact_positions(
    library: Library, network: KernelHedge, features: Float[Tensor, "states 8"]
) -> Float[Tensor, " states"]:
    """Position in shares for the features of every state, each computed after the one before."""
    features = features.contiguous()
    position = torch.empty(len(features))
    memory = torch.empty(2 * network.structure.widest)
    library.compact_positions(
        ctypes.byref(network.structure),
        len(features),
        address(features),
        address(position),
        address(memory),
    )
    return position


def _layer_arrays(
    weight: Float[Tensor, "units inputs"], bias: Float[Tensor, " units"]
) -> LayerArrays:
    blocks = _full(weight).view(-1, UNITS, weight.shape[1])
    read = (blocks != 0).any(dim=1)
    ends = read.sum(dim=1).cumsum(dim=0)
    return LayerArrays(
        begin=pad(ends, (1, 0)).int(),
        input=read.nonzero()[:, 1].int(),
        weight=blocks.transpose(1, 2)[read].contiguous(),
        bias=_full(bias),
    )


def _full(values: Tensor) -> Tensor:
    """``values`` with zeros after the last unit, up to whole blocks."""
    missing = -len(values) % UNITS
    return torch.cat([values, values.new_zeros(missing, *values.shape[1:])]).contiguous()


def _order(reads: Bool[Tensor, "units inputs"]) -> Iterator[int]:
    """Units, one after another, that add the fewest inputs to those of their block."""
    units, is_placed = len(reads), torch.zeros(len(reads), dtype=torch.bool)
    block = torch.zeros_like(reads[0])
    for number in range(units):
        if number % UNITS == 0:
            block = torch.zeros_like(block)
        added = (reads & ~block).sum(dim=1).masked_fill(is_placed, reads.shape[1] + 1)
        unit = int((added * units + torch.arange(units)).argmin())  # of equals, the first
        is_placed[unit] = True
        block = block | reads[unit]
        yield unit
