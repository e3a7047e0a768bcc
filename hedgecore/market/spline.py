"""Bicubic splines in torch: scipy's not-a-knot interpolation of grids, differentiable."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor


class BicubicSplines:
    """Splines of several quantities on one grid per date, in units of grid cells.

    A cell is a bicubic polynomial given by value, both slopes and the cross derivative at its
    corners; taken from not-a-knot splines, these join twice continuously differentiably.

    Args:
        grids: values by quantity, date, row and line; at least 4 rows and lines.
    """

    def __init__(self, grids: Float[NDArray[np.floating], "quantities dates rows lines"]) -> None:
        # Imports in a second, which studies with stored baselines need not spend.
        from scipy.interpolate import CubicSpline

        def slope(values: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
            at = np.arange(values.shape[axis], dtype=float)
            return np.asarray(CubicSpline(at, values, axis=axis)(at, 1))

        across = slope(grids, 2)
        corners = np.stack([grids, slope(grids, 3), across, slope(across, 3)], axis=-1)
        self._rows, self._lines = grids.shape[2:]
        # float32 halves the memory, and is exact to 1e-7 of a value.
        self._corners = torch.from_numpy(corners.reshape(len(grids), -1, 4).astype(np.float32))

    def __call__(
        self,
        quantity: int,
        row: Float[Tensor, "paths dates"],
        line: Float[Tensor, "paths dates"],
    ) -> Float[Tensor, "paths dates"]:
        """Values of ``quantity`` at every date, differentiable in ``row`` and ``line``.

        Beyond the grid, those at its edge.
        """
        row, line = row.clamp(0, self._rows - 1), line.clamp(0, self._lines - 1)
        low_row = row.detach().floor().clamp(max=self._rows - 2)
        low_line = line.detach().floor().clamp(max=self._lines - 2)
        dates = torch.arange(row.shape[1], device=row.device)
        first = (dates * self._rows + low_row.long()) * self._lines + low_line.long()
        by_row, by_line = _hermite(row - low_row), _hermite(line - low_line)
        value = torch.zeros_like(row)
        table = self._corners[quantity]
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            corner = table[first + i * self._lines + j].to(row)
            weights = torch.stack(
                [by_row[r][i] * by_line[l][j] for r, l in ((0, 0), (0, 1), (1, 0), (1, 1))], dim=-1
            )
            value = value + (corner * weights).sum(dim=-1)
        return value


def _hermite(t: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Weights of the values, and of the slopes, at the two ends of a cell."""
    u = 1 - t
    return (u * u * (1 + 2 * t), t * t * (1 + 2 * u)), (u * u * t, -t * t * u)
