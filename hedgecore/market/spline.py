"""Bicubic splines in torch: scipy's not-a-knot interpolation of grids, differentiable."""

from collections.abc import Iterable
from typing import Any

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
        grids: values by quantity, row and line of every date; at least 4 rows and lines.
    """

    def __init__(
        self, grids: Iterable[Float[NDArray[np.floating], "quantities rows lines"]]
    ) -> None:
        # Imports in a second, which studies with stored baselines need not spend.
        from scipy.interpolate import CubicSpline

        def slope(values: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
            at = np.arange(values.shape[axis], dtype=float)
            return np.asarray(CubicSpline(at, values, axis=axis)(at, 1))

        corners = []
        for values in grids:
            across = slope(values, 1)
            parts = [values, slope(values, 2), across, slope(across, 2)]
            # float32 halves the memory, and is exact to 1e-7 of a value.
            corners.append(np.stack(parts, axis=-1, dtype=np.float32, casting="same_kind"))
        table = torch.from_numpy(np.stack(corners, axis=1))
        self._rows, self._lines = table.shape[2:4]
        self._corners = table.flatten(1, 3)

    def __call__(
        self,
        quantity: int,
        row: Float[Tensor, "paths dates"],
        line: Float[Tensor, "paths dates"],
    ) -> Float[Tensor, "paths dates"]:
        """Values of ``quantity`` at every date, differentiable once in ``row`` and ``line``.

        Beyond the grid, those at its edge.
        """
        row, line = row.clamp(0, self._rows - 1), line.clamp(0, self._lines - 1)
        value: Tensor = _Cells.apply(self._corners[quantity], self._rows, self._lines, row, line)
        return value


class _Cells(torch.autograd.Function):
    """Value in a cell, with both slopes computed at once, since autograd of this form is slow."""

    @staticmethod
    def forward(
        ctx: Any, corners: Tensor, rows: int, lines: int, row: Tensor, line: Tensor
    ) -> Tensor:
        """Value at (``row``, ``line``) of every date."""
        # Date by date, so that the part of the table in use fits into the processor's cache.
        row, line = row.T.contiguous(), line.T.contiguous()
        low_row, low_line = row.floor().clamp(max=rows - 2), line.floor().clamp(max=lines - 2)
        date = torch.arange(len(row), device=row.device)[:, None]
        first = ((date * rows + low_row.long()) * lines + low_line.long()).flatten()
        t, s = (row - low_row).flatten(), (line - low_line).flatten()
        # Value and slope at both lines of a row lie side by side.
        pairs = corners.to(row.device).as_strided((len(corners) - 1, 8), (4, 1))
        ends = [pairs.index_select(0, first + i * lines).to(row).T for i in (0, 1)]
        weights, rates = _hermite(s)
        values, slopes = (
            [
                _cubic(end[start], end[start + 1], end[start + 4], end[start + 5], by)
                for end in ends
                for start in (0, 2)
            ]
            for by in (weights, rates)
        )
        across, rising = _hermite(t)
        dates, paths = row.shape

        def joined(parts: list[Tensor], by: tuple[Tensor, ...]) -> Tensor:
            low, low_slope, high, high_slope = parts
            return _cubic(low, low_slope, high, high_slope, by).view(dates, paths).T

        ctx.save_for_backward(joined(values, rising), joined(slopes, across))
        return joined(values, across)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients in row and line."""
        by_row, by_line = ctx.saved_tensors
        return None, None, None, gradients[0] * by_row, gradients[0] * by_line


def _cubic(
    low: Tensor, low_slope: Tensor, high: Tensor, high_slope: Tensor, by: tuple[Tensor, ...]
) -> Tensor:
    """Cubic of a cell from the values and slopes at its ends, weighted ``by``."""
    return low * by[0] + low_slope * by[1] + high * by[2] + high_slope * by[3]


def _hermite(t: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Weights of value and slope at the lower and the upper end of a cell; their derivatives."""
    u = 1 - t
    tu = t * u
    weights = u * u * (1 + 2 * t), tu * u, t * t * (1 + 2 * u), -tu * t
    return weights, (-6 * tu, u * (1 - 3 * t), 6 * tu, t * (3 * t - 2))
