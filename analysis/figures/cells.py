"""Cells of heat maps: their texts, hatched gaps, and the frame of a chosen one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from analysis.figures.palette import FAINT, INK
from analysis.figures.style import centred

Floats = npt.NDArray[np.float64]
Place = tuple[int, int]


def cells(
    ax: Axes,
    values: npt.ArrayLike,
    texts: Mapping[Place, str],
    *,
    colours: str,
    norm: Normalize,
    italic: frozenset[Place] = frozenset(),
) -> AxesImage:
    """Draw ``values`` as colours, with a text in every cell and hatches where a value is missing.

    Args:
        values: [rows, columns], downwards; NaN for a gap.
        texts: by row and column.
        italic: cells with slanted text.
    """
    grid = np.asarray(values, dtype=float)
    shades = colormaps[colours]
    image = ax.imshow(grid, cmap=shades, norm=norm, aspect="auto")
    for (y, x), text in texts.items():
        if not np.isfinite(grid[y, x]):
            continue
        look: Any = {"fontsize": 8.0, "linespacing": 1.3}
        look["style"] = "italic" if (y, x) in italic else "normal"
        centred(ax, text, x, y, color=legible(shades(norm(grid[y, x]))), **look)
    for y, x in zip(*np.nonzero(~np.isfinite(grid)), strict=True):
        _hatched(ax, float(x), float(y))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image


def chosen_cell(ax: Axes, x: float, y: float) -> None:
    """Frame the cell at ``x``, ``y``: black between two white lines, on cells of any colour."""
    place = (x - 0.45, y - 0.45), 0.9, 0.9
    for width, color in ((5.5, "white"), (2.6, INK)):
        ax.add_patch(
            Rectangle(*place, fill=False, edgecolor=color, lw=width, zorder=6, joinstyle="miter")
        )


def legible(shade: tuple[float, float, float, float] | Floats) -> str:
    """Dark or white text, whichever contrasts more with ``shade`` (WCAG 2 luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shade[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return INK if luminance > 0.22 else "white"


def _hatched(ax: Axes, x: float, y: float) -> None:
    ax.add_patch(
        Rectangle(
            (x - 0.5, y - 0.5), 1.0, 1.0, facecolor="white", edgecolor=FAINT, hatch="////", lw=0.0
        )
    )
