"""Alignment of nodes with centroids by the kernel; the mathematics is in ``alignment.h``."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hedgecore.kernel.shared_library import Library
from hedgecore.kernel.structures import Nodes, Weights, address


class LayerAlignment:
    """Alignment loss share sum_j (1 - rho_j^2) of one layer.

    Args:
        library: the kernel.
        owner: centroid of every node.
        share: weight of every node.
        clusters: number of centroids.
    """

    def __init__(
        self, library: Library, owner: Int[Tensor, " nodes"], *, share: float, clusters: int
    ) -> None:
        self._library, self._owner, self._share = library, owner.int(), share
        self._layer = Nodes(nodes=len(owner), clusters=clusters)
        self._memory = torch.empty(4 * len(owner))
        self._gradient = torch.empty(0, len(owner))

    def __call__(
        self, z: Float[Tensor, "rows nodes"], unit: Float[Tensor, "rows clusters"]
    ) -> tuple[float, Float[Tensor, "rows nodes"]]:
        """Loss of a batch, and its gradient in ``z``, which the next call overwrites.

        Args:
            z: outputs of the layer before its ReLU.
            unit: distances of the rows, centred and with norm 1 in every column.
        """
        if len(z) != len(self._gradient):
            self._gradient = torch.empty(z.shape)
        self._layer.rows, self._layer.z = len(z), address(z)
        loss: float = self._library.alignment(
            self._layer,
            address(unit),
            self._owner.data_ptr(),
            self._share,
            self._gradient.data_ptr(),
            self._memory.data_ptr(),
        )
        return loss, self._gradient


class LayerMultiplier:
    """Factors of the gradient of one layer's weights, in (0, 2).

    Args:
        library: the kernel.
        shape: outputs and inputs of the layer.
        strength: slope of the factors.
        clusters: number of centroids.
    """

    def __init__(
        self, library: Library, shape: tuple[int, int], *, strength: float, clusters: int
    ) -> None:
        self._library, self._strength, (nodes, inputs) = library, strength, shape
        self._product, self._factors = torch.empty(shape), torch.empty(shape)
        self._memory = torch.empty((clusters + 1) * nodes + 2 * inputs)
        self._layer = Nodes(nodes=nodes, clusters=clusters)
        self._weights = Weights(inputs=inputs, product=address(self._product))

    @torch.no_grad()
    def __call__(
        self,
        w: Float[Tensor, "nodes inputs"],
        read: Float[Tensor, "rows inputs"],
        z: Float[Tensor, "rows nodes"],
        z_c: Float[Tensor, "clusters nodes"],
        quantiles: Float[Tensor, "rows clusters"],
    ) -> Float[Tensor, "nodes inputs"]:
        """Factors of a batch, which the next call overwrites.

        Args:
            w: weights.
            read: inputs, after the ReLU.
            z: outputs, before the ReLU.
            z_c: the same at the centroids.
            quantiles: of the distances of the rows among all training rows.
        """
        torch.mm(z.T, read, out=self._product)
        self._layer.rows, self._layer.z = len(z), address(z)
        self._weights.weight, self._weights.read = address(w), address(read)
        self._library.multiplier(
            self._layer,
            self._weights,
            address(z_c),
            address(quantiles),
            self._strength,
            self._factors.data_ptr(),
            self._memory.data_ptr(),
        )
        return self._factors
